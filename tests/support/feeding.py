"""Runs the feed with the stand-in exchange, faster than real time, and compares the table with the market."""

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from candlecast.candles.feed.loop import run_feed
from candlecast.candles.feed.options import FeedOptions
from candlecast.core.errors import ExchangeError
from candlecast.exchanges.binance import Binance
from candlecast.exchanges.clock import Clock
from tests.exchange import Counters, Faults, Market, Row, StandIn

SYMBOLS = ("BTCUSDT", "AVAXUSDT", "FILUSDT")
#: The start of a replay: 2026-04-16 11:00 UTC, within the recorded months.
START = 1_776_337_200
MINUTE, HOUR, DAY = 60, 3_600, 86_400
_COLUMNS = ", ".join(Row._fields[1:])
_ROWS = f"select extract(epoch from open_time)::int8, {_COLUMNS} from {{table}} where symbol = %s order by open_time"
_WATCH = f"""
create table written (symbol text, open_time timestamptz, {", ".join(f"{name} float8" for name in Row._fields[1:])});
create function note_written() returns trigger language plpgsql as $$
begin
    insert into written (symbol, open_time, {_COLUMNS})
    values (new.symbol, new.open_time, {", ".join(f"new.{name}" for name in Row._fields[1:])});
    return null;
end $$;
create trigger note_written after insert or update on candles_1m for each row execute function note_written()
"""


class ReplayClock(Clock):
    """A clock whose speed can change."""

    def __init__(self, speed: float, start: float = START) -> None:
        super().__init__(speed, start)
        self._passed = 0.0

    def elapsed(self) -> float:
        return self._passed + (time.monotonic() - self._began) * self.speed

    def change_speed(self, speed: float) -> None:
        self._passed, self._began = self.elapsed(), time.monotonic()
        self.speed = speed


def stored(db: psycopg.Connection, symbol: str, table: str = "candles_1m") -> list[Row]:
    """All rows of a symbol in the table."""
    return [Row(*row) for row in db.execute(_ROWS.format(table=table), (symbol,))]


def watch(db: psycopg.Connection) -> None:
    """Record every version of every row of candles_1m from now on, in the table ``written``."""
    db.execute(_WATCH)


def difference(db: psycopg.Connection, market: Market, symbol: str, first: float, last: float) -> str:
    """The differences between the table and the market; empty if the table has exactly the candles of [first, last)."""
    have = {row.open_time: row for row in stored(db, symbol)}
    first, last = min([int(first), *have]), max([int(last), *(minute + MINUTE for minute in have)])
    truth = {row.open_time: row for row in market.truth(symbol, first, last)}
    found = {
        "missing": sorted(truth.keys() - have.keys()),
        "extra": sorted(have.keys() - truth.keys()),
        "wrong": sorted(minute for minute in truth.keys() & have.keys() if truth[minute] != have[minute]),
    }
    lines = [f"{len(minutes)} {what}: {minutes[:5]}" for what, minutes in found.items() if minutes]
    lines += [f"{have[minute]} instead of {truth[minute]}" for minute in found["wrong"][:1]]
    return f"{symbol}: {'; '.join(lines)}" if lines else ""


def never_true(db: psycopg.Connection, market: Market, symbol: str) -> list[Row]:
    """Versions recorded by ``watch`` that the exchange never published as closed candles."""
    versions = stored(db, symbol, "written")
    minutes = {row.open_time for row in versions}
    known = {market.row(symbol, minute, now) for minute in minutes for now in (minute + MINUTE, math.inf)}
    return [row for row in versions if row not in known]


