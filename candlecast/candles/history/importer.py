"""Imports one symbol's candles from the exchange's archives, and over REST what the archives do not have."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import date, timedelta

import numpy as np
import psycopg

from candlecast.candles.bulk_upsert import refuse_broken_row, stage_candles, upsert_staged, write_candles
from candlecast.candles.files import Candles
from candlecast.candles.gaps import Gap
from candlecast.candles.history.archives import FetchedArchive, fetch_archives
from candlecast.candles.history.coverage import record_archive
from candlecast.candles.history.days import group_days
from candlecast.candles.history.differences import find_differences
from candlecast.candles.history.klines import convert_page, fetch_pages, group_gaps, remove_candle
from candlecast.candles.history.outcome import Outcome
from candlecast.candles.history.runner import Context
from candlecast.core.errors import FileRefused, NotPublished, RowRefused
from candlecast.core.times import microseconds_of

#: Limit of the differing candles that are printed.
_MAX_EXAMPLES = 5
Show = Callable[[int, int, str], None]


class Importer:
    """Downloads and writes. With ``compare`` it also records differences; with ``dry_run`` it writes nothing."""

    def __init__(
        self, context: Context, outcome: Outcome, show: Show, *, compare: bool = False, dry_run: bool = False
    ) -> None:
        self._context, self._outcome = context, outcome
        self._compare, self._dry_run = compare or dry_run, dry_run
        self.minutes_found: list[np.ndarray] = []  #: downloaded minutes, microseconds since the epoch
        self._show, self._began, self._rows, self._done, self._total = show, time.monotonic(), 0, 0, 0

    async def import_days(self, days: Sequence[date], further: int = 0) -> set[date]:
        """Load the archives of ascending days; returns the loaded days. ``further``: minutes to add to the total."""
        exchange, symbol = self._context.exchange, self._outcome.symbol
        archives = [one for part in group_days(days) for one in exchange.archives(symbol, part.first, part.last)]
        self._total = len(days) * 1440 + further
        loaded: set[date] = set()
        async with aclosing(fetch_archives(exchange, archives, self._context.now)) as archives_fetched:
            async for fetched in archives_fetched:
                if fetched.candles is not None and await self._load(fetched, fetched.candles):
                    loaded.update(fetched.days)
                elif fetched.error is not None and not isinstance(fetched.error, NotPublished):
                    self._outcome.refused.append(fetched.error)
        return loaded

    async def import_klines(self, gaps: Iterable[Gap]) -> None:
        """Request these minutes over REST, each once, and write the candles."""
        groups = group_gaps(gaps)
        self._total = self._done + sum(gap.minutes for group in groups for gap in group)
        for group in groups:
            before = self._done
            firsts = [microseconds_of(gap.first) for gap in group]
            lasts = [microseconds_of(gap.last) for gap in group]
            async for page in fetch_pages(self._context.exchange, self._outcome.symbol, firsts[0], lasts[-1]):
                places = [bisect_right(firsts, candle.open_time) - 1 for candle in page]
                wanted = [c for c, at in zip(page, places, strict=True) if at >= 0 and c.open_time <= lasts[at]]
                if wanted:
                    await self._load_page(convert_page(wanted, self._context.exchange.name))
            self._advance(before + sum(gap.minutes for gap in group) - self._done, 0)

    async def _load(self, fetched: FetchedArchive, candles: Candles) -> bool:
        try:
            await self._write(candles, fetched)
        except FileRefused as error:
            self._outcome.refused.append(error)
            return False
        self._outcome.archives += 1
        return True

    async def _load_page(self, candles: Candles) -> None:
        """Write a page; a candle that the table rejects is recorded and skipped."""
        while len(candles):
            try:
                self._outcome.by_rest += await self._write(candles)
                return
            except RowRefused as error:
                self._outcome.broken.append(error)
                candles = remove_candle(candles, error.index)

    async def _write(self, candles: Candles, fetched: FetchedArchive | None = None) -> int:
        """Write candles and count them in the outcome; returns the number of inserted and changed rows."""
        inserted, changed = await self._context.execute(self._put, candles, fetched)
        self._outcome.inserted += inserted
        self._outcome.changed += changed
        self._outcome.unchanged += len(candles) - inserted - changed
        self.minutes_found.append(candles.open_time)
        self._advance(0, 0)
        return inserted + changed

    def _put(self, connection: psycopg.Connection, candles: Candles, fetched: FetchedArchive | None) -> tuple[int, int]:
        """Write the candles and record the archive, in one transaction."""
        copied = 0

        def show(done: int, _total: int) -> None:
            nonlocal copied
            self._advance(done - copied, done - copied)
            copied = done

        with connection.transaction():
            if self._compare:
                stage_candles(connection, candles, show)
                refuse_broken_row(connection, candles)
                differences = find_differences(connection, _MAX_EXAMPLES)
                self._outcome.examples += differences.examples[: _MAX_EXAMPLES - len(self._outcome.examples)]
                counts = differences.missing, differences.differing
            if not self._compare:
                counts = write_candles(connection, candles, show)
            elif not self._dry_run and any(counts):
                counts = upsert_staged(connection, candles)
            if fetched is not None and not self._dry_run:
                record_archive(connection, fetched.archive, fetched.sha256, candles)
        return counts

    def _advance(self, minutes: int, rows: int) -> None:
        self._done += minutes
        self._rows += rows
        self._total = max(self._total, self._done)
        seconds = max(time.monotonic() - self._began, 1e-3)
        left = timedelta(seconds=round((self._total - self._done) * seconds / max(self._done, 1)))
        self._show(self._done, self._total, f"{self._rows / seconds:,.0f} rows/s, {str(left).removeprefix('0:')} left")
