"""One symbol of the feed: executes the steps of ``reconciler`` on the table and over REST."""

import asyncio
import logging
import random
from contextlib import suppress

from candlecast.candles.feed.exchange_time import ExchangeTime
from candlecast.candles.feed.options import FeedOptions
from candlecast.candles.feed.reconciler import Reconciler, Step
from candlecast.candles.feed.store import FeedStatus, Store
from candlecast.core.errors import ExchangeError, StoreLost, UnknownSymbol
from candlecast.core.times import MINUTE_US, describe_time
from candlecast.exchanges.base import Candle, Exchange
from candlecast.exchanges.clock import Clock
from candlecast.exchanges.retry import backoff

_LOG = logging.getLogger("candlecast.feed")
MAX_BACKOFF_SECONDS = 60.0
_MICROSECONDS = 1_000_000
#: Rejected candles of one page that are logged.
_MAX_REJECTED_LOGGED = 3


class SymbolFeed:
    """Writes one symbol's candles."""

    def __init__(
        self, symbol: str, exchange: Exchange, store: Store, time: ExchangeTime, options: FeedOptions, clock: Clock
    ) -> None:
        self.symbol = symbol
        self._exchange, self._store, self._time = exchange, store, time
        self._options, self._clock = options, clock
        self._verify_window = int(options.verify_window) * _MICROSECONDS
        self._rule = Reconciler(symbol, self._verify_window)
        self._wake = asyncio.Event()
        self._error: tuple[str, float] | None = None  # (message, time by the feed's clock)

    # The stream

    async def take(self, candle: Candle) -> None:
        """Handle a closed candle of the stream."""
        now = self._time.now()
        if now is None:
            return  # REST is read first
        try:
            await self._carry_out(self._rule.on_closed(candle, now))
        except StoreLost as error:
            self.warn(str(error))
            self._request_read()

    def on_connected(self) -> None:
        """Request what the stream may have missed while it was disconnected."""
        overlap = int(self._options.overlap) * _MICROSECONDS
        self._request_read(None if self._rule.newest is None else self._rule.newest - overlap)

    def on_table_lost(self) -> None:
        """The database was away: read the table again."""
        self._rule.on_table_lost()
        self._wake.set()

    async def write_waiting(self) -> None:
        """Write the waiting candles that follow the newest stored one. Raises StoreLost."""
        await self._carry_out(self._rule.write_next())

    async def _carry_out(self, step: Step) -> None:
        """Execute a step and those that follow from it, until nothing is left to write. Raises StoreLost."""
        while True:
            if step.warning is not None:
                self.warn(step.warning)
            if step.doubt_time:
                self._time.doubt()
            if step.read:
                self._wake.set()
            if step.write is None:
                return
            _, refused = await self._store.write([step.write])
            step = self._rule.on_refused(step, refused[0]) if refused else self._rule.on_written(step)

    # REST

    async def keep_forever(self) -> None:
        """Read over REST what is requested or overdue, and the last hour every 7.5 to 15 minutes."""
        failures = 0
        retry_at = 0.0  # by clock.elapsed(), as verify_at
        verify_at = self._next_verification()
        self._request_read()
        while True:
            await self._store.ready()
            now = self._clock.elapsed()
            due_at = max(retry_at, now + self._seconds_until_overdue())
            await self._wait_for_request(max(0.05, min(due_at, verify_at) - now))
            now = self._clock.elapsed()
            if now >= verify_at and self._rule.newest is not None:
                verify_at = self._next_verification()
                self._request_read(self._rule.newest - self._verify_window)
            elif not self._rule.is_read_requested:
                if now < retry_at or self._seconds_until_overdue() > 0:
                    continue
                self._request_read()
            try:
                is_there = await self._settle()
            except (ExchangeError, StoreLost) as error:
                if isinstance(error, UnknownSymbol):  # with stored candles: delisted, which must not stop the others
                    with suppress(StoreLost):  # repeated when the database is back
                        if await self._store.forget(self.symbol):
                            raise
                self.warn(error.message if isinstance(error, ExchangeError) else str(error))
                failures += 1
                await self._clock.sleep(backoff(failures, MAX_BACKOFF_SECONDS))
                continue
            # The backoff applies to a minute that the exchange does not have yet, not to requests by the stream.
            failures = 0 if is_there else failures + 1
            retry_at = 0.0 if is_there else self._clock.elapsed() + backoff(failures, MAX_BACKOFF_SECONDS)

    def _request_read(self, first: int | None = None) -> None:
        self._rule.request_read(first)
        self._wake.set()

    async def _wait_for_request(self, seconds: float) -> None:
        """Wait for a request, at most this long."""
        if self._rule.is_read_requested:
            return
        with suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                await self._wake.wait()

    def _next_verification(self) -> float:
        """Time by clock.elapsed(), random so that the symbols spread out."""
        return self._clock.elapsed() + random.uniform(0.5, 1.0) * self._options.verify_every

    def _seconds_until_overdue(self) -> float:
        """Seconds until the next candle of the stream is late."""
        now = self._time.now()
        if self._rule.newest is None or now is None:
            return 0.0
        return (self._rule.newest + 2 * MINUTE_US) / _MICROSECONDS + self._options.closing_grace - now

    async def _settle(self) -> bool:
        """Read over REST from the first requested minute, or from the newest candle, and store it.

        Returns whether the last complete minute is stored now. Raises ExchangeError, StoreLost: pages that were read
        before are stored, and the rest stays requested.
        """
        first = self._rule.take_request()
        self._wake.clear()
        try:
            last = await self._time.last_minute_over()
            if self._rule.newest is None:
                self._rule.on_table_read(await self._store.newest(self.symbol, last))
                from_start = last - int(self._options.lookback) * _MICROSECONDS
                first = from_start if first is None else min(first, from_start)
            read = self._rule.begin_read(first, last)
            await self.write_waiting()
            while read is not None:
                candles = await self._exchange.klines(self.symbol, read.first, read.last)
                moved = await self._write_page(candles) if candles else 0
                read = self._rule.on_page(read, candles, moved)
                first = read.first if read is not None else None
            await self.write_waiting()
        except BaseException:
            self._request_read(first)
            raise
        return self._rule.end_read(last)

    async def _write_page(self, candles: list[Candle]) -> int:
        """Store a page; returns the number of changed rows. Raises StoreLost."""
        moved, refused = await self._store.write(candles)
        for line in refused[:_MAX_REJECTED_LOGGED]:
            self.warn(line)
        if moved > 1:
            newest = describe_time(candles[-1].open_time)
            _LOG.info("%s: %s candles over REST, up to %s", self.symbol, f"{moved:,}", newest)
        return moved

    # feed_status

    def warn(self, error: str) -> None:
        """Log an error unless it repeats the last one, and remember it for feed_status."""
        if self._error is None or error != self._error[0]:
            _LOG.warning("%s: %s", self.symbol, error)
        self.remember_error(error)

    def remember_error(self, error: str) -> None:
        """Set the last error of feed_status."""
        self._error = error, self._clock.now()

    def state(self, connected_at: float | None) -> str:
        """The state in feed_status."""
        if connected_at is None:
            return "disconnected"
        return "live" if self._rule.is_settled else "catching up"

    def status(self, connected_at: float | None, reconnects: int, state: str | None = None) -> FeedStatus:
        """The row of feed_status."""
        error, error_at = self._error or (None, None)
        return FeedStatus(
            symbol=self.symbol,
            state=state or self.state(connected_at),
            connected_at=connected_at,
            newest=self._rule.newest,
            written=self._rule.written,
            refilled=self._rule.refilled,
            reconnects=reconnects,
            error=error,
            error_at=error_at,
        )
