"""``candlecast feed``: keeps the newest candles of some symbols coming into ``candles_1m``, whatever breaks.

    async with exchange_named("binance", clock) as exchange:
        await run(exchange, ["BTCUSDT"], database_url, FeedOptions(), clock)  # until cancelled

One task listens to the stream, one for each symbol settles over REST what the stream cannot be trusted for (``tail``
says what that is), one tends the database connection, one writes feed_status. docs/feeds.md says what happens when.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from candlecast.candles.feed.reconciler import Tail
from candlecast.candles.feed.store import State, Store
from candlecast.core.errors import CandlecastUserError, ExchangeError, StoreLost, UnknownSymbol
from candlecast.core.times import MINUTE, describe_time
from candlecast.exchanges.base import Candle, Closed, Ending, Exchange, Message, Unreadable
from candlecast.exchanges.clock import Clock
from candlecast.exchanges.http import backoff

_LOG = logging.getLogger("candlecast.feed")
_SECOND = 1_000_000
_LONGEST_BACKOFF = 60.0
#: A connection that lasted so long (seconds) was a good one: the next failure is the first again.
_STABLE = 60.0
#: Seconds that a candle may be called closed before its end by our reckoning of the exchange's clock.
_EARLY = 30.0
#: Seconds that the end of the feed may take to write what is waiting.
_LAST_WORDS = 5.0


@dataclass(frozen=True)
class FeedOptions:
    """Times in seconds, by the feed's clock."""

    quotes: bool = False  #: read the book tickers, for spread_bps
    lookback: float = 86_400.0  #: at the start so much is read again, so that older gaps close
    overlap: float = 600.0  #: after a reconnection so much
    verify_every: float = 900.0  #: how often REST is held against the table
    verify_window: float = 3_600.0  #: how much of it then: a candle that is revised later needs `candlecast repair`
    silence: float = 90.0  #: a stream that says nothing for so long is dead
    closing_grace: float = 5.0  #: a candle that the stream has not brought so long after its minute is asked for
    rest_margin: float = 2.0  #: a minute is over for REST so long after its end
    heartbeat: float = 10.0


async def run(
    exchange: Exchange, symbols: Sequence[str], database_url: str | None, options: FeedOptions, clock: Clock
) -> None:
    """Feed until cancelled; then what waits is written, and feed_status says 'stopped'.

    Raises CandlecastUserError: no database at the start, another feed at it, a symbol that the exchange has not.
    """
    if len(symbols) > exchange.symbols_at_once:
        raise CandlecastUserError(
            f"{len(symbols)} symbols are more than one feed carries",
            f"Start several, with at most {exchange.symbols_at_once} each.",
        )
    store = Store(database_url, exchange.name, symbols, clock)
    await store.open()
    feed = _Feed(exchange, store, symbols, options, clock)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(store.reconnect_forever(feed.database_returned))
            tasks.create_task(feed.report_forever())
            tasks.create_task(feed.listen_forever())
            for tail in feed.tails.values():
                tasks.create_task(feed.keep_forever(tail))
    except BaseExceptionGroup as group:
        for error in group.exceptions:
            if isinstance(error, CandlecastUserError):
                raise error from None
        raise
    finally:
        try:
            await asyncio.wait_for(feed.last_words(), _LAST_WORDS)
        except (TimeoutError, StoreLost) as error:
            _LOG.warning("stopped without a word to the database: %s", error)
        await store.close()


