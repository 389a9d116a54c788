"""Downloads, parses and validates an exchange's archives, a few of them ahead of the consumer.

async with contextlib.aclosing(fetch_archives(exchange, archives, now)) as fetched:
    async for one in fetched:
        ...
"""

import asyncio
import hashlib
import io
import zipfile
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from pathlib import Path

from candlecast.candles.file_formats import parse_table
from candlecast.candles.files import Candles, parse_candles
from candlecast.candles.history.days import Days
from candlecast.core.errors import ExchangeError, FileRefused, Unreachable
from candlecast.core.times import describe_time, microseconds_of
from candlecast.exchanges.base import Archive, Exchange

#: Concurrent downloads. Archives of a day are small, so latency dominates.
_MAX_DOWNLOADS = 4
_DAMAGED = "Run `candlecast repair` later: the exchange may publish a new file."


@dataclass(frozen=True)
class FetchedArchive:
    """An archive's candles and the file's hash, or the error."""

    archive: Archive
    candles: Candles | None = None
    sha256: str = ""
    error: ExchangeError | FileRefused | None = None

    @property
    def days(self) -> Days:
        """The archive's days."""
        return Days(self.archive.first, self.archive.last)


async def fetch_archives(
    exchange: Exchange, archives: Iterable[Archive], now: float
) -> AsyncGenerator[FetchedArchive, None]:
    """Yield every archive, in order; after a month that failed, the archives of its days. ``now``: exchange clock.

    Errors are yielded, not raised. The iteration ends after an Unreachable.
    """
    waiting = deque(archives)
    tasks: deque[asyncio.Task[FetchedArchive]] = deque()
    try:
        while waiting or tasks:
            while waiting and len(tasks) < _MAX_DOWNLOADS:
                tasks.append(asyncio.create_task(_fetch(exchange, waiting.popleft(), now)))
            one = await tasks.popleft()
            if one.error is not None and one.archive.first != one.archive.last:
                waiting.extendleft(reversed(exchange.days_of(one.archive)))
            yield one
            if isinstance(one.error, Unreachable):
                return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _fetch(exchange: Exchange, archive: Archive, now: float) -> FetchedArchive:
    try:
        content = await exchange.download(archive)
        candles = await asyncio.to_thread(_read, content, archive, now)
    except (ExchangeError, FileRefused) as error:
        return FetchedArchive(archive, error=error)
    return FetchedArchive(archive, candles, hashlib.sha256(content).hexdigest())


def _read(content: bytes, archive: Archive, now: float) -> Candles:
    """The candles of a downloaded archive. Raises FileRefused if they do not match the archive's name."""
    name = archive.name
    try:
        candles = parse_candles(parse_table(name, content), archive.symbol, now)
    except FileRefused as error:
        raise FileRefused(name, error.reason, _DAMAGED, error.place) from None
    inside = [member for member in zipfile.ZipFile(io.BytesIO(content)).namelist() if member.lower().endswith(".csv")]
    if inside != [f"{Path(name).stem}.csv"]:
        raise FileRefused(name, f"contains {', '.join(inside)}, which belongs to another archive", _DAMAGED)
    if not len(candles) or candles.unclosed:
        raise FileRefused(name, f"{candles.unclosed:,} of its candles end after now", _DAMAGED)
    days = Days(archive.first, archive.last)
    first, last = microseconds_of(days.start), microseconds_of(days.end)
    outside = [minute for minute in candles.open_time[[0, -1]] if not first <= minute < last]
    if outside:
        when = describe_time(int(outside[0]))
        span = f"{archive.first}" if archive.first == archive.last else f"{archive.first} to {archive.last}"
        raise FileRefused(name, f"contains the candle of {when}, which is outside of its days ({span})", _DAMAGED)
    return candles
