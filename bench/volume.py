"""How the cost grows: a year of features, and the newest prediction at 3 months against 5 years of candles."""

import time
from collections.abc import Callable

import psycopg

from bench import features
from bench.peer import features_of_all
from bench.report import Figure, Limit
from bench.stage import Stage

OnStep = Callable[[int, int, str], None]


def year(stage: Stage, runs: int, on_step: OnStep) -> list[Figure]:
    """features_1m over a year inside the database; the peer fetches the year and computes in pandas."""
    own, other = [], []
    with features.made_candles(stage.db):
        features.insert(stage.db, 1, features.YEAR)
        for run in range(runs):
            own.append(features.seconds_of_year(stage.db))
            started = time.perf_counter()
            frame = features_of_all(stage.db, features.SYMBOL)
            other.append(time.perf_counter() - started)
            assert len(frame) == features.YEAR
            on_step(run + 1, runs, "")
    limits = (Limit("max", features.YEAR_LIMIT_SECONDS),)
    return [Figure(f"features_1m over {features.YEAR:,} minutes", "s", own, limits, other)]


def growth(stage: Stage, runs: int, on_step: OnStep) -> list[Figure]:
    """Medians at 5 years over medians at 3 months, of the newest 60 feature rows and of a whole predict()."""
    ensemble: list[int] = []

    def predict(connection: psycopg.Connection) -> float:
        if not ensemble:
            connection.execute("set local plan_cache_mode = auto")  # as every other session has it
            ensemble.append(stage.ensemble_for(features.SYMBOL))
        started = time.perf_counter()
        rows = connection.execute("select * from predict(%s, null, %s)", [features.SYMBOL, ensemble[0]]).fetchall()
        elapsed = time.perf_counter() - started
        assert len(rows) == 5
        return elapsed

    figures = []
    works = (("its 60 feature rows", features.seconds_of_latest), ("predict()", predict))
    for number, (what, work) in enumerate(works):
        quarter, five_years = features.latest_cost(stage.db, runs, work)
        figures.append(
            Figure(
                f"the latest prediction at 5 years of candles, {what}",
                "ms",
                [1000 * seconds for seconds in five_years],
                (Limit("ratio", features.LATEST_LIMIT_RATIO),),
                [1000 * seconds for seconds in quarter],
                note="what stands under peer is the same at 3 months",
            )
        )
        on_step(number + 1, len(works), "")
    return figures
