"""Three days of real minutes, replayed by the clock of the data: every figure and decision, calculated a second time.

The second calculation reads only `predictions` and `candles_1m`, follows docs/explanation/ab-tests.md, and leaves the
statistics to pandas, SciPy and statsmodels.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import psycopg
import pytest
from psycopg.rows import dict_row
from scipy.special import lambertw
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.sandwich_covariance import S_hac_simple

from candlecast.candles.files import read_candle_file
from candlecast.core.candle_columns import NUMBERS, RAW_COLUMNS
from candlecast.trainer.data.dataset import build_dataset
from candlecast.trainer.export import train_and_export
from candlecast.trainer.features import compute_features
from candlecast.trainer.models.lgbm import LightGBMParameters
from candlecast.trainer.models.training import TrainingOptions
from tests.support.artifacts import SMALL_MAMBA
from tests.support.deployment import MINUTE, create_calibrated, deploy_calibrated

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
#: At 00:10 of each day, as pg_cron does.
EVALUATED = [APRIL + days * DAY + 10 * MINUTE for days in (1, 2, 3)]
#: The test begins half a day late.
LATE = APRIL + DAY / 2
SETTINGS = {"promotion_guard": "none", "promotion_margin": "0.005", "promotion_cooldown": "24 h"}
GUARDED = {"promotion_guard": "confidence"}
COLUMNS = ("open_time", *NUMBERS, "number_of_trades")
SESSIONS = 2
#: What differs between the two: slow small trees, and trees that learn single minutes by heart.
SOBER = LightGBMParameters(rounds=60)
OVERFITTED = replace(SOBER, rounds=40, learning_rate=0.3, num_leaves=63, min_data_in_leaf=5, extra_trees=False)


@pytest.fixture(scope="module")
def candles(shared_data):
    """BTCUSDT of March and April 2026: a frame of the columns that candles_1m has, by open_time."""
    files = [read_candle_file(shared_data / "spot" / f"BTCUSDT-1m-2026-{month}.zip") for month in ("03", "04")]
    frame = pd.DataFrame({name: np.concatenate([one.columns[name] for one in files]) for name in COLUMNS[1:]})
    frame.index = pd.to_datetime(np.concatenate([one.open_time for one in files]), unit="us", utc=True)
    return frame


@pytest.fixture(scope="module")
def trained(candles, tmp_path_factory):
    """A sober and an overfitted pair of the last days of March: other trees, another seed."""
    days = candles[APRIL - 12 * DAY : APRIL - MINUTE]
    columns = {name: days[name].to_numpy(float) for name in RAW_COLUMNS if name in days}
    columns["open_time"] = days.index.as_unit("s").asi8
    columns.setdefault("spread_bps", np.full(len(days), np.nan))
    dataset = build_dataset("BTCUSDT", *compute_features(columns), columns["open_time"], columns["close"])
    common = TrainingOptions(
        test_from=int((APRIL - DAY).timestamp()), threads=1, mamba_seeds=1, mamba=replace(SMALL_MAMBA, stride=6)
    )
    folder = tmp_path_factory.mktemp("models")
    results = [
        train_and_export(dataset, folder / str(seed), replace(common, seed=seed, lgbm=lgbm))
        for seed, lgbm in enumerate((SOBER, OVERFITTED))
    ]
    return [(result.mamba_folder, result.lgbm_folder) for result in results]


@pytest.fixture(scope="module")
def replayed(make_shared_database, template, candles, trained):
    """The replay: evaluations as acted and as previewed with the guard, and the connection to what it left."""
    url = make_shared_database(template)
    sessions = [psycopg.connect(url, autocommit=True, row_factory=dict_row) for _ in range(SESSIONS)]
    yield Replay(sessions, candles, trained)
    for session in sessions:
        session.close()


class Replay:
    """Minute by minute through run_inference(at_time), and evaluate_ab(at_time) at 00:10 of each day."""

    def __init__(self, sessions, candles, trained):
        self.sessions, self.db, self.candles = sessions, sessions[0], candles
        self.acted, self.guarded = {}, {}
        for setting, value in SETTINGS.items():
            self.db.execute("update ml_settings set value = %s where name = %s", (value, setting))
        sober, overfitted = trained
        self.first = self.numbered(deploy_calibrated, overfitted)
        clock, fed = APRIL, APRIL - DAY / 4  # a window reads 209 minutes
        for at in (LATE, *EVALUATED):
            self.feed(fed, at)
            self.run(clock, at)
            clock = fed = at
            if at == LATE:
                self.winner = self.numbered(create_calibrated, sober, is_test=True)
                continue
            with self.db.transaction(force_rollback=True):
                for setting, value in GUARDED.items():
                    self.db.execute("update ml_settings set value = %s where name = %s", (value, setting))
                self.guarded[at] = self.rows("select * from preview_ab(%s)", at)
            self.acted[at] = self.rows("select * from evaluate_ab(%s)", at)
        self.predictions = pd.DataFrame(self.rows(
            "select ensemble_id, candle_time, horizon, predicted_close, reference_close, probability_up"
            " from predictions"
        ))  # fmt: skip
        self.closes = pd.DataFrame(self.rows("select open_time, close from candles_1m")).set_index("open_time")["close"]

    def numbered(self, make, artifacts, *arguments, **options):
        """live.deploy() and the like, whose rows have no names."""
        with psycopg.connect(self.db.info.dsn, autocommit=True) as db:
            return make(db, artifacts, *arguments, **options)

    def rows(self, query, *values):
        return self.db.execute(query, values).fetchall()

    def feed(self, start, end):
        """Closed candles up to the clock: an evaluation has no later ones to look at."""
        part = self.candles[start : end - MINUTE]
        with self.db.cursor().copy(f"copy candles_1m ({', '.join(COLUMNS)}) from stdin") as copy:
            for row in part.itertuples():
                copy.write_row(row)
        self.db.execute("analyze candles_1m")

    def run(self, start, end):
        """The minutes of a stretch in turns, by sessions that stay open, as a pool's would."""

        def run_in(number):
            at = start + number * MINUTE
            while at < end:
                self.sessions[number].execute("call run_inference(%s)", (at,))
                at += SESSIONS * MINUTE

        with ThreadPoolExecutor(SESSIONS) as pool:
            list(pool.map(run_in, range(SESSIONS)))


