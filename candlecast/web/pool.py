"""A small connection pool with strict timeouts: read-only transactions as candlecast_reader.

pool = DatabasePool(url)
await pool.open()
rows = await pool.fetch("select symbol from candle_status", timeout=1.5)
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from candlecast.core.errors import DatabaseGone, QueryRefused
from candlecast.web.refusals import find_hint, strip_address, to_query_refused

_log = logging.getLogger(__name__)

MAX_CONNECTIONS = 6
#: Seconds to wait for a pooled connection.
_CONNECT_TIMEOUT = 1.0
#: A connection whose server does not acknowledge keepalives or data is closed after about 11 seconds.
_TCP = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
#: Local to the transaction, so that it works through a pooler in transaction mode. Logins that are members of
#: candlecast_reader switch to that role.
_BEGIN = """
select
    set_config('statement_timeout', {milliseconds}::text, true),
    set_config('TimeZone', 'UTC', true),
    (
        select set_config('role', rolname, true) from pg_catalog.pg_roles
        where rolname = 'candlecast_reader' and pg_catalog.pg_has_role(session_user, oid, 'member')
    )
"""


class DatabasePool:
    """Connections to one database, which may be unreachable at any time. Reconnects in the background."""

    def __init__(self, url: str) -> None:
        self._last_error: psycopg.OperationalError | None = None
        self._gone: str | None = None
        self._timed_out: set[str] = set()
        note_error = self._note_error

        class NotingConnection(psycopg.AsyncConnection[dict[str, Any]]):
            """Keeps the last connection error for /health; psycopg's pool only logs it."""

            @classmethod
            async def connect(cls, *arguments: Any, **named: Any) -> Any:
                try:
                    connection = await super().connect(*arguments, **named)
                except psycopg.OperationalError as error:
                    note_error(error)
                    raise
                note_error(None)
                return connection

        self._pool = AsyncConnectionPool(
            url,
            connection_class=NotingConnection,
            kwargs={
                "fallback_application_name": "candlecast serve",
                "connect_timeout": 2,
                "autocommit": True,
                "prepare_threshold": None,
                "row_factory": dict_row,
                **_TCP,
            },
            configure=_set_read_only,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            reconnect_timeout=2,
            open=False,
        )

    def _note_error(self, error: psycopg.OperationalError | None) -> None:
        self._last_error = error

    async def open(self) -> None:
        """Start to connect in the background."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=1)

    async def fetch(
        self,
        query: str,
        values: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        timeout: float,
        name: str | None = None,
    ) -> list[dict[str, Any]]:
        """The rows of the query. `timeout` (seconds) includes connecting; `name` identifies the query in the log.

        Raises DatabaseGone if the server does not answer within the timeout, QueryRefused if it reports an error.
        """
        started = asyncio.get_running_loop().time()
        try:
            found = await self._fetch(query, values, timeout)
        except DatabaseGone as gone:
            self._log_presence(gone.reason)
            raise
        except QueryRefused as refused:
            self._log_presence(None)
            if refused.timed_out:
                self._log_timeout(name or query, asyncio.get_running_loop().time() - started)
            raise
        self._log_presence(None)
        self._log_recovery(name or query)
        return found

    def _log_presence(self, gone: str | None) -> None:
        """Log once that the database is gone (`gone` is the reason), and once that it is back (None)."""
        if gone is not None and self._gone is None:
            _log.warning("the database does not answer: %s", gone)
        elif gone is None and self._gone is not None:
            _log.warning("the database answers again")
        self._gone = gone

    def _log_timeout(self, name: str, seconds: float) -> None:
        """Log a timeout once per query, until the query succeeds again."""
        if name not in self._timed_out:
            _log.warning("the query timed out after %.1f s: %s", seconds, name)
            self._timed_out.add(name)

    def _log_recovery(self, name: str) -> None:
        if name in self._timed_out:
            _log.warning("the query no longer times out: %s", name)
            self._timed_out.remove(name)

    async def _fetch(self, query: str, values: Any, timeout: float) -> list[dict[str, Any]]:
        deadline = asyncio.get_running_loop().time() + timeout
        # After a restart of the server every pooled connection is dead. Each one fails once before it is replaced.
        for _ in range(MAX_CONNECTIONS + 1):
            try:
                return await self._fetch_by(deadline, query, values)
            except (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown, _Broken):
                continue
        raise DatabaseGone("the server closes every connection")

    async def _fetch_by(self, deadline: float, query: str, values: Any) -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            # At most two thirds of the remaining time, so that the query gets the rest.
            wait = min(_CONNECT_TIMEOUT, (deadline - started) * 2 / 3)
            async with self._pool.connection(timeout=max(0.01, wait)) as connection:
                cut = loop.call_at(deadline, _cut_off, connection)
                try:
                    return await _run_query(connection, query, values, _to_milliseconds(deadline - loop.time()))
                except psycopg.errors.QueryCanceled as error:
                    raise to_query_refused(error) from None
                except psycopg.OperationalError as error:
                    if loop.time() >= deadline:
                        # The other pooled connections probably hang too: close them all instead of waiting for each.
                        await self._pool.drain()
                        raise DatabaseGone(f"no answer within {deadline - started:.1f} s") from None
                    if error.sqlstate is None and connection.broken:
                        raise _Broken from None
                    raise
                finally:
                    cut.cancel()
        except PoolTimeout:
            raise self._explain_no_connection(loop.time() - started) from None
        except (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown):
            raise
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                raise DatabaseGone(strip_address(str(error))) from None
            raise to_query_refused(error) from None
        except psycopg.Error as error:
            raise to_query_refused(error) from None

    def _explain_no_connection(self, seconds: float) -> DatabaseGone:
        if self._last_error is None:
            return DatabaseGone(f"no connection within {seconds:.1f} s")
        return DatabaseGone(strip_address(str(self._last_error)), find_hint(self._last_error))


def _to_milliseconds(left: float) -> int:
    """The statement_timeout: 80 % of the remaining seconds, so that the server's error arrives before the deadline."""
    return max(1, int(left * 800))


class _Broken(Exception):
    """The server closed a pooled connection."""


async def _set_read_only(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.set_read_only(True)


async def _run_query(connection: psycopg.AsyncConnection[Any], query: str, values: Any, milliseconds: int) -> list[Any]:
    async with connection.transaction():
        await connection.execute(_BEGIN.format(milliseconds=milliseconds))
        return await (await connection.execute(query, values)).fetchall()


def _cut_off(connection: psycopg.AsyncConnection[Any]) -> None:
    """Shut down the socket of a hanging connection. A cancel request could hang as well."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.OperationalError):  # closed already
        return
