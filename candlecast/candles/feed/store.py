"""The feed's database connection: writes candles and feed_status, and holds the lock that allows one feed per symbol.

A lost connection is restored in the background. Until then every call raises ``StoreLost``. Afterwards the table must
be read again.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from candlecast.candles.upsert import COLUMNS, upsert_from
from candlecast.client.database import database_url, explain, no_connection
from candlecast.core.candle_columns import NUMBERS
from candlecast.core.errors import AnotherFeed, CandlecastUserError, StoreLost
from candlecast.core.text import plain
from candlecast.core.times import describe_time, microseconds_of, moment
from candlecast.exchanges.base import Candle
from candlecast.exchanges.clock import Clock
from candlecast.exchanges.retry import retry

_LOG = logging.getLogger("candlecast.feed")
_MAX_BACKOFF_SECONDS = 15.0
#: Both sides notice a dead peer within a minute.
_KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds; keepalives are not sent while a statement waits to be acknowledged
    "connect_timeout": 10,
}
_SESSION = """
set timezone = 'UTC'; set statement_timeout = '15s'; set lock_timeout = '10s';
set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3
"""
#: Seconds of real time. The server cancels a statement after 15 s, so after 30 s the server or the network is down.
_ANSWER_TIMEOUT = 30.0
_TYPES = ("text", "timestamptz", *("float8" for _ in NUMBERS), "int8", "float8")
_UPSERT = upsert_from(f"unnest({', '.join(f'%s::{kind}[]' for kind in _TYPES)}) as fresh ({', '.join(COLUMNS)})")
_LOCK = "select pg_try_advisory_lock(hashtextextended('candlecast feed ' || %s, 0))"
_STATUS_COLUMNS = (
    "symbol",
    "state",
    "connected_at",
    "newest_open_time",
    "written",
    "refilled",
    "reconnects",
    "last_error",
    "last_error_at",
)
_HEARTBEAT = f"""
update feed_status as feed set
    heartbeat_at = clock_timestamp(), {", ".join(f"{name} = fresh.{name}" for name in _STATUS_COLUMNS[1:])}
