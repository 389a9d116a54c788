"""Notifications on the channel candlecast: every committed change of state, and failed runs."""

import json

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.support.ab_days import AT, DAY, evaluate_one, new_version, predicted, put_on_test, setting, share, states
from tests.support.deployment import MINUTE, NEWEST, create, in_backend


class Listener:
    """A separate connection that listens."""

    def __init__(self, connection):
        self.connection = connection
        connection.execute("listen candlecast")

    def received(self):
        """The notifications so far, as dicts. Those of earlier commits are available immediately."""
        self.connection.execute("select 1")
        return [json.loads(one.payload) for one in self.connection.notifies(timeout=0.2)]


@pytest.fixture
def listener(duel_url):
    with psycopg.connect(duel_url, autocommit=True) as connection:
        yield Listener(connection)


@pytest.fixture
def live_listener(live_url):
    with psycopg.connect(live_url, autocommit=True) as connection:
        yield Listener(connection)


def of_change(event, ensemble, before, after):
    return {"event": event, "symbol": "DEMO", "ensemble_id": ensemble, "from_state": before, "to_state": after}


def without(message, *keys):
    return {key: value for key, value in message.items() if key not in keys}


def test_a_promotion_and_its_rollback_a_day_later(committed_duel, listener):
    predicted(committed_duel, 2, f"case when m <= 1450 then {share(58)} else {share(40)} end")
    assert listener.received() == []
    for at, decision, changes in (
        (AT, "promote", [("replaced", 1, "active", "shadow"), ("promoted", 2, "test", "active")]),
        (AT + DAY, "roll_back", [("rolled_back", 2, "active", "retired"), ("restored", 1, "shadow", "active")]),
    ):
        row = evaluate_one(committed_duel, at)
        assert row.decision == decision
        received = listener.received()
        assert [without(one, "at_time", "reason") for one in received] == [of_change(*change) for change in changes]
        assert {(one["at_time"], one["reason"]) for one in received} == {(at.isoformat(), row.reason)}


def test_a_retirement_is_sent(committed_duel, listener):
    predicted(committed_duel, 2, 42)
    row = evaluate_one(committed_duel)
    (message,) = listener.received()
    assert without(message, "at_time") == of_change("retired", 2, "test", "retired") | {"reason": row.reason}
    assert row.reason.startswith("clearly worse")


def test_a_refused_winner_is_sent(committed_duel, listener):
    predicted(committed_duel, 2, 58)
    lgbm = new_version(committed_duel, "lgbm", "jsonb_set(facts, '{golden,scaled_returns,0,0}', '7')")
    committed_duel.execute("update active_ensembles set lgbm_version_id = %s where id = 2", (lgbm,))
    row = evaluate_one(committed_duel)
    assert row.decision == "refuse"
    assert listener.received() == [
        {"event": "refused", "symbol": "DEMO", "ensemble_id": 2, "at_time": AT.isoformat(), "reason": row.reason}
    ]


def test_manual_changes_are_sent(committed_duel, listener):
    for call, changes in (
        ("test_ensemble(3)", [("tested", 3, "waiting", "test")]),
        ("test_ensemble(3)", []),
        ("withdraw_ensemble(3)", [("withdrawn", 3, "test", "retired")]),
        ("activate_ensemble(3)", [("replaced", 1, "active", "retired"), ("activated", 3, "retired", "active")]),
        ("rollback_ensemble('DEMO')", [("rolled_back", 3, "active", "retired"), ("restored", 1, "retired", "active")]),
    ):
        committed_duel.execute(f"select {call}")
        assert [without(one, "at_time", "reason") for one in listener.received()] == [
            of_change(*change) for change in changes
        ]
    put_on_test(committed_duel, 4)
    (message,) = listener.received()
    assert without(message, "at_time") == of_change("changed", 4, "waiting", "test") | {
        "reason": "changed directly in the table"
    }


def test_without_a_committed_change_nothing_is_sent(committed_duel, listener):
    predicted(committed_duel, 2, 58)
    committed_duel.execute("select * from preview_ab(%s)", (AT,))
    with committed_duel.transaction(force_rollback=True):
        assert evaluate_one(committed_duel).decision == "promote"
    setting(committed_duel, "promotion_margin", "0.5")
    assert evaluate_one(committed_duel).decision == "keep"
    committed_duel.execute(
        "select create_ensemble(mamba_version_id, lgbm_version_id, 0.9) from active_ensembles where id = 1"
    )
    assert listener.received() == []


@pytest.mark.parametrize("letter", ["x", '"', "é", "\U0001f56f", "\x01"])
def test_a_long_reason_is_truncated_in_any_encoding(committed_duel, listener, letter):
    """pg_notify accepts less than 8,000 bytes. Its error would roll back the change."""
    committed_duel.execute(
        "update active_ensembles set is_retired = true, is_test = false, change_event = 'retired',"
        " changed_at = clock_timestamp(), change_reason = %s where id = 2",
        (letter * 20_000,),
    )
    (message,) = listener.received()
    assert set(message["reason"]) == {letter}
    assert len(message["reason"]) == 1_000
    assert states(committed_duel) == {1: "active", 2: "retired"}


