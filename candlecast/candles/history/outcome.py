"""What backfill and repair did for one symbol."""

from dataclasses import dataclass, field

from candlecast.candles.gaps import Gap
from candlecast.candles.history.differences import Difference
from candlecast.core.errors import CandlecastUserError, RowRefused


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
