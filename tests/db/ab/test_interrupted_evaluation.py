"""evaluate_ab() is atomic when it is killed, canceled, rolled back or concurrent, and the next call decides."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.support.lifecycle import add_day, check, connect, judge_daily, pair, states, tables

#: The server's processes belong to the postgres user.
SUDO = [] if os.geteuid() == 0 else ["sudo"]
ACTIVE, CHALLENGER = 1, 2
#: Where evaluate_ab() waits: the lock that another session holds for that, and the tables written before.
STAGES = {
    "waiting for its lock": ("lock table active_ensembles in row exclusive mode", set()),
    "comparing": ("lock table predictions in access exclusive mode", {"ml_settings"}),
    "in the test vectors": ("lock table model_artifacts in access exclusive mode", {"ml_settings"}),
    "before the first state is moved": (
        f"select from active_ensembles where id = {ACTIVE} for no key update",
        {"ml_settings", "ab_evaluations", "active_ensembles"},
    ),
    "between two states": (
        f"select from active_ensembles where id = {CHALLENGER} for no key update",
        {"ml_settings", "ab_evaluations", "active_ensembles", "ensemble_events"},
    ),
}


def at_stages(*names):
    return pytest.mark.parametrize(("hold", "written"), [STAGES[name] for name in names], ids=names)


_WAITS = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
_WRITTEN = """
select relation::regclass::text from pg_locks
where pid = %s and mode = 'RowExclusiveLock' and granted and locktype = 'relation'
    and relation in (
        'active_ensembles'::regclass, 'ensemble_events'::regclass, 'ab_evaluations'::regclass, 'ml_settings'::regclass
    )"""


@pytest.fixture
def due(database_url, artifacts):
    """A challenger that the next evaluation promotes: (URL of the database, at_time)."""
    with connect(database_url) as db:
        judge_daily(db)
        versions = pair(db, artifacts)
        for weight in (0.25, 0.75):
            db.execute("select create_ensemble(%s, %s, %s)", (*versions, weight))
        db.execute("select activate_ensemble(%s)", (ACTIVE,))
        db.execute("select test_ensemble(%s)", (CHALLENGER,))
        yield database_url, add_day(db, 0, "DEMO", {ACTIVE: 0.3, CHALLENGER: 0.9})


def evaluate(db, at_time):
    query = "select role, decision, reason from evaluate_ab(%s)"
    return [(row.role, row.decision) for row in db.execute(query, (at_time,)).fetchall()]


def warmed(url, at_time):
    """A session that has run an evaluation and rolled it back, so that the next one takes milliseconds."""
    db = connect(url)
    with db.transaction(force_rollback=True):
        assert evaluate(db, at_time) == [("test", "promote")]
    return db


def wait_until_blocked(db, evaluating, running, written):
    """Wait until the evaluation waits for a lock; it must have written these tables."""
    pid, deadline = evaluating.info.backend_pid, time.monotonic() + 20
    while not db.execute(_WAITS, (pid,)).fetchall():
        assert not running.done(), running.result()
        assert time.monotonic() < deadline, "it does not wait for a lock"
        time.sleep(0.01)
    assert {row[0] for row in db.execute(_WRITTEN, (pid,))} == written


def promotes(db, at_time):
    """The next evaluation promotes the challenger."""
    assert evaluate(db, at_time) == [("test", "promote")]
    assert states(db) == {ACTIVE: "shadow", CHALLENGER: "active"}
    check(db, places=3)


def recovered(url):
    """A connection as soon as the server accepts connections again."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return connect(url)
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the server did not come back"
            time.sleep(0.05)


@at_stages("waiting for its lock", "in the test vectors", "between two states")
def test_a_killed_evaluation_changes_nothing(due, hold, written):
    url, at_time = due
    with ThreadPoolExecutor(1) as thread:
        watching, holding, evaluating = connect(url), connect(url, autocommit=False), warmed(url, at_time)
        before = tables(watching)
        holding.execute(hold)
        running = thread.submit(evaluate, evaluating, at_time)
        wait_until_blocked(watching, evaluating, running, written)
        subprocess.run([*SUDO, "sh", "-c", f"kill -KILL {evaluating.info.backend_pid}"], check=True)
        with pytest.raises(psycopg.OperationalError):
            running.result(timeout=30)
        for session in (watching, holding):
            with pytest.raises(psycopg.OperationalError):  # the postmaster ends all sessions
                session.execute("select pg_sleep(60)")
    with recovered(url) as db:
        assert tables(db) == before
        promotes(db, at_time)


@at_stages("comparing", "in the test vectors", "before the first state is moved")
def test_a_canceled_evaluation_changes_nothing(due, hold, written):
    url, at_time = due
    with (
        connect(url) as db,
        connect(url, autocommit=False) as holding,
        warmed(url, at_time) as evaluating,
        ThreadPoolExecutor(1) as thread,
    ):
        before = tables(db)
        holding.execute(hold)
        evaluating.execute("set statement_timeout = '500ms'")
        running = thread.submit(evaluate, evaluating, at_time)
        wait_until_blocked(db, evaluating, running, written)
        with pytest.raises(psycopg.errors.QueryCanceled):
            running.result(timeout=20)
        holding.rollback()
        assert tables(db) == before
        evaluating.execute("reset statement_timeout")
        promotes(evaluating, at_time)


def test_a_rolled_back_evaluation_changes_nothing(due):
    url, at_time = due
    with connect(url) as db, connect(url, autocommit=False) as evaluating, connect(url) as listening:
        listening.execute("listen candlecast")
        before = tables(db)
        assert evaluate(evaluating, at_time) == [("test", "promote")]
        assert states(evaluating) == {ACTIVE: "shadow", CHALLENGER: "active"}
        assert tables(db) == before, "other sessions do not see it"
        evaluating.rollback()
        assert tables(db) == tables(evaluating) == before
        evaluating.rollback()
        promotes(evaluating, at_time)
        evaluating.commit()
        sent = [each.payload for each in listening.notifies(timeout=5, stop_after=2)]
        assert [("promoted" in each, f'"ensemble_id" : {CHALLENGER}' in each) for each in sent] == [
            (False, False), (True, True),
        ]  # fmt: skip


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_concurrent_evaluations_promote_once(due, isolation):
    url, at_time = due
    with (
        connect(url) as db,
        connect(url, autocommit=False) as first,
        connect(url, autocommit=False) as second,
        ThreadPoolExecutor(1) as thread,
    ):
        second.execute(f"set transaction isolation level {isolation}")
        assert states(second) == {ACTIVE: "active", CHALLENGER: "test"}
        assert evaluate(first, at_time) == [("test", "promote")]
        running = thread.submit(evaluate, second, at_time)
        wait_until_blocked(db, second, running, set())
        first.commit()
        if isolation == "read committed":
            assert running.result(timeout=20) == [("shadow", "keep")]
            second.commit()
        else:
            with pytest.raises(psycopg.errors.SerializationFailure):
                running.result(timeout=20)
            second.rollback()
        promoted = db.execute("select ensemble_id from ensemble_events where event = 'promoted'").fetchall()
        assert promoted == [(CHALLENGER,)]
        check(db, places=3)
