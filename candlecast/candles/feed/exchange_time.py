"""The exchange's time, which decides when a minute is over: requested every 15 minutes, extrapolated in between."""

import asyncio

from candlecast.candles.feed.options import FeedOptions
from candlecast.core.errors import ExchangeError
from candlecast.core.times import MINUTE_US
from candlecast.exchanges.base import Exchange
from candlecast.exchanges.clock import Clock


class ExchangeTime:
    """The exchange's time, independent of changes to this machine's clock."""

    def __init__(self, exchange: Exchange, options: FeedOptions, clock: Clock) -> None:
        self._exchange, self._options, self._clock = exchange, options, clock
        self._measured: tuple[float, float] | None = None  # (exchange time, clock.elapsed()) of the last request
        self._is_doubted = False  # the measurement may be wrong: elapsed() does not count while the machine sleeps
        self._measuring = asyncio.Lock()

    def now(self) -> float | None:
        """Seconds since the epoch, late by the latency of the request; None before the first request."""
        if self._measured is None:
            return None
        time, elapsed = self._measured
        return time + self._clock.elapsed() - elapsed

    def doubt(self) -> None:
        """Request the time again before the next use."""
        self._is_doubted = True

    async def last_minute_over(self) -> int:
        """The newest minute that is complete over REST. Raises Unreachable if no time is known."""
        async with self._measuring:
            measured = self._measured
            is_old = measured is None or self._clock.elapsed() - measured[1] > self._options.verify_every
            if is_old or self._is_doubted:
                try:
                    time = await self._exchange.server_time()
                    self._measured, self._is_doubted = (time, self._clock.elapsed()), False
                except ExchangeError:
                    if measured is None:
                        raise
        now = self.now()
        assert now is not None, "measured above"
        return int((now - self._options.rest_margin) * 1_000_000) // MINUTE_US * MINUTE_US - MINUTE_US
