"""The newest end of one symbol's candles: what of the stream is written at once, what waits, and what REST must settle.

The stream is trusted for exactly one candle, the one after the newest. Whatever else it says (a minute further on, an
older one with other values) and whatever it fails to say in time is settled by REST, which reads from the newest candle
on. So no hole is ever left behind the newest minute, in whatever order messages come.
"""

import asyncio
from dataclasses import dataclass, field, replace

from candlecast.core.times import MINUTE
from candlecast.exchanges.base import Candle
from candlecast.exchanges.clock import Clock

#: Closed candles that wait for REST or for the database, and candles that are remembered to know repetitions by.
MOST_WAITING = 240
_REMEMBERED = 180


@dataclass
class Tail:
    """One symbol. Minutes are open_times, microseconds since the epoch."""

    symbol: str
    newest: int | None = None  #: stored, with every minute behind it that the exchange has; None: not known
    settled: bool = False  #: REST has nothing left to do: the newest is as new as the exchange's
    times_lost: int = 0  #: what the table holds had to be read anew so often
    written: int = 0  #: candles of the stream that were stored
    refilled: int = 0  #: rows that REST inserted or changed
    error: str | None = None
    error_at: float | None = None  #: by the clock that the feed goes by
    waiting: dict[int, Candle] = field(default_factory=dict)  #: closed candles of the stream, not stored yet
    _asked_from: int | None = None  #: REST shall read from here on, or from the newest candle on
    _is_asked: bool = False
    _recent: dict[int, Candle] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, candle: Candle) -> bool:
        """Take in a closed candle of the stream; whether ``next_waiting`` has something to write now."""
        minute = candle.open_time
        if self._is_repetition(candle):
            return False
        if self.newest is not None and minute <= self.newest:  # late or revised: REST says what holds
            self.ask(minute)
            return False
        self.waiting[minute] = candle
        if len(self.waiting) > MOST_WAITING:  # a long way behind: REST will bring the older ones
            del self.waiting[min(self.waiting)]
        if self.next_waiting() is not None:  # whatever REST still reads: nothing is missing before it
            return True
        if self.settled:  # minutes are missing before it
            self.ask()
        return False

    def is_too_old(self, candle: Candle, window: int) -> bool:
        """Whether it lies further behind the newest than REST verifies, and does not just repeat what is known."""
        is_behind = self.newest is not None and candle.open_time < self.newest - window
        return is_behind and not self._is_repetition(candle)

    def _is_repetition(self, candle: Candle) -> bool:
        known = self._recent.get(candle.open_time)
        return known is not None and replace(known, spread_bps=None) == replace(candle, spread_bps=None)

    def next_waiting(self) -> Candle | None:
        """The closed candle that comes right after the newest one."""
        return None if self.newest is None else self.waiting.get(self.newest + MINUTE)

    def stored(self, candles: list[Candle]) -> None:
        """These are in the table now, ascending, and follow what was there."""
        if not candles:
            return
        last = candles[-1].open_time
        self.newest = last if self.newest is None else max(self.newest, last)
        self._recent.update((candle.open_time, candle) for candle in candles[-_REMEMBERED:])
        for minute in sorted(self._recent)[:-_REMEMBERED]:
            del self._recent[minute]
        for minute in [minute for minute in self.waiting if minute <= self.newest]:
            del self.waiting[minute]

    def forget(self) -> None:
        """What the table holds is not known any more: the database was lost."""
        self.newest = None
        self.times_lost += 1
        self._recent.clear()
        self.ask()

    def ask(self, first: int | None = None) -> None:
        """Have REST read from this minute on, at the latest from the one after the newest."""
        if first is not None:
            self._asked_from = first if self._asked_from is None else min(self._asked_from, first)
        self.settled = False
        self._is_asked = True
        self._wake.set()

    @property
    def is_asked(self) -> bool:
        """REST has something to settle."""
        return self._is_asked

    def take_question(self) -> int | None:
        """The minute that was asked for, and the question is taken; None: from the newest on."""
        first, self._asked_from, self._is_asked = self._asked_from, None, False
        self._wake.clear()
        return first

    async def wait_to_be_asked(self, clock: Clock, seconds: float) -> None:
        """Until there is something to settle, at most so long."""
        if self._is_asked:
            return
        try:
            async with clock.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
