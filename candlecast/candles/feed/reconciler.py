"""The rule of the feed, for one symbol: an event comes in, what to do about it comes out. No network, table or clock.

The stream is trusted for exactly one candle, the one after the newest. Whatever else it says (a minute further on, an
older one with other values) and whatever it fails to say in time is settled by REST, which reads from the newest candle
on. So no hole is ever left behind the newest minute, in whatever order messages come.

Minutes are open_times, microseconds since the epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from candlecast.core.times import MINUTE_US, describe_time
from candlecast.exchanges.base import Candle

#: Closed candles that wait for REST or for the database.
MAX_WAITING = 240
#: Candles that are remembered to know repetitions by.
_MAX_REMEMBERED = 180
#: A candle may be called closed so long before its end, by our reckoning of the exchange's clock.
_MAX_EARLY_SECONDS = 30.0


@dataclass(frozen=True)
class Step:
    """What the loop is to do; nothing by default."""

    write: Candle | None = None  #: into the table, in a transaction of its own; what came of it is the next event
    read: bool = False  #: have REST read, as ``take_request`` says
    warning: str | None = None  #: tell this
    doubt_time: bool = False  #: ask the exchange for its time before the next read
    generation: int = 0  #: of what is known of the table, for the events that follow


@dataclass(frozen=True)
class Read:
    """Minutes that REST is to read next: [first, last]."""

    first: int
    last: int
    generation: int


NOTHING = Step()


class Reconciler:
    """One symbol's newest candles. ``on_...`` takes an event and returns what to do."""

    def __init__(self, symbol: str, verify_window: int, newest: int | None = None, *, is_settled: bool = False) -> None:
        """``verify_window``: microseconds behind the newest candle; what is revised further back is not the feed's."""
        self.symbol, self._verify_window = symbol, verify_window
        self.newest = newest  #: stored, with every minute behind it that the exchange has; None: not known
        self.is_settled = is_settled  #: REST has nothing left to do: the newest is as new as the exchange's
        self.written = 0  #: candles of the stream that were stored
        self.refilled = 0  #: rows that REST inserted or changed
        self.waiting: dict[int, Candle] = {}  #: closed candles of the stream, not stored yet
        self.is_read_requested = False  #: REST has something to settle
        self._requested_from: int | None = None  # None: from the one after the newest
        self._recent: dict[int, Candle] = {}
        self._generation = 0  # what the table holds had to be read anew so often

    def on_closed(self, candle: Candle, now: float) -> Step:
        """The stream says that a minute is over; ``now``: seconds since the epoch by the exchange's clock."""
        minute = candle.open_time
        if minute + MINUTE_US > (now + _MAX_EARLY_SECONDS) * 1_000_000:
            warning = f"{describe_time(minute)} is called closed before its end: left out"
            return replace(self.request_read(), warning=warning, doubt_time=True)
        if self._is_repetition(candle):
            return NOTHING
        if self.newest is not None and minute < self.newest - self._verify_window:
            return Step(warning=f"{describe_time(minute)} is too old for the feed: left to `candlecast repair`")
        if self.newest is not None and minute <= self.newest:  # late or revised: REST says what holds
            return self.request_read(minute)
        self.waiting[minute] = candle
        if len(self.waiting) > MAX_WAITING:  # a long way behind: REST will bring the older ones
            del self.waiting[min(self.waiting)]
        step = self.write_next()
        if step.write is None and self.is_settled:  # minutes are missing before it
            return self.request_read()
        return step  # to write, whatever REST still reads: nothing is missing before it

    def on_written(self, step: Step) -> Step:
        """The candle that was to be written is in the table."""
        if step.write is None or step.generation != self._generation:
            return NOTHING
        self.written += 1
        self._remember([step.write])
        return self.write_next()

    def on_refused(self, step: Step, reason: str) -> Step:
        """A constraint of the table refuses the candle that was to be written: REST may have a better one."""
        if step.write is None or step.generation != self._generation:
            return NOTHING
        self.waiting.pop(step.write.open_time, None)
        return replace(self.request_read(), warning=reason)

    def on_table_lost(self) -> Step:
        """What the table holds is not known any more: the database was away."""
        self.newest = None
        self._generation += 1
        self._recent.clear()
        return self.request_read()

    def on_table_read(self, newest: int | None) -> None:
        """This is the newest candle that the table has; None: it has none."""
        self.newest = newest

    def write_next(self) -> Step:
        """Write the closed candle that comes right after the newest one, if it waits."""
        candle = None if self.newest is None else self.waiting.get(self.newest + MINUTE_US)
        return NOTHING if candle is None else Step(write=candle, generation=self._generation)

    def request_read(self, first: int | None = None) -> Step:
        """Have REST read from this minute on, at the latest from the one after the newest."""
        if first is not None:
            self._requested_from = first if self._requested_from is None else min(self._requested_from, first)
        self.is_settled = False
        self.is_read_requested = True
        return Step(read=True)

    def take_request(self) -> int | None:
        """The minute that was requested, and the request is taken; None: from the one after the newest."""
        first, self._requested_from, self.is_read_requested = self._requested_from, None, False
        return first

    def begin_read(self, first: int | None, last: int) -> Read | None:
        """What to read for a request, up to the last minute that is over; None where there is nothing."""
        following = None if self.newest is None else self.newest + MINUTE_US
        return self._read(min(minute for minute in (first, following) if minute is not None), last)

    def on_page(self, read: Read, candles: Sequence[Candle], moved: int) -> Read | None:
        """What REST answered, ascending, is in the table, where it moved so many rows; what to read next."""
        if not candles or read.generation != self._generation:
            return None
        self.refilled += moved
        self._remember(candles)
        return self._read(candles[-1].open_time + MINUTE_US, read.last)

    def end_read(self, last: int) -> bool:
        """All was read; whether the last minute that is over is there now."""
        if not self.is_read_requested:
            self.is_settled = True
        return self.newest is not None and self.newest >= last

    def _read(self, first: int, last: int) -> Read | None:
        return Read(first, last, self._generation) if first <= last else None

    def _is_repetition(self, candle: Candle) -> bool:
        known = self._recent.get(candle.open_time)
        return known is not None and replace(known, spread_bps=None) == replace(candle, spread_bps=None)

    def _remember(self, candles: Sequence[Candle]) -> None:
        """These are in the table now, ascending, and follow what was there."""
        last = candles[-1].open_time
        self.newest = last if self.newest is None else max(self.newest, last)
        self._recent.update((candle.open_time, candle) for candle in candles[-_MAX_REMEMBERED:])
        for minute in sorted(self._recent)[:-_MAX_REMEMBERED]:
            del self._recent[minute]
        for minute in [minute for minute in self.waiting if minute <= self.newest]:
            del self.waiting[minute]