class _Feed:
    def __init__(
        self, exchange: Exchange, store: Store, symbols: Sequence[str], options: FeedOptions, clock: Clock
    ) -> None:
        self._exchange, self._store, self._options, self._clock = exchange, store, options, clock
        self.tails = {symbol: Tail(symbol) for symbol in symbols}
        self._verify_window = int(options.verify_window) * _SECOND
        self._connected_at: float | None = None
        self._has_been_connected = False
        self._reconnects = 0
        self._measured: tuple[float, float] | None = None  # the exchange's time, and clock.elapsed() when it said so
        self._is_doubted = False  # what was measured: a machine that slept did not count the seconds
        self._measuring = asyncio.Lock()

    # The exchange's clock

    async def _last_minute_over(self) -> int:
        """The newest minute that REST can be trusted to have whole. Raises Unreachable where no time is known."""
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
        now = self._exchange_now()
        assert now is not None, "measured above"
        return _minute_of(now - self._options.rest_margin) - MINUTE

    def _exchange_now(self) -> float | None:
        """Seconds since the epoch: rather late than early, and no change of this machine's clock moves it."""
        if self._measured is None:
            return None
        time, elapsed = self._measured
        return time + self._clock.elapsed() - elapsed

    # The stream

    async def listen_forever(self) -> None:
        """Hold a connection to the stream, and make another when it ends."""
        failures = 0
        while True:
            began = self._clock.elapsed()
            try:
                async with self._exchange.stream(list(self.tails), quotes=self._options.quotes) as messages:
                    _LOG.info("connected to %s: %s", self._exchange.name, _symbols(len(self.tails)))
                    self._reconnects += self._has_been_connected
                    self._has_been_connected = True
                    self._connected_at, self._is_doubted = self._clock.now(), True
                    for tail in self.tails.values():
                        tail.ask(self._overlap_of(tail))
                    reason = await self._listen(messages)
            except ExchangeError as error:
                reason = error.message
            lasted = self._clock.elapsed() - began if self._connected_at is not None else 0.0
            self._connected_at = None
            failures = 0 if lasted >= _STABLE else failures + 1
            wait = backoff(failures, _LONGEST_BACKOFF)
            _LOG.warning("no stream: %s; again in %.0f s", reason, wait)
            for tail in self.tails.values():
                tail.error, tail.error_at = f"stream: {reason}", self._clock.now()
            await self._clock.sleep(wait)

    def _overlap_of(self, tail: Tail) -> int | None:
        return None if tail.newest is None else tail.newest - int(self._options.overlap) * _SECOND

    async def _listen(self, messages: AsyncIterator[Message]) -> str:
        """Until the stream ends by a word or by silence: why. Raises Disconnected."""
        while True:
            try:
                async with self._clock.timeout(self._options.silence):
                    message = await anext(messages)
            except TimeoutError:
                return f"no message for {self._options.silence:.0f} s"
            if isinstance(message, Closed):
                await self._take(message.candle)
            elif isinstance(message, Unreadable):
                _LOG.warning("%s", message.reason)
            elif isinstance(message, Ending):
                return message.reason

    async def _take(self, candle: Candle) -> None:
        tail = self.tails.get(candle.symbol)
        now = self._exchange_now()
        if tail is None or now is None:
            return  # not asked for; or REST comes first anyway
        if candle.open_time + MINUTE > (now + _EARLY) * _SECOND:
            self._note(tail, f"{describe_time(candle.open_time)} is called closed before its end: left out")
            self._is_doubted = True
            tail.ask()
        elif tail.is_too_old(candle, self._verify_window):
            self._note(tail, f"{describe_time(candle.open_time)} is too old for the feed: left to `candlecast repair`")
        elif tail.offer(candle):
            try:
                await self._drain(tail)
            except StoreLost as error:
                self._note(tail, str(error))
                tail.ask()

    async def _drain(self, tail: Tail) -> None:
        """Write what waits right behind the newest candle, each in its own transaction. Raises StoreLost."""
        while (candle := tail.next_waiting()) is not None:
            times_lost = tail.times_lost
            _, refused = await self._store.write([candle])
            if tail.times_lost != times_lost:
                return
            if refused:  # REST may have a better one
                self._note(tail, refused[0])
                tail.waiting.pop(candle.open_time, None)
                tail.ask()
                return
            tail.written += 1
            tail.stored([candle])

    # REST

    async def keep_forever(self, tail: Tail) -> None:
        """Settle over REST whatever is asked for, whatever is overdue, and every now and then the last hour."""
        failures = 0
        retry_at = 0.0  # by clock.elapsed(), as verify_at
        verify_at = self._next_verification()
        tail.ask()
        while True:
            await self._store.ready()
            now = self._clock.elapsed()
            due_at = max(retry_at, now + self._until_overdue(tail))
            await tail.wait_to_be_asked(self._clock, max(0.05, min(due_at, verify_at) - now))
            now = self._clock.elapsed()
            if now >= verify_at and tail.newest is not None:
                verify_at = self._next_verification()
                tail.ask(tail.newest - self._verify_window)
            elif not tail.is_asked:
                if now < retry_at or self._until_overdue(tail) > 0:
                    continue
                tail.ask()
            try:
                is_there = await self._settle(tail)
            except (ExchangeError, StoreLost) as error:
                if isinstance(error, UnknownSymbol):  # one that has candles was delisted, which must stop no other
                    with suppress(StoreLost):  # asked for again when the database is back
                        if await self._store.forget(tail.symbol):
                            raise
                self._note(tail, error.message if isinstance(error, ExchangeError) else str(error))
                failures += 1
                await self._clock.sleep(backoff(failures, _LONGEST_BACKOFF))
                continue
            # A minute that the exchange has not (yet) is waited for; what the stream asks for meanwhile is not.
            failures = 0 if is_there else failures + 1
            retry_at = 0.0 if is_there else self._clock.elapsed() + backoff(failures, _LONGEST_BACKOFF)

    def _next_verification(self) -> float:
        """By clock.elapsed(); symbols take turns by chance."""
        return self._clock.elapsed() + random.uniform(0.5, 1.0) * self._options.verify_every

    def _until_overdue(self, tail: Tail) -> float:
        """Seconds until the stream is late with the next candle."""
        now = self._exchange_now()
        if tail.newest is None or now is None:
            return 0.0
        return (tail.newest + 2 * MINUTE) / _SECOND + self._options.closing_grace - now

    async def _settle(self, tail: Tail) -> bool:
        """Read from REST what is there after the newest candle, and from where it was asked for on.

        Whether the newest minute that is over is there now. Raises ExchangeError, StoreLost: what was read before is
        stored, and the rest stays asked for.
        """
        position = tail.take_question()
        try:
            last = await self._last_minute_over()
            if tail.newest is None:
                tail.newest = await self._store.newest(tail.symbol, last)
                position = _earlier(position, last - int(self._options.lookback) * _SECOND)
            times_lost = tail.times_lost
            position = _earlier(position, None if tail.newest is None else tail.newest + MINUTE)
            await self._drain(tail)
            while position <= last and tail.times_lost == times_lost:
                candles = await self._exchange.klines(tail.symbol, position, last)
                if not candles:
                    break
                moved, refused = await self._store.write(candles)
                if tail.times_lost != times_lost:
                    return False
                for line in refused[:3]:
                    self._note(tail, line)
                tail.refilled += moved
                tail.stored(candles)
                position = candles[-1].open_time + MINUTE
                if moved > 1:
                    newest = describe_time(candles[-1].open_time)
                    _LOG.info("%s: %s candles by REST, up to %s", tail.symbol, f"{moved:,}", newest)
            await self._drain(tail)
        except BaseException:
            tail.ask(position)
            raise
        if not tail.is_asked:
            tail.settled = True
        return tail.newest is not None and tail.newest >= last

    # feed_status

    async def report_forever(self) -> None:
        """Bring feed_status up to date every ten seconds, and within a second where a symbol's state changes."""
        told: list[str] = []
        while True:
            await self._store.ready()
            states = [self._state_of(tail) for tail in self.tails.values()]
            if told != states and set(states) == {"live"}:
                _LOG.info("live: %s, complete", _symbols(len(states)))
            try:
                await self._store.heartbeat(self._states())
                told = states
            except StoreLost as error:
                _LOG.warning("%s", error)
            next_at = self._clock.elapsed() + self._options.heartbeat
            while self._clock.elapsed() < next_at:
                await self._clock.sleep(min(1.0, self._options.heartbeat))
                if told and told != [self._state_of(tail) for tail in self.tails.values()]:
                    break

    def database_returned(self) -> None:
        """What the table holds is to be read anew."""
        for tail in self.tails.values():
            tail.forget()

    async def last_words(self) -> None:
        """Write what can be written, and that the feed has stopped."""
        if not self._store.is_ready:
            raise StoreLost("the database is gone")
        for tail in self.tails.values():
            await self._drain(tail)
        await self._store.heartbeat(self._states("stopped"))
        _LOG.info("stopped")

    def _states(self, state: str | None = None) -> list[State]:
        return [
            State(
                symbol=tail.symbol,
                state=state or self._state_of(tail),
                connected_at=self._connected_at,
                newest=tail.newest,
                written=tail.written,
                refilled=tail.refilled,
                reconnects=self._reconnects,
                error=tail.error,
                error_at=tail.error_at,
            )
            for tail in self.tails.values()
        ]

    def _state_of(self, tail: Tail) -> str:
        if self._connected_at is None:
            return "disconnected"
        return "live" if tail.settled else "catching up"

    def _note(self, tail: Tail, error: str) -> None:
        if error != tail.error:
            _LOG.warning("%s: %s", tail.symbol, error)
        tail.error, tail.error_at = error, self._clock.now()


def _minute_of(seconds: float) -> int:
    """The minute that this moment lies in, as its open_time."""
    return int(seconds * _SECOND) // MINUTE * MINUTE


def _earlier(one: int | None, other: int | None) -> int:
    """The earlier one of two minutes, of which one may not be known."""
    return min(minute for minute in (one, other) if minute is not None)


def _symbols(count: int) -> str:
    return f"{count} symbol{'' if count == 1 else 's'}"
