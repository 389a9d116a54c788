"""Brings one symbol's candles from the exchange into the table: by archives, and by REST what they do not have."""

import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import psycopg

from candlecast.candles.bulk_upsert import move_staged, refuse_broken_row, stage, write_candles
from candlecast.candles.files import Candles
from candlecast.candles.history.archives import Fetched, fetch
from candlecast.candles.history.coverage import record
from candlecast.candles.history.differences import Difference, compare_staged
from candlecast.candles.history.runner import Session
from candlecast.candles.load import Gap
from candlecast.candles.upsert import NUMBERS
from candlecast.core.errors import CandlecastUserError, FileRefused, NotPublished, RowRefused
from candlecast.core.times import MINUTE, microseconds_of
from candlecast.exchanges.base import Archive, Candle, Exchange

#: Gaps that lie within so many minutes are asked for at once: it is what one answer holds.
_WINDOW = timedelta(minutes=1000)
_EXAMPLES = 5
Show = Callable[[int, int, str], None]


@dataclass
class Outcome:
    """What was done for one symbol."""

    symbol: str
    archives: int = 0  #: that were loaded, or compared
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    by_rest: int = 0  #: of the inserted and changed ones
    examples: list[Difference] = field(default_factory=list)  #: of the changed ones, where they were compared
    refused: list[CandlecastUserError] = field(default_factory=list)  #: archives; their days were asked for elsewhere
    broken: list[RowRefused] = field(default_factory=list)  #: candles that the table's rules say no to
    missing: list[Gap] = field(default_factory=list)  #: what the exchange has no candle for either
    is_counted: bool = False  #: whether the missing minutes are known: it was not stopped before
    failed: CandlecastUserError | None = None  #: what ended it before it was done

    @property
    def is_complete(self) -> bool:
        """Whether all that the exchange has is there."""
        return self.is_counted and not self.broken

    @property
    def minutes_missing(self) -> int:
        """How many minutes are still missing."""
        return sum(gap.minutes for gap in self.missing)


