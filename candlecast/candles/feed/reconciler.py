"""The rules of the feed for one symbol: each event returns the next step. No network, table or clock.

The stream is trusted for exactly one candle: the one that follows the newest stored candle. For everything else (a
later minute, an older one with other values, an overdue one) REST is read from the newest candle on. So no gap is left
before the newest minute, in any order of messages.

Minutes are open_times, microseconds since the epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from candlecast.core.times import MINUTE_US, describe_time
from candlecast.exchanges.base import Candle

#: Closed candles that wait for REST or for the database.
MAX_WAITING = 240
#: Stored candles that are remembered, to recognize repetitions.
_MAX_REMEMBERED = 180
#: Tolerance for candles that close early by our estimate of the exchange's clock.
_MAX_EARLY_SECONDS = 30.0


@dataclass(frozen=True)
class Step:
    """The next step of the loop; nothing by default."""

    write: Candle | None = None  #: candle to write in its own transaction; its result is the next event
    read: bool = False  #: whether to read over REST; ``take_request`` returns the range
    warning: str | None = None  #: message to log
    doubt_time: bool = False  #: whether to request the exchange's time before the next read
    generation: int = 0  #: generation of the known table contents; later events must match it


@dataclass(frozen=True)
class Read:
    """Minutes to read over REST: [first, last]."""

    first: int
    last: int
    generation: int


NOTHING = Step()


class Reconciler:
    """One symbol's newest candles. Each ``on_...`` method takes an event and returns the next step."""

    def __init__(self, symbol: str, verify_window: int, newest: int | None = None, *, is_settled: bool = False) -> None:
        """``verify_window``: microseconds before the newest candle; older revisions are ignored."""
        self.symbol, self._verify_window = symbol, verify_window
        self.newest = newest  #: newest stored candle, without gaps before it; None: not known
        self.is_settled = is_settled  #: nothing is left to read over REST: the newest candle is the exchange's newest
        self.written = 0  #: candles of the stream that were stored
        self.refilled = 0  #: rows that REST inserted or changed
        self.waiting: dict[int, Candle] = {}  #: closed candles of the stream, not stored yet
        self.is_read_requested = False  #: whether a read over REST is requested
        self._requested_from: int | None = None  # None: from the minute after the newest candle
        self._recent: dict[int, Candle] = {}
        self._generation = 0  # number of times that the table had to be read again

    def on_closed(self, candle: Candle, now: float) -> Step:
        """The stream sent a closed candle; ``now``: seconds since the epoch by the exchange's clock."""
        minute = candle.open_time
        if minute + MINUTE_US > (now + _MAX_EARLY_SECONDS) * 1_000_000:
            warning = f"candle {describe_time(minute)} was sent as closed before its end: ignored"
            return replace(self.request_read(), warning=warning, doubt_time=True)
        if self._is_repetition(candle):
            return NOTHING
        if self.newest is not None and minute < self.newest - self._verify_window:
            return Step(warning=f"candle {describe_time(minute)} is too old for the feed: run `candlecast repair`")
        if self.newest is not None and minute <= self.newest:  # late or revised: REST decides
            return self.request_read(minute)
        self.waiting[minute] = candle
        if len(self.waiting) > MAX_WAITING:  # far behind: the older ones are read over REST
            del self.waiting[min(self.waiting)]
        step = self.write_next()
        if step.write is None and self.is_settled:  # minutes are missing before it
            return self.request_read()
        return step  # can be written during a REST read: nothing is missing before it

    def on_written(self, step: Step) -> Step:
        """The candle of this step is stored."""
        if step.write is None or step.generation != self._generation:
            return NOTHING
        self.written += 1
        self._remember([step.write])
        return self.write_next()

    def on_refused(self, step: Step, reason: str) -> Step:
        """A constraint of the table rejected the candle of this step: read it over REST."""
        if step.write is None or step.generation != self._generation:
            return NOTHING
        self.waiting.pop(step.write.open_time, None)
        return replace(self.request_read(), warning=reason)

    def on_table_lost(self) -> Step:
        """The connection was lost: the table's contents are no longer known."""
        self.newest = None
        self._generation += 1
        self._recent.clear()
        return self.request_read()

    def on_table_read(self, newest: int | None) -> None:
        """Set the newest stored candle; None: the table has none."""
        self.newest = newest

    def write_next(self) -> Step:
        """Write the waiting candle that follows the newest stored one, if there is one."""
        candle = None if self.newest is None else self.waiting.get(self.newest + MINUTE_US)
        return NOTHING if candle is None else Step(write=candle, generation=self._generation)

    def request_read(self, first: int | None = None) -> Step:
        """Request a REST read from this minute on, at the latest from the minute after the newest candle."""
        if first is not None:
            self._requested_from = first if self._requested_from is None else min(self._requested_from, first)
        self.is_settled = False
        self.is_read_requested = True
        return Step(read=True)

    def take_request(self) -> int | None:
        """Clear the request and return its first minute; None: from the minute after the newest candle."""
        first, self._requested_from, self.is_read_requested = self._requested_from, None, False
        return first

    def begin_read(self, first: int | None, last: int) -> Read | None:
        """The first read for a request, up to the last complete minute; None if nothing is left to read."""
        following = None if self.newest is None else self.newest + MINUTE_US
        return self._read(min(minute for minute in (first, following) if minute is not None), last)

    def on_page(self, read: Read, candles: Sequence[Candle], moved: int) -> Read | None:
        """A page of REST (ascending) is stored, and ``moved`` rows changed. Returns the next read."""
        if not candles or read.generation != self._generation:
            return None
        self.refilled += moved
        self._remember(candles)
        return self._read(candles[-1].open_time + MINUTE_US, read.last)

    def end_read(self, last: int) -> bool:
        """The request is finished. Returns whether the last complete minute is stored."""
        if not self.is_read_requested:
            self.is_settled = True
        return self.newest is not None and self.newest >= last

    def _read(self, first: int, last: int) -> Read | None:
        return Read(first, last, self._generation) if first <= last else None

    def _is_repetition(self, candle: Candle) -> bool:
        known = self._recent.get(candle.open_time)
        return known is not None and replace(known, spread_bps=None) == replace(candle, spread_bps=None)

    def _remember(self, candles: Sequence[Candle]) -> None:
        """These ascending candles are stored now, without gaps before them."""
        last = candles[-1].open_time
        self.newest = last if self.newest is None else max(self.newest, last)
        self._recent.update((candle.open_time, candle) for candle in candles[-_MAX_REMEMBERED:])
        for minute in sorted(self._recent)[:-_MAX_REMEMBERED]:
            del self._recent[minute]
        for minute in [minute for minute in self.waiting if minute <= self.newest]:
            del self.waiting[minute]
