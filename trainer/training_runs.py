"""training_runs: one row per retraining, and a lock that allows one retraining per symbol at a time.

    with connect(url) as connection:
        run = begin(connection, "BTCUSDT", url)    # raises AlreadyRunning
        run.finish("failed", reason="...")

The lock is a session-level advisory lock: it ends with the process or the server. So when a run holds a symbol's lock,
older rows of the symbol with status 'running' are of processes that ended without reporting a result.
"""

import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from candlecast.client.database import connect, explain
from candlecast.core.errors import AlreadyRunning, CandlecastUserError

#: First key of the advisory locks; the second is hashtext(symbol).
LOCK_CLASS = 0x636C7274
#: Seconds between two checks of the connection during training.
CHECK_SECONDS = 10.0

_LOCK = "select pg_try_advisory_lock(%s, hashtext(%s))"
_HOLDER = """
select started_at, host, pid, id from training_runs
where symbol = %s and status = 'running' order by id desc limit 1"""
#: The symbols' locks that are held, by hash and process.
_HELD = f"""
select objid as symbol_hash, pid from pg_locks
where locktype = 'advisory' and classid = {LOCK_CLASS} and objsubid = 2 and granted
    and database = (select oid from pg_database where datname = current_database())"""
_STRANGER = f"""
select activity.backend_start, activity.usename, activity.pid
from ({_HELD}) as held inner join pg_stat_activity as activity using (pid)
where held.symbol_hash = hashtext(%s)::oid"""
_LOST = f"""
update training_runs
set status = 'lost', finished_at = clock_timestamp(), reason = 'the process ended without reporting a result'
where status = 'running'
    and (symbol = %s or hashtext(symbol)::oid not in (select symbol_hash from ({_HELD}) as held))"""
_BEGIN = "insert into training_runs (symbol, host, pid) values (%s, %s, %s) returning id"
# 'lost' too: if this run lost its lock, another run may already have set its status to 'lost'.
_FINISH = """
update training_runs
set status = %(status)s, finished_at = clock_timestamp(), reason = %(reason)s, version = %(version)s,
    ensemble_id = %(ensemble_id)s, metrics = %(metrics)s
where id = %(id)s and status in ('running', 'lost')"""
_AMEND = """
update training_runs set metrics = %s, reason = nullif(concat_ws('. ', reason, %s::text), '') where id = %s"""


@dataclass
class TrainingRun:
    """The row of a run in progress. ``connection`` holds the lock until it is closed."""

    connection: psycopg.Connection
    url: str | None
    id: int
    symbol: str
    version: str | None = None
    ensemble_id: int | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    _looked: float = field(default_factory=time.monotonic)

    def set_window(self, window_from: datetime, window_to: datetime, test_from: datetime) -> None:
        """Write the time range of the candles and the start of the test part."""
        self.connection.execute(
            "update training_runs set window_from = %s, window_to = %s, test_from = %s where id = %s",
            (window_from, window_to, test_from, self.id),
        )

    def check_connection(self, *, now: bool = False) -> None:
        """Check at intervals that the server, and with it the lock, is still there. Raises CandlecastUserError."""
        if not now and time.monotonic() - self._looked < CHECK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            self.connection.execute("select")
        except psycopg.OperationalError as error:
            raise CandlecastUserError(
                f"the connection to the database was lost while {self.symbol} was being retrained: {error}".strip(),
                "The lock on the symbol is lost too. Check the server, then retrain again.",
            ) from None

    def finish(self, status: str, reason: str | None = None) -> None:
        """Write the result, on a new connection if this one is closed. An earlier result is not overwritten.

        Raises CandlecastUserError if the server is unreachable.
        """
        try:
            self.write(self.connection, status, reason)
        except psycopg.Error:  # the connection is closed, or a signal interrupted a query
            try:
                with connect(self.url) as connection:
                    self.write(connection, status, reason)
            finally:
                self.connection.close()  # releases the lock and rolls back uncommitted changes

    def write(self, connection: psycopg.Connection, status: str, reason: str | None = None) -> None:
        """Write the result in the connection's current transaction. Raises psycopg.Error."""
        values = {
            "id": self.id,
            "status": status,
            "reason": reason,
            "version": self.version,
            "ensemble_id": self.ensemble_id if status == "published" else None,
            "metrics": Jsonb(self.metrics),
        }
        connection.execute(_FINISH, values)

    def amend(self, reason: str | None = None) -> None:
        """Update the metrics of a finished row, and append ``reason`` to its reason."""
        self.connection.execute(_AMEND, (Jsonb(self.metrics), reason, self.id))


def begin(connection: psycopg.Connection, symbol: str, url: str | None) -> TrainingRun:
    """Take the symbol's lock and write a row with status 'running'. Rows of killed runs become 'lost'.

    Raises AlreadyRunning, which names the running process and its start time, and CandlecastUserError.
    """
    try:
        connection.execute("set idle_session_timeout = 0")  # the connection is idle during training
        locked = connection.execute(_LOCK, (LOCK_CLASS, symbol)).fetchone()
        if locked != (True,):
            raise _find_running(connection, symbol)
        connection.execute(_LOST, (symbol,))
        row = connection.execute(_BEGIN, (symbol, socket.gethostname(), os.getpid())).fetchone()
    except psycopg.Error as error:
        raise explain(error) from error
    assert row is not None
    return TrainingRun(connection, url, row[0], symbol)


def _find_running(connection: psycopg.Connection, symbol: str) -> AlreadyRunning:
    row = connection.execute(_HOLDER, (symbol,)).fetchone()
    if row:
        since, host, pid, number = row
        return AlreadyRunning(
            f"{symbol} is already being retrained, since {_utc(since)}, "
            f"by process {pid} on {host} (training run {number})",
            f"Wait until it ends. Its row: select * from training_runs where id = {number};",
        )
    row = connection.execute(_STRANGER, (symbol,)).fetchone()
    holder = f"session {row[2]} of {row[1]}, connected since {_utc(row[0])}" if row else "a session that just ended"
    return AlreadyRunning(f"the lock for retraining {symbol} is held by {holder}", "Try again, or check pg_locks.")


def _utc(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if time else "a time that only a superuser can see"