def test_a_failed_run_is_sent(live, live_listener):
    gap = NEWEST - 10 * MINUTE
    live.execute("delete from candles_1m where open_time = %s", (gap,))
    live.execute("call run_inference(%s)", (NEWEST,))
    (message,) = live_listener.received()
    assert without(message, "reason") == {
        "event": "inference_failed", "symbol": "DEMO", "ensemble_id": 1, "candle_time": NEWEST.isoformat(),
        "sqlstate": "CC003",
    }  # fmt: skip
    assert "2026-05-02 11:49:00+00" in message["reason"]
    live.execute("call run_inference(%s)", (NEWEST + MINUTE,))
    live.execute("call run_inference(%s)", (gap - MINUTE,))
    assert live_listener.received() == [], "neither a missing candle nor a predicted minute is a failure"


def test_a_run_that_could_not_start_is_sent(live, live_listener):
    in_backend(live, "import os; os.environ['ML_DEVICE'] = 5000 * '\U0001f9ee'")
    live.execute("call run_inference(%s)", (NEWEST,))
    (message,) = live_listener.received()
    assert (message["event"], message["symbol"], message["sqlstate"]) == ("inference_failed", None, "CC013")
    assert message["reason"].startswith("setting device = '\U0001f9ee")
    assert len(message["reason"]) == 1_000


def test_a_lost_run_is_sent(live, live_listener):
    live.execute(
        "insert into inference_runs (symbol, ensemble_id, candle_time, status, backend_pid)"
        " values ('DEMO', 1, %s, 'running', 0)",
        (NEWEST - MINUTE,),
    )
    live.execute("call run_inference(%s)", (NEWEST,))
    (message,) = live_listener.received()
    assert message == {
        "event": "inference_lost", "symbol": "DEMO", "ensemble_id": 1, "sqlstate": None,
        "candle_time": (NEWEST - MINUTE).isoformat(),
        "reason": "the database session ended before the run finished",
    }  # fmt: skip


def predicting(db, at):
    db.execute("call run_inference(%s)", (at,))
    return [
        row.ensemble_id
        for row in db.execute("select distinct ensemble_id from predictions where candle_time = %s order by 1", (at,))
    ]


def test_max_test_ensembles_keeps_the_longest_on_test(live, artifacts):
    first, second, third = (create(live, artifacts, weight, is_test=True) for weight in (0.1, 0.2, 0.3))
    assert predicting(live, NEWEST) == [1, first, second, third]
    with pytest.raises(psycopg.Error, match=r"already has as many on test as max_test_ensembles allows \(3\)") as error:
        create(live, artifacts, 0.4, is_test=True)
    assert error.value.sqlstate == "CC021"
    assert error.value.diag.message_primary.startswith("plpy.Error: the new ensemble cannot be put on test")
    assert error.value.diag.message_detail == (
        f"On test: {first}, {second}, {third}. The ensemble was not created. To create it without a test, omit is_test."
    )
    assert "withdraw_ensemble(id)" in error.value.diag.message_hint
    assert live.execute("select count(*) as rows from active_ensembles").fetchone().rows == 4, "it was not created"
    assert create(live, artifacts, 0.2, is_test=True) == second, "it exists already"

    live.execute("select withdraw_ensemble(%s)", (first,))
    live.execute("select test_ensemble(%s)", (first,))
    setting(live, "max_test_ensembles", "2")
    assert predicting(live, NEWEST - MINUTE) == [1, second, third], "the first one was put on test last"
    setting(live, "max_test_ensembles", "0")
    assert predicting(live, NEWEST - 2 * MINUTE) == [1]
    assert states(live) == {1: "active", first: "test", second: "test", third: "test"}
    live.execute("select withdraw_ensemble(%s)", (second,))
    with pytest.raises(psycopg.Error, match=r"max_test_ensembles allows \(0\)") as error:
        live.execute("select test_ensemble(%s)", (second,))
    assert error.value.sqlstate == "CC021"
    setting(live, "max_test_ensembles", "4")
    fourth = create(live, artifacts, 0.4, is_test=True)
    assert predicting(live, NEWEST - 3 * MINUTE) == [1, first, third, fourth]


def test_a_shadow_predicts_in_addition_to_max_test_ensembles(live, artifacts):
    tests = [create(live, artifacts, weight, is_test=True) for weight in (0.1, 0.2, 0.3)]
    shadow = create(live, artifacts, 0.4)
    live.execute("update active_ensembles set is_shadow = true where id = %s", (shadow,))
    assert predicting(live, NEWEST) == [1, *tests, shadow]
    with psycopg.connect(live.info.dsn, row_factory=namedtuple_row) as other:
        served = other.execute("select distinct ensemble_id from predict_now('DEMO')").fetchall()
    assert served == [(1,)], "predict_now() uses only the active one"
