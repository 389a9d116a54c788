"""inference_runs: one row per run, inserted before the work and updated after it.

Failed and lost runs are also sent as notifications on the channel candlecast.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from candlecast.server.reporting import error_text
from candlecast.server.session import Session
from candlecast.server.targets import Target

QUERY_CANCELED = "57014"
LOCK_NOT_AVAILABLE = "55P03"
_LOCK_HINT = (
    ": an open transaction holds a lock that this run needs, possibly an uncommitted predict_now()."
    " Find it: select * from pg_stat_activity where state like 'idle in transaction%';"
)


@dataclass
class Run:
    """The row of a run in progress. Times are in milliseconds, ``started`` in epoch seconds."""

    id: int
    target: Target
    started: float
    mamba_runtime: str | None = None
    load_ms: float | None = None
    wait_ms: float | None = None
    features_ms: float | None = None
    models_ms: float | None = None
    write_ms: float | None = None
    latency_ms: float | None = None
    error: str | None = None
    error_sqlstate: str | None = None
    warning: str | None = None

    def fail(self, error: Exception) -> None:
        """Record an error and its remedy, also of PostgreSQL. Re-raises a cancellation."""
        raise_cancel(error)
        self.error, self.error_sqlstate = error_text(error), getattr(error, "sqlstate", None)
        if self.error_sqlstate == LOCK_NOT_AVAILABLE:
            self.error += _LOCK_HINT


_BEGIN = """
insert into public.inference_runs (symbol, ensemble_id, candle_time, status)
values ($1, $2, to_timestamp($3), $4)
returning id, extract(epoch from started_at)::float8 as started"""
_NOTE = """
insert into public.inference_runs (symbol, ensemble_id, candle_time, status, finished_at, error, error_sqlstate)
values ($1, $2, to_timestamp($3), $4, clock_timestamp(), $5, $6) returning id"""
_FINISH = """
update public.inference_runs
set status = $2, finished_at = clock_timestamp(), mamba_runtime = $3, load_ms = $4, wait_ms = $5, features_ms = $6,
    models_ms = $7, write_ms = $8, latency_ms = $9, error = $10, error_sqlstate = $11,
    warning = $12
where id = $1"""
_LOST = """
update public.inference_runs
set status = 'lost', finished_at = clock_timestamp(), error = 'the database session ended before the run finished'
where status = 'running' and not exists (
    select from pg_stat_activity
    where pid = inference_runs.backend_pid and backend_start <= inference_runs.started_at
)
returning id"""
# A notification is limited to 8,000 bytes. A thousand characters need at most 6,000 as escaped JSON.
_NOTIFY = """
select pg_notify('candlecast', json_build_object(
    'event', 'inference_' || status, 'symbol', symbol, 'ensemble_id', ensemble_id, 'candle_time', candle_time,
    'sqlstate', error_sqlstate, 'reason', left(error, 1000)
)::text)
from public.inference_runs where id = any($1)"""
_LAST = """
select status from public.inference_runs
where symbol = $1 and ensemble_id is not distinct from $2 order by id desc limit 1"""
_TYPES = ["text", "bigint", "float8", "text"]


def begin(session: Session, candle_time: float, target: Target) -> Run:
    """Insert a row with the status 'running'."""
    row = session.rows(_BEGIN, _TYPES, [target.symbol, target.ensemble_id, candle_time, "running"])[0]
    return Run(row["id"], target, row["started"])


def note(
    session: Session, candle_time: float, status: str, target: Target | None = None, error: Exception | None = None
) -> None:
    """Insert a row for a run that has nothing to do, or that could not start."""
    symbol, ensemble_id = (target.symbol, target.ensemble_id) if target else (None, None)
    what, sqlstate = (error_text(error), getattr(error, "sqlstate", None)) if error else (None, None)
    rows = session.rows(_NOTE, [*_TYPES, "text", "text"], [symbol, ensemble_id, candle_time, status, what, sqlstate])
    if status == "failed":
        _notify(session, rows)
    if what:
        session.plpy.warning(what)


def finish(session: Session, run: Run, status: str) -> None:
    """Update the row of a run. An error is also sent to the caller as a warning."""
    values = [
        run.id, status, run.mamba_runtime, run.load_ms, run.wait_ms, run.features_ms,
        run.models_ms, run.write_ms, run.latency_ms, run.error, run.error_sqlstate, run.warning,
    ]  # fmt: skip
    types = ["bigint", "text", "text", *["float8"] * 6, "text", "text", "text"]
    session.rows(_FINISH, types, values)
    if status == "failed":
        _notify(session, [{"id": run.id}])
    if run.error:
        session.plpy.warning(run.error)


def mark_lost(session: Session) -> None:
    """Set the status 'lost' for runs whose database session has ended."""
    _notify(session, session.rows(_LOST))


def was_stale(session: Session, target: Target) -> bool:
    """Whether the last row of this symbol and ensemble has the status 'stale'."""
    rows = session.rows(_LAST, ["text", "bigint"], [target.symbol, target.ensemble_id])
    return len(rows) > 0 and rows[0]["status"] == "stale"


def raise_cancel(error: Exception) -> None:
    """Re-raise the error of a canceled query: a run must not handle it."""
    if getattr(error, "sqlstate", None) == QUERY_CANCELED:
        raise error


def _notify(session: Session, runs: Iterable[Mapping]) -> None:
    """Send a notification for each of these rows."""
    if ids := [row["id"] for row in runs]:
        session.rows(_NOTIFY, ["bigint[]"], [ids])
