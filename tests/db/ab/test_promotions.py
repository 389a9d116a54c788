"""Decisions over several days: two winners, refusals, shadows, the cooldown, and repeated evaluations.

Ensemble 1 is active and right in 50 of 100 minutes, 2 is on test. tests/support/ab_days.py creates the days.
"""

import psycopg
import pytest

from tests.support.ab_days import (
    AT,
    DAY,
    HOUR,
    PAIRS,
    START,
    evaluate_one,
    evaluated,
    events,
    new_version,
    predicted,
    put_on_test,
    setting,
    share,
    states,
)
from tests.support.deployment import MINUTE

LATER = AT + DAY


def given_other_test_vectors(db, ensemble):
    mamba = new_version(db, "mamba", "jsonb_set(facts, '{golden,scaled_returns,0,0}', '7')")
    db.execute("update active_ensembles set mamba_version_id = %s where id = %s", (mamba, ensemble))


def damaged(db, ensemble):
    lgbm = new_version(db, "lgbm", "facts")
    db.execute(
        "update model_artifacts set content = set_byte(content, 50, get_byte(content, 50) # 255)"
        " where model_version_id = %s",
        (lgbm,),
    )
    db.execute("update active_ensembles set lgbm_version_id = %s where id = %s", (lgbm, ensemble))


def test_the_better_of_two_winners_is_promoted(duel):
    put_on_test(duel, 3)
    predicted(duel, 2, 58)
    predicted(duel, 3, 60)
    rows = evaluated(duel)
    assert {challenger: row.decision for challenger, row in rows.items()} == {2: "keep", 3: "promote"}
    assert rows[2].reason == "ensemble 3 has just become active: compared with it from now on"
    assert rows[2].difference_1m == pytest.approx(0.08, abs=0.001), "its row compares it with the previous active one"
    assert states(duel) == {1: "shadow", 2: "test", 3: "active"}
    rows = evaluated(duel, LATER)
    assert {challenger: row.decision for challenger, row in rows.items()} == {1: "retire", 2: "keep"}
    assert (rows[2].active_id, rows[2].since, rows[2].sequence_minutes) == (3, AT, PAIRS)
    assert rows[2].difference_1m == pytest.approx(-0.02, abs=0.001)
    assert states(duel) == {1: "retired", 2: "test", 3: "active"}


def test_a_clearly_worse_one_is_retired_with_a_promotion(duel):
    put_on_test(duel, 3)
    predicted(duel, 2, 42)
    predicted(duel, 3, 58)
    assert {challenger: row.decision for challenger, row in evaluated(duel).items()} == {2: "retire", 3: "promote"}
    assert states(duel) == {1: "shadow", 2: "retired", 3: "active"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (given_other_test_vectors, "mamba version other does not reproduce its test vectors"),
        (damaged, "is damaged"),
    ],
)
def test_a_damaged_winner_is_refused_the_next_is_promoted(duel, damage, message):
    put_on_test(duel, 3)
    predicted(duel, 2, 58)
    predicted(duel, 3, 62)
    damage(duel, 3)
    rows = evaluated(duel)
    assert {challenger: row.decision for challenger, row in rows.items()} == {2: "promote", 3: "refuse"}
    assert message in rows[3].reason
    assert "Result of the comparison: better: ensemble 3 was right in 61.92 %" in rows[3].reason
    assert states(duel) == {1: "shadow", 2: "active", 3: "test"}


def test_if_the_only_winner_is_refused_nothing_changes(duel):
    predicted(duel, 2, 58)
    damaged(duel, 2)
    assert (evaluate_one(duel).decision, evaluate_one(duel).decision) == ("refuse", "refuse")
    assert states(duel) == {1: "active", 2: "test"}
    assert events(duel) == []


def promoted_then(db, right):
    """Promote 2 at AT; after that it is right in `right` of 100 minutes."""
    predicted(db, 2, f"case when m <= 1450 then {share(58)} else {share(right)} end")
    assert evaluate_one(db).decision == "promote"


