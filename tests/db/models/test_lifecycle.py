"""Any sequence of calls, from one or two connections, leaves at most one active ensemble and a complete history."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.lifecycle import STATE_TABLES, SYMBOLS, add_day, check, connect, judge_daily, pair, states, tables

PLACES = 2
WEIGHTS = (0.1, 0.4, 0.7, 1.0)
ROLES = ("candlecast_cron", "candlecast_trainer", "candlecast_operator", "candlecast_reader")
#: The accuracy of an ensemble on a day; None: it did not predict.
SHARES = st.sampled_from([1.0, 0.0, 0.5, 1.0, 0.0, 0.505, None])
SYMBOL, WEIGHT = st.sampled_from(SYMBOLS), st.sampled_from(WEIGHTS)
CLEAR = (
    "truncate active_ensembles, ensemble_events, ab_evaluations, predictions, inference_runs restart identity cascade"
)
NUMBER, DAY_SHARES = st.integers(0, 9), st.lists(SHARES, min_size=8, max_size=8)
#: Arguments of each operation.
DRAWN = {
    "create": {"symbol": SYMBOL, "weight": WEIGHT, "is_test": st.booleans(), "fragile": st.booleans()},
    "test": {"number": NUMBER},
    "withdraw": {"number": NUMBER},
    "activate": {"number": NUMBER},
    "roll_back": {"symbol": SYMBOL},
    "damage_or_restore": {},
    "evaluate": {"days": st.lists(DAY_SHARES, min_size=1, max_size=3)},
    "evaluate_again": {"back": st.integers(0, 3)},
}
SEEN = "select event as what from ensemble_events union all select decision from ab_evaluations"
CREATE = "select create_ensemble(%s, %s, %s, %s, %s)"


@pytest.fixture
def own(database_url, artifacts):
    """A database where one day is enough for a decision, and versions for ensembles: (URL, versions)."""
    with connect(database_url) as db:
        judge_daily(db, max_test_ensembles=str(PLACES))
        yield database_url, (pair(db, artifacts), pair(db, artifacts, version="fragile"))


def ensembles(db):
    return [row.id for row in db.execute("select id from active_ensembles order by id")]


def flip(db, versions):
    """Damage the fragile versions, or restore damaged ones."""
    db.execute(
        "update model_artifacts set content = set_byte(content, 99, get_byte(content, 99) # 1)"
        " where model_version_id = any(%s) and name = 'lgbm_horizon_3.onnx'",
        (list(versions[1]),),
    )


def predict_day(db, number, shares):
    """Add a day on which each ensemble predicts with the accuracy of its id, or not at all; returns its end."""
    for symbol in SYMBOLS:
        live = [each for each, state in states(db, symbol).items() if state in ("active", "test", "shadow")]
        right = {each: shares[each % len(shares)] for each in live}
        end = add_day(db, number, symbol, {each: share for each, share in right.items() if share is not None})
    return end


class Lifecycle(RuleBasedStateMachine):
    """All manual and automatic changes of states, with models that are damaged in between."""

    def __init__(self, db, versions, seen):
        super().__init__()
        self.db, self.versions, self.seen = db, versions, seen
        self.damaged, self.days = False, 0
        db.execute(CLEAR)

    def call(self, query, values=(), codes=()):
        """The rows of a call; None where it failed with one of `codes` and changed nothing."""
        before = tables(self.db)
        try:
            return self.db.execute(query, values).fetchall()
        except psycopg.Error as raised:
            error = raised
        assert error.sqlstate in codes, error
        assert error.diag.message_hint
        assert tables(self.db) == before
        return None

    def pick(self, number):
        """One of the existing ensembles, sometimes an unknown one."""
        ids = [*ensembles(self.db), 4711]
        return ids[number % len(ids)]

    @initialize(cooldown=st.sampled_from(["24 h", "none", "2 d"]), guard=st.sampled_from(["none", "confidence"]),
                data=st.data())  # fmt: skip
    def begin(self, cooldown, guard, data):
        judge_daily(self.db, promotion_cooldown=cooldown, promotion_guard=guard)
        for symbol, active in zip(SYMBOLS, (0, data.draw(st.sampled_from([0, None]))), strict=True):
            for number, weight in enumerate(WEIGHTS[:3]):
                values = (*self.versions[number == 1], weight, number == 1, symbol)
                created = self.db.execute(CREATE, values).fetchone()[0]
                if number == active:
                    self.db.execute("select activate_ensemble(%s)", (created,))

    @rule(data=st.data(), kind=st.sampled_from(["create", "test", "withdraw", "activate", "roll_back",
                                               "damage_or_restore", "evaluate", "evaluate", "evaluate",
                                               "evaluate_again"]))  # fmt: skip
    def step(self, data, kind):
        """A single rule: with several, Hypothesis disables some in each example and promotions are rare."""
        chosen = {name: data.draw(strategy) for name, strategy in DRAWN[kind].items()}
        note(f"{kind} {chosen}")
        getattr(self, kind)(**chosen)

    def create(self, symbol, weight, is_test, fragile):
        self.call(CREATE, (*self.versions[fragile], weight, is_test, symbol), ("CC007", "CC021", "CC023"))

    def test(self, number):
        chosen = self.pick(number)
        result = self.call("select test_ensemble(%s)", (chosen,), ("CC006", "CC007", "CC021", "CC023"))
        if result:
            state = states(self.db, "DEMO") | states(self.db, "OTHER")
            assert state[chosen] == ("test" if result[0][0] else "active")

    def withdraw(self, number):
        before = tables(self.db)
        result = self.call("select withdraw_ensemble(%s)", (self.pick(number),), ("CC006",))
        assert (tables(self.db) == before) == (result in (None, [(False,)]))

    def activate(self, number):
        chosen = self.pick(number)
        if self.call("select activate_ensemble(%s)", (chosen,), ("CC006", "CC007")):
            assert (states(self.db, "DEMO") | states(self.db, "OTHER"))[chosen] == "active"

    def roll_back(self, symbol):
        before = states(self.db, symbol)
        result = self.call("select rollback_ensemble(%s)", (symbol,), ("CC007", "CC014"))
        if result:
            assert before[result[0][0]] != "active"
            assert states(self.db, symbol)[result[0][0]] == "active"

    def damage_or_restore(self):
        flip(self.db, self.versions)
        self.damaged = not self.damaged

    def evaluate(self, days):
        for shares in days:
            end = predict_day(self.db, self.days, shares)
            self.days += 1
            self.decide(end)

    def evaluate_again(self, back):
        self.decide(add_day(self.db, self.days - back, "DEMO", {}))

    def decide(self, at_time):
        previewed = self.db.execute("select challenger_id, role from preview_ab(%s)", (at_time,)).fetchall()
        rows = self.call("select * from evaluate_ab(%s)", (at_time,))
        assert sorted((row.challenger_id, row.role) for row in rows) == sorted(previewed)
        now = states(self.db, "DEMO") | states(self.db, "OTHER")
        becomes = {"promote": "active", "roll_back": "active", "retire": "retired"}
        for row in rows:
            assert now[row.challenger_id] == becomes.get(row.decision, row.role), row

    @invariant()
    def holds(self):
        check(self.db, PLACES)

    def teardown(self):
        self.seen.update(row.what for row in self.db.execute(SEEN))
        if self.damaged:
            flip(self.db, self.versions)


def test_any_calls_keep_one_active_and_a_complete_history(own):
    url, versions = own
    seen = set()
    with connect(url) as db:
        run_state_machine_as_test(
            lambda: Lifecycle(db, versions, seen),
            settings=settings(max_examples=20, stateful_step_count=25, deadline=None),
        )
    assert {"promoted", "restored", "replaced", "retired", "withdrawn", "keep"} <= set(seen), (
        "all kinds of changes occurred"
    )


#: Operations of a connection in one transaction: (operation, symbol, number).
OPERATIONS = st.tuples(
    st.sampled_from(["create", "create on test", "test", "activate", "withdraw", "roll back", "evaluate"]),
    SYMBOL,
    st.integers(0, 9),
)
TRANSACTION = st.fixed_dictionaries(
    {
        "isolation": st.sampled_from([*psycopg.IsolationLevel][1:]),
        "operations": st.lists(OPERATIONS, min_size=1, max_size=2),
        "hold": st.sampled_from([0.0, 0.0, 0.03]),
        "commit": st.sampled_from([True, True, True, False]),
    }
)


def perform(db, versions, end, operation, symbol, number):
    ids = list(states(db, symbol)) or [4711]
    chosen, weight = ids[number % len(ids)], WEIGHTS[number % len(WEIGHTS)]
    query, values = {
        "create": (CREATE, (*versions[0], weight, False, symbol)),
        "create on test": (CREATE, (*versions[0], weight, True, symbol)),
        "test": ("select test_ensemble(%s)", (chosen,)),
        "activate": ("select activate_ensemble(%s)", (chosen,)),
        "withdraw": ("select withdraw_ensemble(%s)", (chosen,)),
        "roll back": ("select rollback_ensemble(%s)", (symbol,)),
        "evaluate": ("select id from evaluate_ab(%s)", (end,)),
    }[operation]
    db.execute(query, values)


def transact(db, barrier, versions, end, plan):
    """Take a snapshot, wait for the other transaction to do so, run the operations; returns the error, or None."""
    db.isolation_level = plan["isolation"]
    try:
        db.execute("select 1 from active_ensembles limit 1")
        barrier.wait(timeout=20)
        for operation in plan["operations"]:
            perform(db, versions, end, *operation)
        time.sleep(plan["hold"])
        if plan["commit"]:
            db.commit()
    except psycopg.Error as error:
        return error
    finally:
        db.rollback()
    return None


def test_two_connections_keep_one_active_and_a_complete_history(own):
    url, versions = own
    outcomes = []
    with (
        connect(url) as db,
        connect(url, autocommit=False) as left,
        connect(url, autocommit=False) as right,
        ThreadPoolExecutor(2) as threads,
    ):
        judge_daily(db, promotion_cooldown="none")
        for each in (left, right):
            each.execute("set deadlock_timeout = '20ms'")
            each.commit()

        @settings(
            max_examples=10, deadline=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(rounds=st.lists(st.tuples(TRANSACTION, TRANSACTION, DAY_SHARES),
                               min_size=8, max_size=8))  # fmt: skip
        def run(rounds):
            db.execute(CLEAR)
            for symbol in SYMBOLS:
                for weight in WEIGHTS:
                    db.execute(CREATE, (*versions[0], weight, weight == WEIGHTS[0], symbol))
                db.execute("select activate_ensemble(max(id)) from active_ensembles where symbol = %s", (symbol,))
            for day, (one, other, shares) in enumerate(rounds):
                end = predict_day(db, day, shares)
                barrier = threading.Barrier(2)
                started = [
                    threads.submit(transact, each, barrier, versions, end, plan)
                    for each, plan in ((left, one), (right, other))
                ]
                for future, plan in zip(started, (one, other), strict=True):
                    error = future.result()
                    outcomes.append(error and error.sqlstate)
                    allowed = error is None or error.sqlstate in ("40001", "40P01") or error.sqlstate.startswith("CC0")
                    assert allowed, (plan, error.sqlstate, str(error))
                check(db, PLACES)

        run()
    assert outcomes.count(None) > len(outcomes) / 2, "most transactions succeed"
    assert "40001" in outcomes, "some transactions conflict"


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_an_old_snapshot_cannot_exceed_max_test_ensembles(own, isolation):
    url, versions = own
    with connect(url) as db, connect(url, autocommit=False) as late:
        first, second, third = [
            db.execute(CREATE, (*versions[0], weight, False, "DEMO")).fetchone()[0] for weight in WEIGHTS[:3]
        ]
        db.execute("select test_ensemble(%s)", (first,))
        late.execute(f"set transaction isolation level {isolation}")
        assert len(states(late)) == 3
        db.execute("select test_ensemble(%s)", (second,))
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.execute("select test_ensemble(%s)", (third,))
        late.rollback()
        check(db, PLACES)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_an_old_snapshot_without_an_active_one_has_to_retry(own, isolation):
    url, versions = own
    with connect(url) as db, connect(url, autocommit=False) as late:
        first, second = [
            db.execute(CREATE, (*versions[0], weight, False, "DEMO")).fetchone()[0] for weight in WEIGHTS[:2]
        ]
        late.execute(f"set transaction isolation level {isolation}")
        assert len(states(late)) == 2
        db.execute("select activate_ensemble(%s)", (first,))
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.execute("select activate_ensemble(%s)", (second,))
        late.rollback()
        check(db, PLACES)


def test_a_shadow_that_a_promotion_replaces_is_reported_retired(own):
    url, versions = own
    with connect(url) as db:
        first, second, third = [
            db.execute(CREATE, (*versions[0], weight, False, "DEMO")).fetchone()[0] for weight in WEIGHTS[:3]
        ]
        db.execute("select activate_ensemble(%s)", (first,))
        db.execute("select test_ensemble(id) from unnest(%s::bigint[]) as id", ([second, third],))
        db.execute("select evaluate_ab(%s)", (add_day(db, 0, "DEMO", {first: 0.0, second: 1.0, third: 0.0}),))
        assert states(db) == {first: "shadow", second: "active", third: "test"}
        end = add_day(db, 1, "DEMO", {second: 0.0, third: 1.0})  # the shadow did not predict: no verdict yet
        decided = db.execute("select challenger_id, decision from evaluate_ab(%s)", (end,)).fetchall()
        assert decided == [(third, "promote"), (first, "retire")]
        assert states(db) == {first: "retired", second: "shadow", third: "active"}
        check(db, PLACES)


def test_a_direct_change_of_the_table_is_an_event(own):
    url, versions = own
    with connect(url) as db:
        first, second = [
            db.execute(CREATE, (*versions[0], weight, False, "DEMO")).fetchone()[0] for weight in WEIGHTS[:2]
        ]
        db.execute("select activate_ensemble(%s)", (first,))
        with db.transaction():
            db.execute("update active_ensembles set is_active = false, is_retired = true where id = %s", (first,))
            db.execute("update active_ensembles set is_active = true where id = %s", (second,))
        db.execute("update active_ensembles set activated_at = now()")  # no state changes
        check(db, PLACES)
        found = db.execute(
            "select ensemble_id, event, from_state, to_state, reason, changed_by = session_user from ensemble_events"
            " order by id desc limit 2"
        ).fetchall()
        reason = "changed directly in the table"
        assert found == [
            (second, "changed", "waiting", "active", reason, True),
            (first, "changed", "active", "retired", reason, True),
        ]


@pytest.mark.parametrize("table", STATE_TABLES[1:])
@pytest.mark.parametrize("role", ROLES)
def test_no_role_writes_history(connect_as, role, table):
    db = connect_as(role)
    for statement in (f"insert into {table} default values", f"update {table} set symbol = 'X'",
                      f"delete from {table}", f"truncate {table} cascade"):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(statement)
