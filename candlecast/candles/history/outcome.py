"""The result of backfill and repair for one symbol."""

from dataclasses import dataclass, field

from candlecast.candles.gaps import Gap
from candlecast.candles.history.differences import Difference
from candlecast.core.errors import CandlecastUserError, RowRefused


@dataclass
class Outcome:
    """The result for one symbol."""

    symbol: str
    archives: int = 0  #: loaded or compared archives
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    by_rest: int = 0  #: inserted and changed candles that came over REST
    examples: list[Difference] = field(default_factory=list)  #: the first changed candles, if they were compared
    refused: list[CandlecastUserError] = field(default_factory=list)  #: errors of archives; REST was used instead
    broken: list[RowRefused] = field(default_factory=list)  #: candles that a constraint of the table rejected
    missing: list[Gap] = field(default_factory=list)  #: gaps that the exchange has no candles for
    is_counted: bool = False  #: whether ``missing`` is known: false if the run stopped early
    failed: CandlecastUserError | None = None  #: the error that stopped the run

    @property
    def is_complete(self) -> bool:
        """Whether all candles of the exchange are stored."""
        return self.is_counted and not self.broken

    @property
    def minutes_missing(self) -> int:
        """Number of missing minutes."""
        return sum(gap.minutes for gap in self.missing)