def test_a_promotion_that_is_worse_the_next_day_is_rolled_back(duel):
    promoted_then(duel, 40)
    noon = evaluate_one(duel, AT + 12 * HOUR)
    assert (noon.decision, noon.role, noon.reason) == ("keep", "shadow", "12.0 of 24 hours so far")
    row = evaluate_one(duel, LATER)
    assert (row.decision, row.role, row.active_id, row.challenger_id) == ("roll_back", "shadow", 2, 1)
    assert (row.since, row.pairs) == (AT, PAIRS)
    assert row.difference_1m == pytest.approx(0.1, abs=0.001)
    assert states(duel) == {1: "active", 2: "retired"}
    assert events(duel)[2:] == [
        (2, "rolled_back", "active", "retired", LATER), (1, "restored", "shadow", "active", LATER),
    ]  # fmt: skip
    assert duel.execute("select id from active_ensembles where rolled_back_at is not null").fetchall() == [(2,)]
    assert evaluated(duel, LATER) == {}


def test_a_promotion_that_is_better_the_next_day_is_confirmed(duel):
    promoted_then(duel, 58)
    row = evaluate_one(duel, LATER)
    assert row.decision == "retire"
    confirmed = "the promotion of ensemble 2 is confirmed"
    assert row.reason.startswith(f"{confirmed}: clearly worse: ensemble 1 was right in 49.97 %")
    assert states(duel) == {1: "retired", 2: "active"}
    assert events(duel)[2:] == [(1, "retired", "shadow", "retired", LATER)]


@pytest.mark.parametrize(("guard", "decision"), [("confidence", "retire"), ("none", "roll_back")])
def test_a_slightly_better_shadow_returns_only_without_the_guard(duel, guard, decision):
    promoted_then(duel, 1)
    duel.execute("delete from predictions where ensemble_id = 2 and candle_time >= %s", (AT,))
    predicted(duel, 2, "m * 37 % 100 between 31 and 79", since=AT)
    setting(duel, "promotion_guard", guard)
    row = evaluate_one(duel, LATER)
    assert (row.decision, row.difference_1m > 0.005, row.difference_1m_low > 0) == (decision, True, False)


def test_a_shadow_with_too_few_pairs_waits(duel):
    promoted_then(duel, 40)
    duel.execute("delete from predictions where candle_time between %s and %s", (AT + HOUR, AT + 4 * HOUR))
    row = evaluate_one(duel, LATER)
    assert (row.decision, row.reason) == (
        "keep",
        "1258 of 1300 paired minutes in the last 24 hours (ab_min_pairs)",
    )
    assert states(duel) == {1: "shadow", 2: "active"}
    assert evaluate_one(duel, LATER + 5 * HOUR).decision == "roll_back"


def test_a_manual_activation_retires_the_shadow(duel):
    promoted_then(duel, 58)
    duel.execute("select activate_ensemble(3)")
    assert states(duel) == {1: "retired", 2: "retired", 3: "active"}
    reason = duel.execute("select change_reason from active_ensembles where id = 1").fetchone().change_reason
    assert reason == "ensemble 3 became active: this comparison ends"


def test_a_promotion_retires_a_waiting_shadow(duel):
    promoted_then(duel, 58)
    duel.execute("delete from predictions where ensemble_id = 1 and candle_time >= %s", (AT + HOUR,))
    put_on_test(duel, 3)
    predicted(duel, 3, 70)
    rows = evaluated(duel, LATER)
    assert {one: row.decision for one, row in rows.items()} == {1: "retire", 3: "promote"}
    assert rows[1].reason == "ensemble 3 has just become active: this comparison ends"
    assert states(duel) == {1: "retired", 2: "shadow", 3: "active"}
    assert [event[:2] for event in events(duel)[2:]] == [(1, "retired"), (2, "replaced"), (3, "promoted")]


