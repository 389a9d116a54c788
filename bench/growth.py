"""How latency grows with the number of candles. They are inserted in a transaction that is rolled back: run VACUUM."""

import time

import psycopg

from bench.baseline import features_of_all
from bench.figures import Figure, Limit, OnStep, milliseconds
from bench.fixture import Fixture

SYMBOL = "BENCHMARK"
YEAR, QUARTER = 525_600, 129_600
END = 1_767_225_600  # 2026-01-01 00:00 UTC
#: A random walk that ends before END. Volumes, trades and shares vary, and the price changes every minute.
_INSERT = f"""
insert into public.candles_1m (
    symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades
)
select
    '{SYMBOL}', to_timestamp({END}) - minute * interval '1 minute', price, price * 1.0002, price * 0.9998,
    price * (0.9999 + 0.0002 * share), volume, volume * price, volume * share, volume * price * share, volume::bigint
from (
    select
        minute, random() as share, 20 * random() as volume,
        60000 * exp(0.001 * sum(random() - 0.5) over (order by minute)) as price
    from generate_series(%s::int, %s) as minute
) as walk"""
#: Turns of growth(), and uncounted calls at the start of each turn.
TURNS, WARM_UP = 5, 20
_YEAR = f"explain (analyze, timing off, format json) select * from public.features_1m where symbol = '{SYMBOL}'"


def year(fixture: Fixture, runs: int, on_step: OnStep) -> list[Figure]:
    """features_1m over a year in the database, without transfer. The baseline fetches the candles and uses pandas."""
    own, other = [], []
    db = fixture.db
    with db.transaction(force_rollback=True):
        db.execute("set local plan_cache_mode = force_generic_plan")
        _insert(db, 1, YEAR)
        for run in range(runs):
            own.append(db.execute(_YEAR).fetchone()[0][0]["Execution Time"] / 1000)
            started = time.perf_counter()
            assert len(features_of_all(db, SYMBOL)) == YEAR
            other.append(time.perf_counter() - started)
            on_step(run + 1, runs, "")
    return [Figure(f"features_1m over {YEAR:,} minutes", "s", own, (Limit("max", 10.0),), other)]


def growth(fixture: Fixture, runs: int, on_step: OnStep) -> list[Figure]:
    """predict() of the newest candle, alternating between 3 months and 5 years, so that other load affects both."""
    db = fixture.db

    def predict(count: int) -> list[float]:
        query = f"select * from predict('{SYMBOL}', null, {ensemble})"
        db.execute("checkpoint")  # so that earlier writes are not flushed during the measurement
        samples = [milliseconds(lambda: db.execute(query).fetchall()) for _ in range(WARM_UP + count)]
        return samples[WARM_UP:]  # the first calls include planning

    quarter, five_years = [], []
    with db.transaction(force_rollback=True):
        _insert(db, 1, QUARTER)
        ensemble = fixture.measured.create(db, SYMBOL)
        for turn in range(TURNS):
            quarter += predict(runs // TURNS)
            with db.transaction(force_rollback=True):
                _insert(db, QUARTER + 1, 5 * YEAR)
                five_years += predict(runs // TURNS)
            on_step(turn + 1, TURNS, "")
    what, note = "predict() of the newest candle, 5 years of candles", "the baseline is predict() with 3 months"
    return [Figure(what, "ms", five_years, (Limit("ratio", 1.1),), quarter, note)]


def _insert(db: psycopg.Connection, first: int, last: int) -> None:
    """Insert the candles of the minutes ``first`` to ``last`` before END."""
    db.execute("select setseed(0.5)")
    db.execute(_INSERT, [first, last])
    db.execute("analyze public.candles_1m")
