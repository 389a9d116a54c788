"""training_runs: the row that every retraining leaves, and the lock that lets one at a time train a symbol.

    with connect(url) as connection:
        run = begin(connection, "BTCUSDT", url)    # raises AlreadyRunning
        run.finish("failed", reason="...")

The lock is an advisory one of the session: whatever ends the process or the server ends it too. So whoever holds a
symbol's lock knows that earlier rows which still say 'running' are of runs that ended without a word.
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
#: Seconds between two looks whether the server is still there, while training.
CHECK_SECONDS = 10.0

_LOCK = "select pg_try_advisory_lock(%s, hashtext(%s))"
_HOLDER = """
select started_at, host, pid, id from training_runs
where symbol = %s and status = 'running' order by id desc limit 1"""
#: The symbols' locks that somebody holds, by hash and process.
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
set status = 'lost', finished_at = clock_timestamp(), reason = 'its process ended before it could say how it went'
where status = 'running'
    and (symbol = %s or hashtext(symbol)::oid not in (select symbol_hash from ({_HELD}) as held))"""
_BEGIN = "insert into training_runs (symbol, host, pid) values (%s, %s, %s) returning id"
# 'lost' too: another run may have found this one's lock gone before this one could say why.
_FINISH = """
update training_runs
set status = %(status)s, finished_at = clock_timestamp(), reason = %(reason)s, version = %(version)s,
    ensemble_id = %(ensemble_id)s, metrics = %(metrics)s
where id = %(id)s and status in ('running', 'lost')"""
_AMEND = """
update training_runs set metrics = %s, reason = nullif(concat_ws('. ', reason, %s::text), '') where id = %s"""


@dataclass
class TrainingRun:
    """A row being filled. ``connection`` holds the lock as long as it lives."""

    connection: psycopg.Connection
    url: str | None
    id: int
    symbol: str
    version: str | None = None
    ensemble_id: int | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    _looked: float = field(default_factory=time.monotonic)

    def set_window(self, window_from: datetime, window_to: datetime, test_from: datetime) -> None:
        """Write which candles were asked for, and where the test part begins."""
        self.connection.execute(
            "update training_runs set window_from = %s, window_to = %s, test_from = %s where id = %s",
            (window_from, window_to, test_from, self.id),
        )

    def check_connection(self, *, now: bool = False) -> None:
        """See now and then whether the server, and with it the lock, is still there. Raises CandlecastUserError."""
        if not now and time.monotonic() - self._looked < CHECK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            self.connection.execute("select")
        except psycopg.OperationalError as error:
            raise CandlecastUserError(
                f"the connection to the database was lost while {self.symbol} was being retrained: {error}".strip(),
                "With it went the lock that keeps others from retraining it. Look at the server, then run it again.",
            ) from None

    def finish(self, status: str, reason: str | None = None) -> None:
        """Say how it went, on a new connection where this one is gone; what has been said already stays.

        Raises CandlecastUserError where no server answers.
        """
        try:
            self.write(self.connection, status, reason)
        except psycopg.Error:  # it is gone, or a signal came in the middle of a query
            try:
                with connect(self.url) as connection:
                    self.write(connection, status, reason)
            finally:
                self.connection.close()  # with the lock, and with what was not committed

    def write(self, connection: psycopg.Connection, status: str, reason: str | None = None) -> None:
        """Fill the row, in the transaction that the connection is in. Raises psycopg.Error."""
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
        """Bring the metrics of a row that is finished up to date, and say what went wrong since, after what it says."""
        self.connection.execute(_AMEND, (Jsonb(self.metrics), reason, self.id))


def begin(connection: psycopg.Connection, symbol: str, url: str | None) -> TrainingRun:
    """Take the symbol's lock and write a row 'running'; rows of runs that were killed become 'lost'.

    Raises AlreadyRunning, which says who and since when, and CandlecastUserError.
    """
    try:
        connection.execute("set idle_session_timeout = 0")  # it waits while the models train
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
            f"{symbol} is being retrained already, since {_utc(since)}, "
            f"by process {pid} on {host} (training run {number})",
            "One at a time: wait until it ends. Its row: select * from training_runs order by id desc limit 1;",
        )
    row = connection.execute(_STRANGER, (symbol,)).fetchone()
    who = f"session {row[2]} of {row[1]}, connected since {_utc(row[0])}" if row else "a session that just ended"
    return AlreadyRunning(f"the lock for retraining {symbol} is held by {who}", "Try again, or look at pg_locks.")


def _utc(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if time else "a time that only a superuser sees"