@pytest.mark.parametrize(("cooldown", "next_day"), [("48 h", "keep"), ("24 h", "promote"), ("none", "promote")])
def test_there_is_no_promotion_during_the_cooldown(duel, cooldown, next_day):
    setting(duel, "promotion_cooldown", cooldown)
    promoted_then(duel, 58)
    put_on_test(duel, 3)
    predicted(duel, 3, 70)
    row = evaluated(duel, LATER)[3]
    assert row.decision == next_day
    if next_day == "keep":
        assert row.reason.endswith("; promotion_cooldown allows no promotion before 2026-05-04 00:10:00+00")
        assert evaluated(duel, LATER + DAY - MINUTE)[3].decision == "keep"
        assert evaluated(duel, LATER + DAY)[3].decision == "promote"
    assert states(duel)[3] == "active"


def test_a_repeated_evaluation_does_not_revert_the_first(duel):
    predicted(duel, 2, "m * 37 % 100 between 29 and 79")
    one, two = evaluate_one(duel), evaluate_one(duel)
    assert one._replace(id=two.id, evaluated_at=two.evaluated_at) == two
    assert two.id > one.id
    assert two.evaluated_at > one.evaluated_at
    duel.execute("delete from predictions where ensemble_id = 2")
    promoted_then(duel, 58)
    again = evaluate_one(duel)
    assert (again.role, again.decision) == ("shadow", "keep")
    assert again.reason == (
        "no minute has predictions of both ensembles and an outcome yet; if this lasts, see inference_runs"
    )
    assert states(duel) == {1: "shadow", 2: "active"}
    assert duel.execute("select decision from ab_evaluations order by id").fetchall() == [
        ("keep",), ("keep",), ("promote",), ("keep",),
    ]  # fmt: skip


def test_after_a_later_change_an_earlier_time_decides_nothing(duel):
    promoted_then(duel, 58)
    put_on_test(duel, 3)
    predicted(duel, 3, 70, since=START - DAY)
    setting(duel, "promotion_cooldown", "none")
    rows = evaluated(duel, AT - MINUTE)
    assert {row.decision for row in rows.values()} == {"keep"}
    message = "an ensemble changed its state after at_time, at 2026-05-02 00:10:00+00: no decision for the past"
    assert {row.reason for row in rows.values()} == {message}
    assert states(duel) == {1: "shadow", 2: "active", 3: "test"}


def test_an_earlier_time_does_not_undo_a_manual_change(duel):
    """If an ensemble was created after at_time, the evaluation is a replay and uses the current states."""
    predicted(duel, 2, 58)
    predicted(duel, 3, 40)
    duel.execute("select activate_ensemble(3)")
    before = states(duel)
    duel.execute("update active_ensembles set created_at = %s", (START - DAY,))
    row = evaluate_one(duel)
    assert (row.decision, row.active_id) == ("keep", 3)
    assert row.reason.endswith(": no decision for the past")
    assert states(duel) == before
    duel.execute("update active_ensembles set created_at = %s where id = 3", (AT + MINUTE,))
    assert evaluate_one(duel).decision == "promote", "3 was created after at_time: a replay"


def test_a_rollback_skips_an_ensemble_that_failed_its_test(duel):
    setting(duel, "promotion_guard", "none")
    duel.execute("select activate_ensemble(3); select activate_ensemble(2); select test_ensemble(3)")
    predicted(duel, 2, 58)
    predicted(duel, 3, 40)
    assert evaluate_one(duel).decision == "retire"
    assert duel.execute("select rollback_ensemble('DEMO')").fetchone()[0] == 1, "although 3 was active later"


def test_a_shadow_cannot_be_put_on_test(duel):
    promoted_then(duel, 58)
    with pytest.raises(psycopg.Error, match="ensemble 1 is in shadow") as error, duel.transaction():
        duel.execute("select test_ensemble(1)")
    assert error.value.sqlstate == "CC023"
    assert "rollback_ensemble" in error.value.diag.message_hint
    assert states(duel) == {1: "shadow", 2: "active"}
