"""ab_status, ensemble_history and ensemble_leaderboard, compared with an independent calculation."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from scipy.special import lambertw
from statsmodels.stats.proportion import proportion_confint

from tests.support.ab_days import (
    AT,
    DAY,
    EVEN,
    HOUR,
    START,
    evaluate_one,
    moving_candles,
    new_version,
    predicted,
    put_on_test,
    setting,
)
from tests.support.deployment import MINUTE

END = START + 5 * DAY
WINDOWS = {"1 h": HOUR, "24 h": DAY, "7 d": 7 * DAY}
RHO = 4_000 / (-lambertw(-(0.05**2) / math.e, k=-1).real - 1)


@pytest.fixture
def running(duel):
    """(Database, start): from two days ago to tomorrow, predicted by the active 1 and by 2, which is on test.

    The future minutes are for a test that runs while a minute begins. No view reads minutes in the future.
    """
    start = this_minute() - 2 * DAY
    duel.execute("delete from predictions")
    duel.execute("delete from candles_1m")
    moving_candles(duel, 3, start)
    for ensemble, right in ((1, 50), (2, 58)):
        predicted(duel, ensemble, right, since=start, until=start + 3 * DAY, start=start)
    duel.execute("update active_ensembles set changed_at = %s where id in (1, 2)", (start,))
    return duel, start


def this_minute():
    return datetime.now(UTC).replace(second=0, microsecond=0)


def status(db):
    return db.execute("select * from ab_status").fetchall()


def status_of_a_minute(db):
    """A minute of the clock, and the rows of ab_status within it."""
    while True:
        minute, rows = this_minute(), status(db)
        if this_minute() == minute:
            return minute, rows


def test_status_shows_the_figures_and_the_next_decision(running):
    db, start = running
    now, (row,) = status_of_a_minute(db)
    minutes = (now - start) // MINUTE - 1
    disagreements = sum(50 <= m * 37 % 100 < 58 for m in range(minutes))
    bound = math.sqrt((disagreements + RHO) * (math.log(disagreements / RHO + 1) - 2 * math.log(0.05)))
    assert (row.symbol, row.challenger_id, row.role, row.active_id) == ("DEMO", 2, "test", 1)
    assert (row.since, row.minutes, row.pairs) == (start, minutes, 1_439)
    assert row.difference == pytest.approx(disagreements / minutes)
    assert (row.low, row.high) == pytest.approx(((disagreements - bound) / minutes, (disagreements + bound) / minutes))
    last_day = range(minutes - 1_439, minutes)
    assert row.difference_24h == pytest.approx(sum(50 <= m * 37 % 100 < 58 for m in last_day) / len(last_day))
    assert row.outlook == "promote"
    assert row.why.startswith("better: ")
    assert row.ends_at == start + 30 * DAY
    ten_past = now.replace(hour=0, minute=10)
    assert row.next_evaluation == (ten_past if now < ten_past else ten_past + DAY)
    assert db.execute("select count(*) as rows from ab_evaluations").fetchone().rows == 0


def test_status_follows_the_settings(running):
    db, start = running
    setting(db, "promotion_margin", "0.2")
    setting(db, "ab_max_days", "5")
    (row,) = status(db)
    assert (row.outlook, row.ends_at) == ("keep", start + 5 * DAY)
    assert row.why.startswith("not better by the margin")


def test_status_follows_a_promotion(running):
    db, _ = running
    assert evaluate_one(db, None).decision == "promote"
    (row,) = status(db)
    assert (row.challenger_id, row.role, row.active_id, row.outlook, row.minutes) == (1, "shadow", 2, "keep", 0)


def test_status_is_empty_without_tests(running):
    db, _ = running
    db.execute("select withdraw_ensemble(2)")
    assert status(db) == []


def test_history_has_each_active_period_with_its_reasons(duel):
    predicted(duel, 2, 58)
    promotion = evaluate_one(duel)
    duel.execute("select activate_ensemble(3)")
    duel.execute("select rollback_ensemble('DEMO')")
    rows = duel.execute("select * from ensemble_history order by live_from").fetchall()
    by_hand = "ensemble 3 was activated by hand"
    back = "rolled back by hand to ensemble 2"
    assert [(row.ensemble_id, row.came_by, row.came_because, row.went_by, row.went_because) for row in rows] == [
        (1, "activated", "ensemble 1 was activated by hand", "replaced", promotion.reason),
        (2, "promoted", promotion.reason, "replaced", by_hand),
        (3, "activated", by_hand, "rolled_back", back),
        (2, "restored", back, None, None),
    ]
    assert {row.symbol for row in rows} == {"DEMO"}
    assert {row.changed_by for row in rows} == {duel.info.user}
    assert [row.evaluation_id for row in rows] == [None, promotion.id, None, None]
    assert rows[1].decided_at == AT, "the time of the evaluation, not of the call"
    assert all(row.decided_at - row.live_from < MINUTE for row in rows)
    # without a gap: one call replaces the active ensemble
    for earlier, later in pairwise(rows):
        assert earlier.live_from <= earlier.live_to <= later.live_from <= earlier.live_to + timedelta(seconds=5)
    assert rows[-1].live_to is None


def test_history_has_direct_changes_of_the_table(duel):
    duel.execute("update active_ensembles set is_active = false where id = 1")
    duel.execute("update active_ensembles set is_active = true where id = 4")
    rows = duel.execute("select ensemble_id, came_by, went_by from ensemble_history order by live_from").fetchall()
    assert rows == [(1, "activated", "changed"), (4, "changed", None)]


def counted(horizon, percent, since, window):
    """Rows, hits, accuracy and interval of an ensemble that predicts from `since` on, right in `percent` of 100."""
    first = max(since, END - WINDOWS[window])
    minutes = range((first - START) // MINUTE, (END - START) // MINUTE - horizon)
    hits, rows = sum(m * 37 % 100 < percent for m in minutes), len(minutes)
    low, high = proportion_confint(hits / horizon, rows / horizon, method="wilson")
    return rows, hits, hits / rows, low, high


def test_the_leaderboard_ranks_within_symbol_window_and_horizon(duel):
    put_on_test(duel, 3)
    late = END - 6 * HOUR
    predicted(duel, 1, 40, horizons=(5,))
    predicted(duel, 2, 60, since=START + DAY, horizons=(1, 5))
    predicted(duel, 3, 90, since=late)
    rows = duel.execute("select * from ensemble_leaderboard").fetchall()
    entered = {1: [(1, EVEN, 1, START), (2, 60, 1, START + DAY), (3, 90, 1, late)]}
    entered[5] = [(1, 40, 5, START), (2, 60, 5, START + DAY)]
    expected = []
    for window in WINDOWS:
        for horizon, ensembles in entered.items():
            figures = [(one, *counted(horizon, percent, since, window)) for one, percent, _, since in ensembles]
            ranked = sorted(figures, key=lambda one: -one[3])
            expected += [(window, horizon, place, *one) for place, one in enumerate(ranked, start=1)]
    assert len(rows) == len(expected) == 15
    for row, other in zip(rows, expected, strict=True):
        assert (row.time_window, row.horizon, row.place, row.ensemble_id, row.rows, row.hits) == other[:6]
        assert (row.accuracy, row.low, row.high) == pytest.approx(other[6:])
    assert {(row.ensemble_id, row.state) for row in rows} == {(1, "active"), (2, "test"), (3, "test")}


def test_the_leaderboard_counts_only_out_of_sample_minutes(duel):
    predicted(duel, 2, 60)
    version = new_version(duel, "mamba")
    duel.execute("update model_versions set training_to = %s where id = %s", (END - 2 * HOUR - 5 * MINUTE, version))
    duel.execute("update active_ensembles set mamba_version_id = %s where id = 2", (version,))
    rows = duel.execute("select ensemble_id, time_window, rows from ensemble_leaderboard").fetchall()
    assert {tuple(row) for row in rows} == {
        (1, "1 h", 59), (1, "24 h", 1_439), (1, "7 d", 7_199), (2, "1 h", 59), (2, "24 h", 119), (2, "7 d", 119),
    }  # fmt: skip


def test_ties_share_a_rank_and_flat_minutes_do_not_count(duel):
    predicted(duel, 2, EVEN)
    last = "open_time >= timestamptz '2026-05-05 23:30:00+00'"
    duel.execute(f"update candles_1m set (open, high, low, close) = (select 100, 100, 100, 100) where {last}")
    duel.execute("update predictions set reference_close = 100 where candle_time >= '2026-05-05 23:30:00+00'")
    rows = duel.execute("select place, rows from ensemble_leaderboard where time_window = '1 h'").fetchall()
    assert rows == [(1, 30), (1, 30)]


def test_a_reader_can_read_the_views(committed_duel, duel_url, connect_as):
    predicted(committed_duel, 2, 58)
    reader = connect_as("candlecast_reader", duel_url)
    assert len(reader.execute("select * from ab_status").fetchall()) == 1
    assert len(reader.execute("select * from ensemble_history").fetchall()) == 1
    assert len(reader.execute("select * from ensemble_leaderboard").fetchall()) == 6