from unnest(
    %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::int8[], %s::int8[], %s::int8[], %s::text[],
    %s::timestamptz[]
) as fresh ({", ".join(_STATUS_COLUMNS)})
where feed.symbol = fresh.symbol"""
_BEGIN = """
insert into feed_status (symbol, exchange, state, host, pid) values (%s, %s, 'catching up', %s, %s)
on conflict (symbol) do update set
    exchange = excluded.exchange, state = excluded.state, host = excluded.host, pid = excluded.pid,
    started_at = clock_timestamp(), heartbeat_at = clock_timestamp(), connected_at = null, newest_open_time = null,
    written = 0, refilled = 0, reconnects = 0, last_error = null, last_error_at = null"""
_FORGET = """
delete from feed_status as feed
where symbol = %s and not exists (select from candles_1m where symbol = feed.symbol)
returning symbol"""
_MAX_ERROR_LENGTH = 500


@dataclass(frozen=True)
class FeedStatus:
    """A row of feed_status."""

    symbol: str
    state: str
    connected_at: float | None
    newest: int | None
    written: int
    refilled: int
    reconnects: int
    error: str | None
    error_at: float | None


class Store:
    """One connection, one statement at a time, each its own transaction."""

    def __init__(self, url: str | None, exchange: str, symbols: Sequence[str], clock: Clock) -> None:
        self._url, self._exchange, self._symbols, self._clock = database_url(url), exchange, list(symbols), clock
        self._connection: psycopg.AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()

    async def open(self) -> None:
        """Connect, lock the symbols and reset their rows of feed_status. Raises CandlecastUserError."""
        try:
            await self._connect()
            for symbol in self._symbols:
                await self._run(_BEGIN, (symbol, self._exchange, socket.gethostname(), os.getpid()))
        except psycopg.OperationalError as error:
            raise no_connection(error) from None
        except psycopg.Error as error:
            raise explain(error) from error
        except StoreLost as error:
            if isinstance(error.__cause__, psycopg.Error):
                raise explain(error.__cause__) from error
            raise CandlecastUserError(str(error), "Check the database server, then start the feed again.") from error

    async def close(self) -> None:
        """Close the connection, which releases the symbols."""
        if self._connection is not None:
            await self._connection.close()

    async def ready(self) -> None:
        """Wait until the database is connected."""
        await self._ready.wait()

    @property
    def is_ready(self) -> bool:
        """Whether the database is connected."""
        return self._ready.is_set()

    async def reconnect_forever(self, on_return: Callable[[], None]) -> None:
        """Restore the connection whenever it is lost; ``on_return`` is called before ``ready`` returns."""
        while True:
            await self._gone.wait()
            failures = (psycopg.Error, CandlecastUserError, OSError)
            await retry(self._connect, self._clock, failures, max_wait=_MAX_BACKOFF_SECONDS, on_failure=_log_failure)
            self._gone.clear()
            on_return()
            self._ready.set()
            _LOG.info("reconnected to the database")

    async def newest(self, symbol: str, last: int) -> int | None:
        """open_time of the newest candle up to ``last``. Raises StoreLost."""
        rows = await self._run(
            "select max(open_time) from candles_1m where symbol = %s and open_time <= %s", (symbol, moment(last))
        )
        found = rows[0][0]
        return None if found is None else microseconds_of(found)

    async def write(self, candles: Sequence[Candle]) -> tuple[int, list[str]]:
        """Insert or update candles of distinct minutes, in one transaction.

        If a constraint rejects one, the candles are written one by one. Returns the number of changed rows, and a line
        for each rejected candle. Raises StoreLost.
        """
        columns: list[list[object]] = [[getattr(candle, name) for candle in candles] for name in COLUMNS]
        columns[1] = [moment(candle.open_time) for candle in candles]
        try:
            ((inserted, changed),) = await self._run(_UPSERT, columns)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(candles) == 1:
                why = error.diag.message_primary or str(error)
                return 0, [f"the table rejected {candles[0].symbol} {describe_time(candles[0].open_time)}: {why}"]
            outcomes = [await self.write([candle]) for candle in candles]
            return sum(moved for moved, _ in outcomes), [line for _, lines in outcomes for line in lines]
        return inserted + changed, []

    async def forget(self, symbol: str) -> bool:
        """Delete a symbol's row of feed_status if it has no candles; returns whether it did. Raises StoreLost."""
        return bool(await self._run(_FORGET, (symbol,)))

    async def heartbeat(self, statuses: Sequence[FeedStatus]) -> None:
        """Update the symbols' rows of feed_status. Raises StoreLost."""
        rows = [
            (
                one.symbol,
                one.state,
                _time(one.connected_at),
                None if one.newest is None else moment(one.newest),
                one.written,
                one.refilled,
                one.reconnects,
                None if one.error is None else plain(one.error)[:_MAX_ERROR_LENGTH],
                _time(one.error_at),
            )
            for one in statuses
        ]
        await self._run(_HEARTBEAT, [list(column) for column in zip(*rows, strict=True)])

    async def _connect(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, fallback_application_name="candlecast feed", **_KEEPALIVES
        )
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                await connection.execute(_SESSION)
                for symbol in self._symbols:
                    row = await (await connection.execute(_LOCK, (symbol,))).fetchone()
                    if row != (True,):
                        raise await _another_feed(connection, symbol)
        except TimeoutError as error:
            await connection.close()
            raise psycopg.OperationalError(f"no answer within {_ANSWER_TIMEOUT:.0f} s") from error
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        if not self._gone.is_set():
            self._ready.set()

    async def _run(self, query: str, values: Sequence[object]) -> list[Any]:
        async with self._turn:
            if self._connection is None or self._gone.is_set():
                raise StoreLost("the connection to the database is lost")
            try:
                async with asyncio.timeout(_ANSWER_TIMEOUT):
                    cursor = await self._connection.execute(query, values)
                    return await cursor.fetchall() if cursor.description else []
            except (psycopg.DataError, psycopg.IntegrityError):
                raise
            except TimeoutError as error:
                await self._connection.close()
                self._ready.clear()
                self._gone.set()
                raise StoreLost(f"the database did not answer within {_ANSWER_TIMEOUT:.0f} s") from error
            except psycopg.Error as error:
                if self._connection.closed:
                    self._ready.clear()
                    self._gone.set()
                # The connection may still be good: a timeout, a full disk, a standby that was just promoted.
                why = error.diag.message_primary or " ".join(str(error).split())
                raise StoreLost(f"the database rejected the statement: {why}") from error


async def _another_feed(connection: psycopg.AsyncConnection, symbol: str) -> AnotherFeed:
    row = await (await connection.execute("select host, pid from feed_status where symbol = %s", (symbol,))).fetchone()
    owner = f": process {row[1]} on {row[0]}" if row else ""
    return AnotherFeed(f"another feed writes {symbol}{owner}", "Stop the other feed first.")


def _log_failure(error: Exception, wait: float | None) -> None:
    _LOG.warning("database lost: %s; retrying in %.0f s", " ".join(str(error).split()), wait)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