@asynccontextmanager
async def feeding(
    exchange: StandIn, url: str, options: FeedOptions, symbols: Sequence[str] = SYMBOLS, clock: Clock | None = None
) -> AsyncIterator[Binance]:
    """Run the feed in the background, stop it at the end, and raise its errors."""
    clock = clock or exchange.clock
    urls = (exchange.rest_url, exchange.stream_url, exchange.archive_url)
    async with Binance(clock, *urls, weight_limit=exchange.limits.weight_limit) as binance:
        task = asyncio.create_task(run_feed(binance, symbols, url, options, clock))
        try:
            yield binance
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@dataclass(frozen=True)
class Replay:
    """The result of a replay with all faults, after the feed was stopped."""

    seed: int
    differences: list[str]  #: between the table, including earlier versions of its rows, and the market
    counters: Counters
    rows: int
    refused_archives: int

    def problems(self) -> list[str]:
        """The differences and the violations of the exchange's rules; empty if all is well."""
        return self.differences + [f"{name}: {count}" for name, count in self.counters.violations().items()]


def replay(
    seeds: Sequence[int], urls: Sequence[str], hours: float, speed: float, symbols: Sequence[str] = SYMBOLS
) -> list[Replay]:
    """Feed for ``hours`` with all faults, then half an hour without faults, in which the feed catches up and verifies.

    Each seed has its own exchange and database; all run concurrently in this process. Every other exchange has a low
    rate limit. At the same time daily archives are downloaded over the same connections.
    """
    logging.getLogger("candlecast").setLevel(logging.ERROR)

    async def run_all() -> list[Replay]:
        return await asyncio.gather(
            *(_replay(seed, url, hours, speed, symbols) for seed, url in zip(seeds, urls, strict=True))
        )

    return asyncio.run(run_all())


async def _replay(seed: int, url: str, hours: float, speed: float, symbols: Sequence[str]) -> Replay:
    faulty_until = START + hours * HOUR
    end = faulty_until + HOUR / 2
    market = Market(symbols, START - 2 * DAY, end + DAY, Faults.menu(seed, since=START, until=faulty_until))
    clock = Clock(speed, START)
    standing_in = StandIn(market, clock, weight_limit=6000 if seed % 2 else 12, update_every=20.0)
    with psycopg.connect(url, autocommit=True) as db:
        watch(db)
        async with standing_in as exchange, feeding(exchange, url, FeedOptions(lookback=8 * HOUR), symbols) as binance:
            refused = await _fetch_archives(binance, exchange, 6)
            await clock.sleep(end - clock.now())
            # On a busy machine everything is late, but the replay's clock does not wait. The feed has caught up when
            # all candles are stored and all pings are answered.
            for _ in range(10):
                unanswered = _unanswered(exchange)
                if not unanswered and not await asyncio.to_thread(_differences, db, market, end):
                    break
                await asyncio.sleep(1.5)
        found = unanswered + await asyncio.to_thread(_differences, db, market, end)
        for symbol in symbols:
            found += [f"never published: {row}" for row in await asyncio.to_thread(never_true, db, market, symbol)]
        (rows,) = db.execute("select count(*) from candles_1m").fetchone()
    return Replay(seed, found, exchange.counters, rows, refused)


def _differences(db: psycopg.Connection, market: Market, until: float) -> list[str]:
    found = (difference(db, market, symbol, START - HOUR, until) for symbol in market.symbols)
    return [line for line in found if line]


def _unanswered(exchange: StandIn) -> list[str]:
    """Pings without a pong for more than a second of real time."""
    ages = (age / exchange.clock.speed for age in exchange.unanswered_pings())
    lines = [f"a ping without a pong for {age:.1f} s" for age in ages if age > 1]
    return lines if exchange.counters.pongs else [*lines, "no ping was ever answered"]


async def _fetch_archives(binance: Binance, exchange: StandIn, count: int) -> int:
    """Download yesterday's archive ``count`` times; returns the number of refusals. Damaged ones must be refused."""
    yesterday = datetime.fromtimestamp(START, UTC).date() - timedelta(days=1)
    (archive,) = binance.archives(exchange.market.symbols[0], yesterday, yesterday)
    path = archive.url.removeprefix(exchange.archive_url)
    refused = 0
    for _ in range(count):
        try:
            content = await binance.download(archive)
        except ExchangeError as error:  # after three damaged downloads or six server errors
            refused += archive.name in error.message
        else:
            _, right = exchange.archives.find(path, exchange.clock.now())
            assert hashlib.sha256(content).digest() == hashlib.sha256(right).digest(), "a damaged archive"
    return refused
