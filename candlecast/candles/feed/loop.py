"""``candlecast feed``: keeps the newest candles of some symbols coming into ``candles_1m``, whatever breaks.

    async with exchange_named("binance", clock) as exchange:
        await run_feed(exchange, ["BTCUSDT"], database_url, FeedOptions(), clock)  # until canceled

One task listens to the stream, one for each symbol settles over REST what the stream cannot be trusted for
(``symbol_feed``; ``reconciler`` says what that is), one tends the database connection (``store``), one writes
feed_status. docs/how-to/feed.md says what happens when.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from candlecast.candles.feed.exchange_time import ExchangeTime
from candlecast.candles.feed.options import FeedOptions
from candlecast.candles.feed.store import FeedStatus, Store
from candlecast.candles.feed.symbol_feed import MAX_BACKOFF_SECONDS, SymbolFeed
from candlecast.core.errors import CandlecastUserError, ExchangeError, StoreLost
from candlecast.exchanges.base import Closed, Ending, Exchange, Message, Unreadable
from candlecast.exchanges.clock import Clock
from candlecast.exchanges.retry import backoff

_LOG = logging.getLogger("candlecast.feed")
#: A connection that lasted so long was a good one: the next failure is the first again.
_STABLE_SECONDS = 60.0
#: The end of the feed may take so long to write what is waiting.
STOP_TIMEOUT_SECONDS = 5.0


async def run_feed(
    exchange: Exchange, symbols: Sequence[str], database_url: str | None, options: FeedOptions, clock: Clock
) -> None:
    """Feed until canceled; then what waits is written, and feed_status says 'stopped'.

    Raises CandlecastUserError: no database at the start, another feed at it, a symbol that the exchange has not.
    """
    if len(symbols) > exchange.max_symbols:
        raise CandlecastUserError(
            f"{len(symbols)} symbols are more than one feed carries",
            f"Start several, with at most {exchange.max_symbols} each.",
        )
    store = Store(database_url, exchange.name, symbols, clock)
    await store.open()
    feed = _Feed(exchange, store, symbols, options, clock)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(store.reconnect_forever(feed.on_table_lost))
            tasks.create_task(feed.report_forever())
            tasks.create_task(feed.listen_forever())
            for symbol_feed in feed.symbol_feeds.values():
                tasks.create_task(symbol_feed.keep_forever())
    except BaseExceptionGroup as group:
        for error in group.exceptions:
            if isinstance(error, CandlecastUserError):
                raise error from None
        raise
    finally:
        try:
            await asyncio.wait_for(feed.stop(), STOP_TIMEOUT_SECONDS)
        except (TimeoutError, StoreLost) as error:
            _LOG.warning("stopped without a word to the database: %s", error)
        await store.close()


class _Feed:
    def __init__(
        self, exchange: Exchange, store: Store, symbols: Sequence[str], options: FeedOptions, clock: Clock
    ) -> None:
        self._exchange, self._store, self._options, self._clock = exchange, store, options, clock
        self._time = ExchangeTime(exchange, options, clock)
        self.symbol_feeds = {
            symbol: SymbolFeed(symbol, exchange, store, self._time, options, clock) for symbol in symbols
        }
        self._connected_at: float | None = None
        self._has_been_connected = False
        self._reconnects = 0

    # The stream

    async def listen_forever(self) -> None:
        """Hold a connection to the stream, and make another when it ends."""
        failures = 0
        while True:
            began = self._clock.elapsed()
            try:
                async with self._exchange.stream(list(self.symbol_feeds), quotes=self._options.quotes) as messages:
                    self._on_connected()
                    reason = await self._listen(messages)
            except ExchangeError as error:
                reason = error.message
            lasted = self._clock.elapsed() - began if self._connected_at is not None else 0.0
            self._connected_at = None
            failures = 0 if lasted >= _STABLE_SECONDS else failures + 1
            wait = backoff(failures, MAX_BACKOFF_SECONDS)
            _LOG.warning("no stream: %s; again in %.0f s", reason, wait)
            for symbol_feed in self.symbol_feeds.values():
                symbol_feed.remember_error(f"stream: {reason}")
            await self._clock.sleep(wait)

    def _on_connected(self) -> None:
        _LOG.info("connected to %s: %s", self._exchange.name, _count_symbols(len(self.symbol_feeds)))
        self._reconnects += self._has_been_connected
        self._has_been_connected = True
        self._connected_at = self._clock.now()
        self._time.doubt()
        for symbol_feed in self.symbol_feeds.values():
            symbol_feed.on_connected()

    async def _listen(self, messages: AsyncIterator[Message]) -> str:
        """Until the stream ends by a word or by silence: why. Raises Disconnected."""
        while True:
            try:
                async with self._clock.timeout(self._options.silence):
                    message = await anext(messages)
            except TimeoutError:
                return f"no message for {self._options.silence:.0f} s"
            if isinstance(message, Closed):
                if message.candle.symbol in self.symbol_feeds:  # else not asked for
                    await self.symbol_feeds[message.candle.symbol].take(message.candle)
            elif isinstance(message, Unreadable):
                _LOG.warning("%s", message.reason)
            elif isinstance(message, Ending):
                return message.reason

    # The table

    def on_table_lost(self) -> None:
        """What the table holds is to be read anew."""
        for symbol_feed in self.symbol_feeds.values():
            symbol_feed.on_table_lost()

    async def stop(self) -> None:
        """Write what can be written, and that the feed has stopped."""
        if not self._store.is_ready:
            raise StoreLost("the database is gone")
        for symbol_feed in self.symbol_feeds.values():
            await symbol_feed.write_waiting()
        await self._store.heartbeat(self._statuses("stopped"))
        _LOG.info("stopped")

    # feed_status

    async def report_forever(self) -> None:
        """Bring feed_status up to date every ten seconds, and within a second where a symbol's state changes."""
        told: list[str] = []
        while True:
            await self._store.ready()
            states = self._states()
            if told != states and set(states) == {"live"}:
                _LOG.info("live: %s, complete", _count_symbols(len(states)))
            try:
                await self._store.heartbeat(self._statuses())
                told = states
            except StoreLost as error:
                _LOG.warning("%s", error)
            next_at = self._clock.elapsed() + self._options.heartbeat
            while self._clock.elapsed() < next_at:
                await self._clock.sleep(min(1.0, self._options.heartbeat))
                if told and told != self._states():
                    break

    def _states(self) -> list[str]:
        return [symbol_feed.state(self._connected_at) for symbol_feed in self.symbol_feeds.values()]

    def _statuses(self, state: str | None = None) -> list[FeedStatus]:
        return [
            symbol_feed.status(self._connected_at, self._reconnects, state)
            for symbol_feed in self.symbol_feeds.values()
        ]


def _count_symbols(count: int) -> str:
    return f"{count} symbol{'' if count == 1 else 's'}"