class Filler:
    """Fetches and writes. With ``compare`` it says what differed; with ``dry_run`` it writes nothing."""

    def __init__(
        self, session: Session, outcome: Outcome, show: Show, *, compare: bool = False, dry_run: bool = False
    ) -> None:
        self._session, self._outcome = session, outcome
        self._compare, self._dry_run = compare or dry_run, dry_run
        self.found: list[np.ndarray] = []  #: minutes that came, microseconds since the epoch
        self._show, self._began, self._rows, self._done, self._total = show, time.monotonic(), 0, 0, 0

    async def archives(self, archives: Sequence[Archive], further: int = 0) -> set[date]:
        """Load them; the days that came. ``further``: minutes that are left for later, for the bar."""
        self._total = sum((archive.last - archive.first).days + 1 for archive in archives) * 1440 + further
        came: set[date] = set()
        async with aclosing(fetch(self._session.exchange, archives, self._session.now)) as all_:
            async for fetched in all_:
                if fetched.candles is not None and await self._load(fetched, fetched.candles):
                    came.update(fetched.days)
                elif fetched.error is not None and not isinstance(fetched.error, NotPublished):
                    self._outcome.refused.append(fetched.error)
        return came

    async def klines(self, gaps: Iterable[Gap]) -> None:
        """Ask REST for these minutes, each of them once, and write what comes."""
        groups = _together(gaps)
        self._total = self._done + sum(gap.minutes for group in groups for gap in group)
        for group in groups:
            before = self._done
            firsts = [microseconds_of(gap.first) for gap in group]
            lasts = [microseconds_of(gap.last) for gap in group]
            async for page in pages(self._session.exchange, self._outcome.symbol, firsts[0], lasts[-1]):
                places = [bisect_right(firsts, candle.open_time) - 1 for candle in page]
                wanted = [c for c, at in zip(page, places, strict=True) if at >= 0 and c.open_time <= lasts[at]]
                if wanted:
                    await self._load_page(_columns(wanted, self._session.exchange.name))
            self._advance(before + sum(gap.minutes for gap in group) - self._done, 0)

    async def _load(self, fetched: Fetched, candles: Candles) -> bool:
        try:
            await self._write(candles, fetched)
        except FileRefused as error:
            self._outcome.refused.append(error)
            return False
        self._outcome.archives += 1
        return True

    async def _load_page(self, candles: Candles) -> None:
        """What a rule of the table refuses is told and left out; it keeps nothing else back."""
        while len(candles):
            try:
                self._outcome.by_rest += await self._write(candles)
                return
            except RowRefused as error:
                self._outcome.broken.append(error)
                candles = _without(candles, error.index)

    async def _write(self, candles: Candles, fetched: Fetched | None = None) -> int:
        """Rows inserted and changed, counted in the outcome."""
        inserted, changed = await self._session.database(self._put, candles, fetched)
        self._outcome.inserted += inserted
        self._outcome.changed += changed
        self._outcome.unchanged += len(candles) - inserted - changed
        self.found.append(candles.open_time)
        self._advance(0, 0)
        return inserted + changed

    def _put(self, connection: psycopg.Connection, candles: Candles, fetched: Fetched | None) -> tuple[int, int]:
        """One transaction: the candles, and that the archive was loaded."""
        copied = 0

        def show(done: int, _total: int) -> None:
            nonlocal copied
            self._advance(done - copied, done - copied)
            copied = done

        with connection.transaction():
            if self._compare:
                stage(connection, candles, show)
                refuse_broken_row(connection, candles)
                comparison = compare_staged(connection, _EXAMPLES)
                self._outcome.examples += comparison.examples[: _EXAMPLES - len(self._outcome.examples)]
                counts = comparison.missing, comparison.differing
            if not self._compare:
                counts = write_candles(connection, candles, show)
            elif not self._dry_run and any(counts):
                counts = move_staged(connection, candles)
            if fetched is not None and not self._dry_run:
                record(connection, fetched.archive, fetched.sha256, candles)
        return counts

    def _advance(self, minutes: int, rows: int) -> None:
        self._done += minutes
        self._rows += rows
        self._total = max(self._total, self._done)
        seconds = max(time.monotonic() - self._began, 1e-3)
        left = timedelta(seconds=round((self._total - self._done) * seconds / max(self._done, 1)))
        self._show(self._done, self._total, f"{self._rows / seconds:,.0f} rows/s, {str(left).removeprefix('0:')} left")


async def pages(exchange: Exchange, symbol: str, first: int, last: int) -> AsyncIterator[list[Candle]]:
    """The candles with open_time in [first, last], page by page; ends where the exchange has no further ones."""
    while first <= last:
        page = await exchange.klines(symbol, first, last)
        if not page:
            return
        yield page
        first = max(first, page[-1].open_time) + MINUTE


def _together(gaps: Iterable[Gap]) -> list[list[Gap]]:
    """Ascending gaps in groups that one question is about."""
    groups: list[list[Gap]] = []
    for gap in gaps:
        if groups and gap.last - groups[-1][0].first < _WINDOW:
            groups[-1].append(gap)
        else:
            groups.append([gap])
    return groups


def _columns(page: Sequence[Candle], exchange: str) -> Candles:
    """A page of one symbol's candles as the loader has them; its refusals name both."""
    return Candles(
        file=f"{exchange} klines of {page[0].symbol}",
        symbol=page[0].symbol,
        open_time=np.array([candle.open_time for candle in page], dtype=np.int64),
        columns={name: np.array([getattr(candle, name) for candle in page], dtype=np.float64) for name in NUMBERS}
        | {
            "number_of_trades": np.array([_to_int64(candle.number_of_trades) for candle in page], dtype=np.int64),
            "spread_bps": np.full(len(page), np.nan),
        },
        places=np.arange(1, len(page) + 1),
        unit="row",
        unclosed=0,
        duplicates=0,
    )


def _to_int64(number: int) -> int:
    """The nearest number that the column holds: a rule of the table says no to both, and names the candle."""
    return max(-(2**63), min(number, 2**63 - 1))


def _without(candles: Candles, index: int) -> Candles:
    kept = np.arange(len(candles)) != index
    return replace(
        candles,
        open_time=candles.open_time[kept],
        columns={name: column[kept] for name, column in candles.columns.items()},
        places=candles.places[kept],
    )
