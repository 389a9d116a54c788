"""Runs backfill and repair with the stand-in exchange, which runs in its own thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import conninfo

from candlecast.candles.history.backfill import backfill
from candlecast.exchanges.binance import Binance
from candlecast.exchanges.clock import Clock
from tests.exchange import Market, StandIn
from tests.exchange.archives import checksum

#: 2026-05-03 06:30:10 UTC. March and April are recorded, and published as monthly archives.
NOW = 1_777_789_810
TODAY = NOW // 86_400 * 86_400
DAY = 86_400
#: open_time of the minute that is still open at NOW.
END = NOW // 60 * 60


def standing(now: float = NOW) -> Clock:
    """An almost stopped clock: no minute ends during a test."""
    return Clock(0.01, now)


@contextmanager
def running_exchange(exchange: StandIn) -> Iterator[StandIn]:
    """Run the exchange until the block ends, then raise its own errors."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(exchange.__aenter__(), loop).result(10)
        try:
            yield exchange
        finally:
            asyncio.run_coroutine_threadsafe(exchange.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def market_of(
    days: float,
    *,
    now: float = NOW,
    halts: tuple[tuple[float, float], ...] = (),
    symbols: tuple[str, ...] = ("BTCUSDT",),
) -> Iterator[StandIn]:
    """An exchange without faults, with candles of the `days` before today."""
    first = now // DAY * DAY - days * DAY
    with running_exchange(StandIn(Market(symbols, first, now + DAY, halts=halts), standing(now))) as exchange:
        yield exchange


def binance(exchange: StandIn, clock: Clock | None = None, archive_url: str | None = None) -> Binance:
    """The client of the exchange."""
    urls = (exchange.rest_url, exchange.stream_url, archive_url or exchange.archive_url)
    return Binance(clock or Clock(50), *urls, weight_limit=exchange.limits.weight_limit)


def fill(exchange: StandIn, url: str, days: int, *symbols: str) -> int:
    """Run `candlecast backfill`; returns its exit status."""
    return backfill(symbols or ["BTCUSDT"], days, binance(exchange), as_feeder(url))


def as_feeder(url: str) -> str:
    """The URL with the role candlecast_feeder."""
    return conninfo.make_conninfo(url, options="-c role=candlecast_feeder")


def loaded(db: psycopg.Connection) -> list[str]:
    """Names of the loaded archives, without the symbol."""
    names = db.execute("select name from loaded_archives order by first_open_time").fetchall()
    return [name.removeprefix("BTCUSDT-1m-").removesuffix(".zip") for (name,) in names]


class Altered:
    """The exchange's archives, some of them with changed content and a matching CHECKSUM file."""

    def __init__(self, exchange: StandIn, contents: dict[str, bytes]) -> None:
        self._right, self._contents = exchange.archives, contents

    def find(self, path: str, now: float) -> tuple[str, bytes] | None:
        """Like Archives.find."""
        found = self._right.find(path, now)
        if found is None or found[0].removesuffix(".CHECKSUM") not in self._contents:
            return found
        archive = found[0].removesuffix(".CHECKSUM")
        content = self._contents[archive]
        return found[0], checksum(archive, content) if found[0] != archive else content