def calculated(replay, active, challenger, at, began):
    """Every figure of ab_evaluations, from predictions and candles alone."""
    by_ensemble = dict(iter(replay.predictions.groupby("ensemble_id")))
    both = by_ensemble[active].merge(
        by_ensemble[challenger], on=["candle_time", "horizon", "reference_close"], suffixes=("_active", "_challenger")
    )
    both["target"] = both["candle_time"] + pd.to_timedelta(both["horizon"], unit="min")
    both = both[(both["candle_time"] >= began) & (both["target"] + MINUTE <= at)]
    both["actual"] = np.log(both["target"].map(replay.closes) / both["reference_close"])
    both = both[both["actual"].notna()]
    sides = ("active", "challenger")
    for side in sides:
        forecast, chance = both[f"predicted_close_{side}"], both[f"probability_up_{side}"].astype(float)
        both[f"right_{side}"] = (forecast * both["actual"] > 0).astype(int)
        both[f"brier_{side}"] = (chance - (both["actual"] > 0)) ** 2
        both[f"error_{side}"] = (1e4 * (forecast - both["actual"])) ** 2
    day = both[both["candle_time"] >= at - DAY]
    one = both[(both["horizon"] == 1)]
    found = {"window_from": at - DAY, "pairs": int((day["horizon"] == 1).sum())}
    found["since"] = one["candle_time"].min() if len(one) else None

    def mean(cells, figure, horizon):
        """A paired mean and its Newey-West error, over the 1,440 minutes of the window."""
        values = cells[f"{figure}_challenger"] - cells[f"{figure}_active"]
        by_minute = ((values - values.mean()) / len(values)).groupby(cells["candle_time"]).sum()
        minutes = pd.date_range(at - DAY, at - MINUTE, freq="min")
        influence = by_minute.reindex(minutes, fill_value=0.0).to_numpy()
        lags = max(6 * horizon, int(4 * (len(minutes) / 100) ** (2 / 9)))
        return values.mean(), math.sqrt(S_hac_simple(influence, nlags=lags)[0, 0])

    def accuracies(cells, horizon):
        if not len(cells):
            return dict.fromkeys(("active", "challenger", "difference", "low", "high"))
        difference, error = mean(cells, "right", horizon)
        low, high = norm.interval(0.95, difference, error)
        shares = {side: cells[f"right_{side}"].mean() for side in sides}
        return shares | {"difference": difference, "low": low, "high": high}

    moved = day[day["actual"] != 0]
    horizons = [accuracies(moved[moved["horizon"] == horizon], horizon) for horizon in range(1, 6)]
    found["by_horizon"] = [{"horizon": horizon} | figures for horizon, figures in enumerate(horizons, start=1)]
    for suffix, figures in (("_1m", horizons[0]), ("", accuracies(moved, 5))):
        found |= {f"{side}_accuracy{suffix}": figures[side] for side in sides}
        found[f"difference{suffix}"] = figures["difference"]
        found |= {f"difference{suffix}_{end}": figures[end] for end in ("low", "high")}
    first = moved[moved["horizon"] == 1]
    table = np.array(
        [[(first["right_active"].eq(a) & first["right_challenger"].eq(b)).sum() for b in (1, 0)] for a in (1, 0)]
    )
    found |= {"active_only_right": table[0, 1], "challenger_only_right": table[1, 0]}
    found["mcnemar_p"] = mcnemar(table, exact=True).pvalue if table[0, 1] + table[1, 0] else None
    with_chances = len(day) and not day[[f"probability_up_{side}" for side in sides]].isna().any(axis=None)
    cells, figure = (moved, "brier") if with_chances else (day, "error")
    found["loss"] = ("brier" if with_chances else "squared_error") if len(cells) else None
    by_loss = mean(cells, figure, 5) if len(cells) else (None, None)
    found["loss_difference"], found["loss_standard_error"] = by_loss
    return found | sequence(one[one["actual"] != 0])


