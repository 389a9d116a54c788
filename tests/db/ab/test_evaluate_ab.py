"""evaluate_ab() on synthetic days: given predictions and outcomes -> the expected decision.

Ensemble 1 is active and right in 50 of 100 minutes, 2 is on test. tests/support/ab_days.py creates the days.
"""

import json

import psycopg
import pytest

from tests.support.ab_days import (
    AT,
    DAY,
    EVEN,
    HOUR,
    PAIRS,
    START,
    evaluate_one,
    evaluated,
    events,
    new_version,
    predicted,
    refused,
    setting,
    states,
)
from tests.support.deployment import MINUTE

LATER = AT + DAY
NOON = START + 12 * HOUR


def unmoved(db, minutes):
    """Make the price constant in the minutes m of the condition, and insert the active one's predictions again."""
    db.execute("delete from predictions")
    db.execute(
        "update candles_1m set (open, high, low, close) = (select 100, 100, 100, 100) where"
        f" (select extract(epoch from open_time - %(start)s)::bigint / 60 as m) in"
        f" (select m from generate_series(0, 7199) as m where {minutes.replace('%', '%%')})",
        {"start": START},
    )
    predicted(db, 1, EVEN)


def test_a_challenger_that_is_surely_better_is_promoted(duel):
    predicted(duel, 2, 58)
    row = evaluate_one(duel)
    assert (row.decision, row.symbol, row.active_id, row.challenger_id, row.role) == ("promote", "DEMO", 1, 2, "test")
    assert (row.at_time, row.window_from, row.since, row.pairs) == (AT, AT - DAY, START, PAIRS)
    assert (row.active_only_right, row.challenger_only_right) == (0, round(row.difference_1m * PAIRS))
    assert row.difference_1m == pytest.approx(0.08, abs=0.001)
    assert row.mcnemar_p == pytest.approx(2 * 0.5**row.challenger_only_right)
    assert (row.sequence_minutes, row.loss) == (PAIRS + 10, "squared_error")
    assert (row.promotion_margin, row.promotion_guard) == (0.005, "confidence")
    assert duel.execute("select * from ab_evaluations").fetchall() == [row]
    assert states(duel) == {1: "shadow", 2: "active"}
    assert events(duel) == [(1, "replaced", "active", "shadow", AT), (2, "promoted", "test", "active", AT)]
    found = duel.execute("select reason, evaluation_id from ensemble_events where evaluation_id is not null").fetchall()
    assert found == [(row.reason, row.id)] * 2
    assert duel.execute("select id from active_ensembles where is_active").fetchall() == [(2,)]


