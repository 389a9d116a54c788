"""The states of an ensemble and its transitions. A symbol has at most one active ensemble; a change replaces it.

Every change has a reason. A trigger stores it in ensemble_events and sends a notification on the channel candlecast.
"""

from candlecast.core.errors import EnsembleUnknown, InShadow, TestsFull
from candlecast.core.settings import resolve
from candlecast.server.ensemble_row import ENSEMBLE_COLUMNS, EnsembleRow
from candlecast.server.feature_check import check_features
from candlecast.server.registry.test_vectors import check_test_vectors
from candlecast.server.session import Session
from candlecast.server.settings import STORED_SETTINGS, read_settings

_ENSEMBLE = f"""
select {ENSEMBLE_COLUMNS}, {STORED_SETTINGS}
from public.active_ensembles as ensemble where ensemble.id = $1"""
_STATE = "select symbol, state from public.active_ensembles where id = $1"
_IN_STATE = "select id from public.active_ensembles where symbol = $1 and state = $2 order by changed_at, id"
_MOVE = """
update public.active_ensembles
set is_active = $2 = 'active', is_test = $2 = 'test', is_shadow = $2 = 'shadow', is_retired = $2 = 'retired',
    changed_at = coalesce(to_timestamp($5), clock_timestamp()), change_event = $3, change_reason = $4,
    change_evaluation_id = $6,
    activated_at = case when $2 = 'active' then clock_timestamp() else activated_at end,
    deactivated_at = case
        when $2 = 'active' or is_test and $2 = 'retired' then null -- no rollback to an ensemble that failed its test
        when is_active then clock_timestamp() else deactivated_at
    end,
    rolled_back_at = case
        when $2 = 'active' then null when $3 = 'rolled_back' then clock_timestamp() else rolled_back_at
    end
where id = $1"""
_MOVE_TYPES = ["bigint", "text", "text", "text", "float8", "bigint"]


class Change:
    """One decision: its reason, the time of effect (epoch seconds; None: now), and its id in ab_evaluations."""

    def __init__(
        self, session: Session, reason: str, at: float | None = None, evaluation_id: int | None = None
    ) -> None:
        self.session = session
        self.reason = reason
        self.at = at
        self.evaluation_id = evaluation_id

    def move(self, ensemble_id: int, state: str, event: str, reason: str | None = None) -> None:
        """Put one ensemble into a state; ``reason`` overrides that of the decision."""
        values = [ensemble_id, state, event, reason or self.reason, self.at, self.evaluation_id]
        self.session.rows(_MOVE, _MOVE_TYPES, values)

    def replace(self, symbol: str, successor: int, event: str, leaves_as: str, leaving_event: str) -> None:
        """Make ``successor`` active. The previous active one becomes ``leaves_as``; an older shadow is retired."""
        active = list_in_state(self.session, symbol, "active")
        if active == [successor]:
            return
        for shadow in list_in_state(self.session, symbol, "shadow"):
            if shadow != successor:
                self.move(shadow, "retired", "retired", f"ensemble {successor} became active: this comparison ends")
        for ensemble_id in active:
            self.move(ensemble_id, leaves_as, leaving_event)
        self.move(successor, "active", event)


def list_in_state(session: Session, symbol: str, state: str) -> list[int]:
    """A symbol's ensembles in a state, the longest in it first."""
    return [row["id"] for row in session.rows(_IN_STATE, ["text", "text"], [symbol, state])]


def read_state(session: Session, ensemble_id: int) -> tuple[str, str]:
    """Symbol and state of an ensemble. Raises EnsembleUnknown."""
    rows = session.rows(_STATE, ["bigint"], [ensemble_id])
    if not len(rows):
        raise EnsembleUnknown(ensemble_id=ensemble_id, symbol="any symbol")
    return rows[0]["symbol"], rows[0]["state"]


def lock_ensembles(session: Session) -> None:
    """Allow one transaction at a time to change states. Read-only roles cannot take this lock.

    Every change also updates one row. So a transaction whose snapshot is older than the last change fails with 40001
    and can be retried. With such a snapshot it would miss ensembles on test or an active one.
    """
    session.rows("lock table public.active_ensembles in share row exclusive mode")
    session.rows("update public.ml_settings set value = value where name = 'max_test_ensembles'")


def validate(session: Session, ensemble_id: int) -> str:
    """Load an ensemble with every runtime that this server allows, run its test vectors, return its symbol.

    Raises EnsembleUnknown, OtherFeatures, TestVectorsFailed, and the errors of loading.
    """
    rows = session.rows(_ENSEMBLE, ["bigint"], [ensemble_id])
    if not len(rows):
        raise EnsembleUnknown(ensemble_id=ensemble_id, symbol="any symbol")
    ensemble = EnsembleRow.of(rows[0])
    check_features(session, ensemble)
    check_test_vectors(session, ensemble, resolve(rows[0]["settings"]))
    return ensemble.symbol


def put_on_test(session: Session, ensemble_id: int) -> bool:
    """Validate an ensemble and put it on test; returns whether it is on test (False: it is active).

    Raises TestsFull, InShadow, and the errors of ``validate``.
    """
    symbol = validate(session, ensemble_id)
    lock_ensembles(session)
    _, state = read_state(session, ensemble_id)
    if state in ("active", "test"):
        return state == "test"
    if state == "shadow":
        raise InShadow(ensemble_id=ensemble_id)
    testing = list_in_state(session, symbol, "test")
    places = read_settings(session).max_test_ensembles
    if len(testing) >= places:
        names = ", ".join(map(str, testing)) or "none"
        raise TestsFull(f"On test: {names}.", what=f"ensemble {ensemble_id}", symbol=symbol, places=places)
    Change(session, "put on test").move(ensemble_id, "test", "tested")
    return True