def sequence(since):
    """Robbins' mixture over the disagreements, narrowest at 4,000 of them, alpha 0.05."""
    minutes = len(since)
    up = [np.sign(since[f"predicted_close_{side}"]) for side in ("active", "challenger")]
    disagreements = int((up[0] != up[1]).sum())
    found = {"sequence_minutes": minutes, "sequence_disagreements": disagreements}
    if not minutes:
        return found | {"sequence_difference": None, "sequence_low": -1.0, "sequence_high": 1.0}
    rho = 4_000 / (-lambertw(-(0.05**2) / math.e, k=-1).real - 1)
    bound = math.sqrt((disagreements + rho) * (math.log(disagreements / rho + 1) - 2 * math.log(0.05))) / minutes
    difference = (since["right_challenger"] - since["right_active"]).mean()
    return found | {
        "sequence_difference": difference,
        "sequence_low": max(difference - bound, -1.0),
        "sequence_high": min(difference + bound, 1.0),
    }


def decision_of(found, role, cooling, guard):
    """docs/explanation/ab-tests.md, line by line, of one comparison by itself."""
    if found["since"] is None or found["hours"] < 24 or found["pairs"] < 1_300:
        return "keep"
    above = found["difference_1m_low"] if role == "shadow" else found["sequence_low"]
    better = found["difference_1m"] > 0.005 and (guard == "none" or above > 0) and found["sequence_high"] >= 0
    if role == "shadow":
        return "roll_back" if better else "retire"
    if found["sequence_high"] < 0:
        return "retire"
    return "promote" if better and not cooling else "keep"


class Told:
    """What must have happened by a time: states and events, and by guard every comparison's figures and decision."""

    def __init__(self, replay, until):
        self.active, self.since, self.roles = replay.first, None, {replay.winner: "test"}
        self.events = []
        for at in EVALUATED[: EVALUATED.index(until) + 1]:
            self.judged = {guard: self.judge(replay, at, guard) for guard in ("confidence", "none")}
            self.act(at, self.judged["none"])

    def judge(self, replay, at, guard):
        given = {}
        for challenger, role in self.roles.items():
            found = calculated(replay, self.active, challenger, at, self.since or APRIL)
            found["hours"] = (at - found["since"]) / timedelta(hours=1) if found["since"] else 0.0
            cooling = self.since is not None and at - self.since < DAY
            decision = decision_of(found, role, cooling, guard)
            given[challenger] = found | {"active_id": self.active, "role": role, "decision": decision}
        return given

    def act(self, at, given):
        """At most one becomes active: a shadow that comes back, else the best of the tests."""
        for challenger, found in given.items():
            if found["decision"] == "retire":
                del self.roles[challenger]
                self.events.append((challenger, "retired", "retired", at))
        winners = {one: found for one, found in given.items() if found["decision"] in ("roll_back", "promote")}
        back = [one for one, found in winners.items() if found["decision"] == "roll_back"]
        best = back or sorted(winners, key=lambda one: -winners[one]["difference_1m"])[:1]
        for one in winners:
            if one not in best:
                given[one]["decision"] = "keep"
        for winner in best:
            for one in [one for one, role in self.roles.items() if role == "shadow" and one != winner]:
                del self.roles[one]
                self.events.append((one, "retired", "retired", at))
            del self.roles[winner]
            if winner in back:
                self.events += [(self.active, "rolled_back", "retired", at), (winner, "restored", "active", at)]
            else:
                self.roles[self.active] = "shadow"
                self.events += [(self.active, "replaced", "shadow", at), (winner, "promoted", "active", at)]
            self.active, self.since = winner, at