CASES = {  # name: (minutes in which 2 is right, settings, other change, decision, text in the reason, columns)
    "better by 8 points, no guard": (58, {"promotion_guard": "none"}, None, "promote", "better: ", {}),
    "the rule is met, the guard is not": (
        "m * 37 % 100 between 29 and 79", {}, None, "keep", "better, but not significant: ",
        {"active_only_right": 417, "challenger_only_right": 432, "pairs": PAIRS},
    ),
    "the same without the guard": (
        "m * 37 % 100 between 29 and 79", {"promotion_guard": "none"}, None, "promote", "better: ", {},
    ),
    "ahead by less than the margin": (58, {"promotion_margin": "0.09"}, None, "keep", "not better by the margin", {}),
    "ties: the same predictions": (
        EVEN, {"promotion_guard": "none", "promotion_margin": "0"}, None, "keep", "not better by the margin",
        {"difference_1m": 0, "difference_1m_low": 0, "difference_1m_high": 0, "mcnemar_p": None, "pairs": PAIRS,
         "active_only_right": 0, "challenger_only_right": 0, "sequence_disagreements": 0, "sequence_difference": 0,
         "loss_difference": 0, "loss_standard_error": 0},
    ),
    "clearly worse": (42, {}, None, "retire", "clearly worse: ", {"challenger_only_right": 0}),
    "clearly worse without the guard": (42, {"promotion_guard": "none"}, None, "retire", "clearly worse: ", {}),
    "undecided after its days": (51, {"ab_max_days": "1"}, None, "retire", "undecided after 1 days (ab_max_days)", {}),
    "undecided before": (51, {"ab_max_days": "2"}, None, "keep", "better, but not significant", {}),
    "better after its days": (58, {"ab_max_days": "1"}, None, "promote", "better: ", {}),
    "nothing predicted": (None, {}, None, "keep", "no minute", {
        "pairs": 0, "since": None, "loss": None, "difference": None, "sequence_low": -1, "sequence_high": 1}),
    # a gap in the candles: minutes whose outcome is in the gap do not count
    "a gap of an hour": (58, {}, f"delete from candles_1m where open_time >= '{NOON}' and open_time < '{NOON + HOUR}'",
        "promote", "better: ", {"pairs": PAIRS - 60}),
    "a gap of three hours": (58, {}, f"delete from candles_1m where open_time between '{NOON}' and '{NOON + 3 * HOUR}'",
        "keep", "1258 of 1300 paired minutes", {"pairs": PAIRS - 181, "since": START}),
    "no outcome in its first hour": (58, {}, f"delete from candles_1m where open_time < '{START + HOUR}'",
        "keep", "23.1 of 24 hours", {"since": START + 59 * MINUTE}),
    "a gap that is allowed": (58, {"ab_min_pairs": "1258"},
        f"delete from candles_1m where open_time between '{NOON}' and '{NOON + 3 * HOUR}'",
        "promote", "better: ", {"pairs": PAIRS - 181}),
    "the active one missed three hours": (58, {},
        f"delete from predictions where ensemble_id = 1 and candle_time between '{NOON}' and '{NOON + 3 * HOUR}'",
        "keep", "1258 of 1300", {}),
    "candles repaired after one of both predicted": (58, {},
        f"update predictions set reference_close = 99 where ensemble_id = 2 and candle_time >= '{NOON + 9 * HOUR}'",
        "keep", "1250 of 1300", {}),
    # minutes that are not out-of-sample, or before both are in their states
    "trained on minutes before noon": (58, {}, f"update model_versions set training_to = '{NOON - 5 * MINUTE}'",
        "keep", "12.1 of 24 hours", {"since": NOON, "pairs": 729}),
    "the active one alone trained on it": (58, {}, "trained later", "keep", "12.1 of 24 hours", {"since": NOON}),
    "on test since noon": (58, {}, f"update active_ensembles set changed_at = '{NOON}' where id = 2",
        "keep", "12.1 of 24 hours", {"since": NOON, "pairs": 729, "sequence_minutes": 729}),
    "on test since this very minute": (58, {},
        f"update active_ensembles set changed_at = '{AT + MINUTE / 2}' where id = 2",
        "keep", "no minute has predictions of both", {"pairs": 0}),
    "on test from the next minute on, as in a replay": (58, {},
        f"update active_ensembles set changed_at = '{AT + MINUTE}' where id = 2", "promote", "better: ", {}),
    "active since noon": (58, {}, f"update active_ensembles set changed_at = '{NOON}' where id = 1",
        "keep", "12.1 of 24 hours", {"since": NOON}),
    "on test for 30 days, never predicted": (None, {},
        f"update active_ensembles set changed_at = '{AT - 30 * DAY}' where id in (1, 2)",
        "retire", "undecided after 30 days (ab_max_days): no minute has predictions of both", {"pairs": 0}),
    "no ensemble is active": (58, {}, "update active_ensembles set is_active = false where id = 1",
        "keep", "no ensemble is active for DEMO, so there is nothing to compare with", {"active_id": None, "pairs": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_decision_of_each_case(duel, name):
    right, settings, change, decision, message, columns = CASES[name]
    if right is not None:
        predicted(duel, 2, right)
    for setting_name, value in settings.items():
        setting(duel, setting_name, value)
    if change == "trained later":
        version = new_version(duel, "lgbm")
        duel.execute("update model_versions set training_to = %s where id = %s", (NOON - 5 * MINUTE, version))
        duel.execute("update active_ensembles set lgbm_version_id = %s where id = 1", (version,))
    elif change:
        duel.execute(change)
    before = states(duel)
    row = evaluate_one(duel)
    assert (row.decision, row.challenger_id) == (decision, 2)
    assert message in row.reason
    assert {column: getattr(row, column) for column in columns} == columns
    after = {"keep": before, "promote": {1: "shadow", 2: "active"}, "retire": before | {2: "retired"}}
    assert states(duel) == after[decision]


@pytest.mark.parametrize(
    ("began", "decision", "since", "pairs"),
    [
        (AT - DAY + 6 * MINUTE, "keep", "23.9 of 24 hours so far", PAIRS - 6),
        (AT - DAY, "promote", "better: ", PAIRS),
        (AT - DAY - 5 * MINUTE, "promote", "better: ", PAIRS),
    ],
)
def test_a_late_challenger_waits_for_24_hours(duel, began, decision, since, pairs):
    predicted(duel, 2, 58, since=began)
    row = evaluate_one(duel)
    assert (row.decision, row.since, row.pairs) == (decision, began, pairs)
    assert row.reason.startswith(since)


def test_in_a_flat_market_the_decision_is_keep(duel):
    unmoved(duel, "true")
    predicted(duel, 2, 58)
    row = evaluate_one(duel)
    assert (row.decision, row.reason) == ("keep", "the price did not change in the last 24 hours")
    assert (row.pairs, row.sequence_minutes, row.difference_1m, row.difference) == (PAIRS, 0, None, None)
    assert (row.active_only_right, row.challenger_only_right, row.mcnemar_p) == (0, 0, None)
    assert (row.loss, row.loss_difference) == ("squared_error", 0), "the squared error exists without a direction"


def test_flat_minutes_count_as_pairs_and_not_as_hits(duel):
    """The price is constant in two of three minutes. So it changes into and out of each third minute only."""
    unmoved(duel, "m % 3 > 0")
    predicted(duel, 2, 70)
    row = evaluate_one(duel)
    moving = 959
    assert (row.decision, row.pairs) == ("promote", PAIRS)
    (counted,) = duel.execute(
        "select count(*) filter (where direction_hit) as hits, count(direction_hit) as rows from prediction_outcomes"
        " where ensemble_id = 2 and candle_time >= %s and target_time < %s",
        (AT - DAY, AT),
    )
    assert counted.rows == moving
    assert row.challenger_accuracy_1m == pytest.approx(counted.hits / counted.rows)


def test_forecasts_of_exactly_0_are_never_right(duel):
    predicted(duel, 2, EVEN)
    duel.execute("update predictions set predicted_close = 0 where ensemble_id = 2")
    row = evaluate_one(duel)
    assert (row.decision, row.challenger_accuracy_1m) == ("retire", 0)
    assert row.sequence_disagreements == row.sequence_minutes == PAIRS + 10


def test_two_forecasts_of_exactly_0_agree(duel):
    predicted(duel, 2, EVEN)
    duel.execute("update predictions set predicted_close = 0")
    row = evaluate_one(duel)
    assert (row.decision, row.sequence_disagreements, row.active_accuracy_1m) == ("keep", 0, 0)


def test_a_symbol_without_a_test_has_no_row(duel):
    predicted(duel, 2, 58)
    other = duel.execute(
        "select create_ensemble(mamba_version_id, lgbm_version_id, 0.7, false, 'OTHER') as id from active_ensembles"
        " where id = 1"
    ).fetchone()
    duel.execute("update active_ensembles set is_active = true where id = %s", other)
    assert evaluate_one(duel).symbol == "DEMO"
    assert duel.execute("select id from active_ensembles where is_active order by id").fetchall() == [(2,), other]


def test_without_a_test_there_are_no_evaluations(duel):
    duel.execute("select withdraw_ensemble(2)")
    assert evaluated(duel) == {}
    assert duel.execute("select count(*) from ab_evaluations").fetchone() == (0,)


@pytest.mark.parametrize("function", ["evaluate_ab", "preview_ab"])
@pytest.mark.parametrize(
    ("at", "sqlstate"),
    [
        ("infinity", "CC022"),
        ("-infinity", "CC017"),
        ("4000-01-01 BC", "CC017"),
        ("9999-12-31", "CC022"),
        ("20000-01-01", "CC017"),
        ("0001-01-01", "CC017"),
    ],
)
def test_a_future_or_invalid_time_is_rejected(duel, function, at, sqlstate):
    assert refused(duel, at, function).sqlstate == sqlstate


def test_the_next_minute_is_rejected(duel):
    soon = duel.execute("select clock_timestamp() + interval '1 minute' as at").fetchone().at
    error = refused(duel, soon)
    assert error.sqlstate == "CC022"
    assert "is in the future" in str(error)


def test_without_a_time_the_evaluation_is_of_now(duel):
    predicted(duel, 2, 58)
    before = duel.execute("select date_trunc('minute', clock_timestamp()) as at").fetchone().at
    row = evaluate_one(duel, None)
    assert before <= row.at_time <= before + 2 * MINUTE
    assert (row.decision, row.reason) == (
        "keep",
        "no minute has predictions of both ensembles and an outcome yet; if this lasts, see inference_runs",
    )


def test_seconds_of_at_time_are_truncated(duel):
    predicted(duel, 2, 58)
    assert evaluate_one(duel, AT + 0.9 * MINUTE).at_time == AT


@pytest.mark.parametrize("right", [58, 42, "m * 37 % 100 between 29 and 79"])
def test_a_preview_equals_the_evaluation_and_writes_nothing(duel, right):
    predicted(duel, 2, right)
    before = states(duel)
    preview = evaluated(duel, function="preview_ab")[2]
    assert (preview.id, preview.evaluated_at) == (None, None)
    assert duel.execute("select count(*) from ab_evaluations").fetchone() == (0,)
    assert states(duel) == before
    row = evaluate_one(duel)
    assert row._replace(id=None, evaluated_at=None) == preview


def test_a_reader_may_preview_in_a_read_only_transaction(committed_duel, connect_as, duel_url):
    predicted(committed_duel, 2, 58)
    reader = connect_as("candlecast_reader", duel_url)
    reader.execute("set default_transaction_read_only = on")
    assert reader.execute("select decision from preview_ab(%s)", (AT,)).fetchall() == [("promote",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("select * from evaluate_ab(%s)", (AT,))


def test_rows_that_were_written_late_count(duel):
    """created_at does not matter: all rows were written months after their minutes."""
    assert evaluate_one(duel).decision == "keep"
    predicted(duel, 2, 58)
    written = duel.execute("select min(created_at) as first from predictions where ensemble_id = 2").fetchone()
    assert written.first > LATER
    assert evaluate_one(duel).decision == "promote"


def test_candles_and_predictions_after_at_time_do_not_count(duel):
    predicted(duel, 2, 58)
    whole = evaluated(duel, function="preview_ab")[2]
    duel.execute("delete from candles_1m where open_time >= %s", (AT,))
    duel.execute("delete from predictions where candle_time >= %s", (AT,))
    assert evaluated(duel, function="preview_ab")[2] == whole


def test_figures_exist_per_horizon_and_pooled(duel):
    duel.execute("delete from predictions")
    for ensemble, right in ((1, "m * 37 % 100 < 50"), (2, "m * 37 % 100 < 50 + h * 2")):
        for horizon in range(1, 6):
            predicted(duel, ensemble, right.replace("h", str(horizon)), horizons=(horizon,))
    row = evaluate_one(duel)
    rows = duel.execute(
        "select ensemble_id, horizon, count(*) as rows, count(*) filter (where direction_hit) as hits,"
        " sum(1e8 * error ^ 2) as squared_errors from prediction_outcomes"
        " where candle_time >= %s and target_time < %s and actual_price is not null group by 1, 2",
        (AT - DAY, AT),
    ).fetchall()
    counted = {(one.ensemble_id, one.horizon): one for one in rows}
    documents = row.by_horizon if isinstance(row.by_horizon, list) else json.loads(row.by_horizon)
    for horizon, figures in enumerate(documents, start=1):
        assert counted[1, horizon].rows == 1_440 - horizon
        assert figures["active"] == pytest.approx(counted[1, horizon].hits / counted[1, horizon].rows)
        assert figures["challenger"] == pytest.approx(counted[2, horizon].hits / counted[2, horizon].rows)
        assert figures["difference"] == pytest.approx(0.02 * horizon, abs=0.002)
    cells = sum(counted[1, horizon].rows for horizon in range(1, 6))
    hits, errors = (
        [sum(getattr(counted[one, horizon], name) for horizon in range(1, 6)) / cells for one in (1, 2)]
        for name in ("hits", "squared_errors")
    )
    assert [row.active_accuracy, row.challenger_accuracy] == pytest.approx(hits)
    assert row.difference == pytest.approx(hits[1] - hits[0])
    assert (row.loss, row.loss_difference) == ("squared_error", pytest.approx(errors[1] - errors[0]))
