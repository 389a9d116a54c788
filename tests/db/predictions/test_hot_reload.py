"""Ten open connections predict during promotions, rollbacks and new candles.

Each result and each stored row is of the ensemble that was active in its snapshot. The test uses no clock.
"""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg
import pytest

from tests.support.artifacts import make_artifacts
from tests.support.deployment import MINUTE, NEWEST, load_demo
from tests.support.lifecycle import add_day, check, connect, judge_daily, pair, states

CONNECTIONS = 10
ACTIVE = "select id from active_ensembles where symbol = 'DEMO' and is_active"
PREDICT = "select candle_time, horizon, ensemble_id, predicted_close from predict_now('DEMO')"


@dataclass
class Seen:
    """Results of one connection as (candle_time, ensemble); ``verified``: those checked in their own snapshot."""

    verified: set = field(default_factory=set)
    answered: set = field(default_factory=set)
    snapshots: int = 0
    answers: int = 0


class Changes:
    """The active ensembles in order. `begun` grows before a change starts, `committed` after its commit."""

    def __init__(self, first):
        self.begun, self.committed = [first], 1

    def make(self, db, successor, query, values):
        self.begun.append(successor)
        db.execute(query, values)
        self.committed = len(self.begun)
        assert db.execute(ACTIVE).fetchone() == (successor,)


@pytest.fixture
def rivals(live, live_url, artifacts, tmp_path):
    """A database with ensemble 1 active, and a second pair of other models: (URL, id of the second ensemble)."""
    judge_daily(live, promotion_cooldown="none")
    versions = pair(live, make_artifacts(tmp_path, seed=1), version="second")
    return live_url, live.execute("select create_ensemble(%s, %s, 0.4)", versions).fetchone()[0]


def rows_of(db):
    """The candle_time and the ensemble of the rows of predict_now()."""
    rows = db.execute(PREDICT).fetchall()
    assert [row.horizon for row in rows] == [1, 2, 3, 4, 5]
    ((candle_time, ensemble_id),) = {(row.candle_time, row.ensemble_id) for row in rows}
    return candle_time, ensemble_id


def predict_in_a_snapshot(db, seen):
    """In one snapshot: predict_now() returns and stores rows of the active ensemble."""
    with contextlib.suppress(psycopg.errors.SerializationFailure):  # the next iteration retries
        with db.transaction():
            db.execute("set transaction isolation level repeatable read")
            active = db.execute(ACTIVE).fetchone()[0]
            candle_time, ensemble_id = rows_of(db)
            assert ensemble_id == active
            stored = "select count(*) from predictions where symbol = 'DEMO' and (candle_time, ensemble_id) = (%s, %s)"
            assert db.execute(stored, (candle_time, active)).fetchone() == (5,)
        seen.verified.add((candle_time, active))
        seen.snapshots += 1


def predict_at_once(db, changes, seen):
    """The ensemble is one that was active between the start and the end of the call."""
    earliest = changes.committed - 1
    candle_time, ensemble_id = rows_of(db)
    possible = changes.begun[earliest:]
    assert ensemble_id in possible, (ensemble_id, possible)
    seen.answered.add((candle_time, ensemble_id))
    seen.answers += 1


def keep_predicting(db, changes, stop):
    """Alternate both kinds of calls until `stop`."""
    seen = Seen()
    while not stop.is_set():
        predict_at_once(db, changes, seen)
        predict_in_a_snapshot(db, seen)
    return seen


def decide(db, changes, number, right, wrong, decision):
    """Evaluate a synthetic day, which makes `right` active."""
    end = add_day(db, number, "DEMO", {right: 1.0, wrong: 0.0})
    changes.make(db, right, "select evaluate_ab(%s)", (end,))
    last = "select challenger_id, decision from ab_evaluations order by id desc limit 1"
    assert db.execute(last).fetchone() == (right, decision)


def test_open_connections_use_the_ensemble_of_their_snapshot(rivals):
    url, second = rivals
    stop, changes = threading.Event(), Changes(1)
    activate = "select activate_ensemble(%s)"
    with ThreadPoolExecutor(CONNECTIONS) as threads, connect(url) as db:
        predicting = [connect(url) for _ in range(CONNECTIONS)]
        try:
            running = [threads.submit(keep_predicting, each, changes, stop) for each in predicting]
            for step in range(3):
                db.execute("select test_ensemble(%s)", (second,))
                decide(db, changes, 3 * step, second, 1, "promote")
                load_demo(db, NEWEST + (3 * step + 2) * MINUTE)
                decide(db, changes, 3 * step + 1, 1, second, "roll_back")
                load_demo(db, NEWEST + (3 * step + 3) * MINUTE)
                changes.make(db, second, activate, (second,))
                load_demo(db, NEWEST + (3 * step + 4) * MINUTE)
                changes.make(db, 1, "select rollback_ensemble('DEMO')", ())
            stop.set()
            seen = [each.result(timeout=60) for each in running]
            answered = set().union(*(each.answered for each in seen))
            for promoted in (second, 1, second):
                changes.make(db, promoted, activate, (promoted,))
                next_answers = [rows_of(each) for each in predicting]
                assert [ensemble_id for _, ensemble_id in next_answers] == [promoted] * CONNECTIONS
                answered.update(next_answers)
        finally:
            stop.set()
            for each in predicting:
                each.close()
        check(db, places=3)
        assert states(db)[second] == "active"
        assert min(each.snapshots for each in seen) > 3
        assert min(each.answers for each in seen) > 3
        verified = set().union(*(each.verified for each in seen))
        assert {ensemble_id for _, ensemble_id in verified} == {1, second}, "both have served"
        compare_with_predict(url, verified)
        stored = db.execute(
            "select distinct candle_time, ensemble_id from predictions where candle_time >= %s", (NEWEST,)
        )
        assert set(map(tuple, stored)) == verified | answered, "only returned rows are stored"


def compare_with_predict(url, verified):
    """Stored rows equal predict() in a session that has loaded only their ensemble, and differ between ensembles."""
    stored = "select predicted_close from predictions where (candle_time, ensemble_id) = (%s, %s) order by horizon"
    predict = "select predicted_close from predict('DEMO', %s, %s) order by horizon"
    seen = []
    for ensemble_id in {each for _, each in verified}:
        with connect(url) as fresh:
            for key in sorted(each for each in verified if each[1] == ensemble_id):
                found = [row[0] for row in fresh.execute(stored, key)]
                assert found == pytest.approx([row[0] for row in fresh.execute(predict, key)], abs=1e-12)
                assert found not in seen
                seen.append(found)