@pytest.mark.parametrize("guard", ["none", "confidence"])
@pytest.mark.parametrize("at", EVALUATED, ids=[f"{at:%d %b}" for at in EVALUATED])
def test_figures_and_decisions_equal_pandas_scipy_statsmodels(replayed, at, guard):
    rows = (replayed.acted if guard == "none" else replayed.guarded)[at]
    given = Told(replayed, at).judged[guard]
    assert {row["challenger_id"] for row in rows} == set(given)
    for row in rows:
        told = given[row["challenger_id"]]
        assert told.pop("hours") >= 0
        assert set(row) - set(told) == {
            "id", "evaluated_at", "at_time", "symbol", "challenger_id", "promotion_margin", "promotion_guard", "reason",
        }  # fmt: skip
        for name, value in told.items():
            if name == "by_horizon":
                for figures, figures_told in zip(row[name], value, strict=True):
                    assert figures == pytest.approx(figures_told, rel=1e-9, abs=1e-15), (name, row["challenger_id"])
            elif isinstance(value, float):
                assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-15), (name, row["challenger_id"])
            else:
                assert row[name] == value, (name, row["challenger_id"])
        assert (row["at_time"], row["symbol"]) == (at, "BTCUSDT")
        assert (row["promotion_margin"], row["promotion_guard"]) == (0.005, guard)
        assert row["reason"]


def test_the_replay_is_worth_judging(replayed):
    """Real ensembles that differ on a fair share of the minutes, neither of them trained on what it is judged by."""
    (unseen,) = replayed.rows("select max(out_of_sample_from(id)) as from_here from active_ensembles")
    assert unseen["from_here"] <= APRIL
    minutes = replayed.predictions.groupby("ensemble_id")["candle_time"].agg(["min", "nunique"])
    assert dict(minutes["min"]) == {replayed.first: APRIL, replayed.winner: LATE}
    assert dict(minutes["nunique"]) == {
        replayed.first: (EVALUATED[2] - APRIL) / MINUTE, replayed.winner: (EVALUATED[2] - LATE) / MINUTE,
    }  # fmt: skip
    (row,) = replayed.acted[EVALUATED[1]]
    assert 0.1 < row["sequence_disagreements"] / row["sequence_minutes"] < 0.6
    assert row["loss"] == "brier"


def test_late_then_promoted_then_judged_by_the_clock_of_the_data(replayed):
    first, winner = replayed.first, replayed.winner
    told = Told(replayed, EVALUATED[2])
    (late,), (promoted,), (judged,) = (replayed.acted[at] for at in EVALUATED)
    assert (late["decision"], late["reason"]) == ("keep", "12.1 of 24 hours so far")
    assert (promoted["decision"], promoted["challenger_id"], promoted["since"]) == ("promote", winner, LATE)
    assert (judged["role"], judged["challenger_id"], judged["since"]) == ("shadow", first, EVALUATED[1])
    assert told.events[:2] == [
        (first, "replaced", "shadow", EVALUATED[1]), (winner, "promoted", "active", EVALUATED[1]),
    ]  # fmt: skip
    events = replayed.rows(
        "select ensemble_id, event, to_state, at_time from ensemble_events where evaluation_id is not null order by id"
    )
    assert [tuple(event.values()) for event in events] == told.events
    (live,) = replayed.rows("select id from active_ensembles where is_active")
    assert live["id"] == told.active
    assert replayed.rows("select * from ab_evaluations order by id") == [late, promoted, judged]


def test_the_guard_would_have_let_nothing_change_in_three_days(replayed):
    assert [row["decision"] for at in EVALUATED[:2] for row in replayed.guarded[at]] == ["keep", "keep"]
