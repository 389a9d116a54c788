"""Rules of promotion, applied to simulated pairs: whom they promote, on which day, and whom they roll back or retire.

Every rule looks once a day. RULE is the one that was asked for: the last 24 hours, one minute, over the margin.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from candlecast.core.windows import HORIZONS
from candlecast.server.ab.confidence_sequence import NARROWEST_AT
from research.ab_pairs import MINUTES, Days, radii

#: The setting promotion_margin.
MARGIN = 0.005
#: Of a two-sided 95 % interval of a normal variable.
SIGMAS = 1.96
#: A day on which nothing happens any more.
NEVER = np.iinfo(np.int32).max


def margin(days: Days) -> np.ndarray:
    """Over the margin in the last 24 hours, at one minute."""
    return days.hits > MARGIN * MINUTES


def pooled_margin(days: Days) -> np.ndarray:
    """Over the margin in the last 24 hours, over five horizons."""
    return days.pooled > MARGIN * MINUTES * len(HORIZONS)


def day_interval(days: Days) -> np.ndarray:
    """A plain 95 % interval of the last 24 hours' difference lies above 0."""
    return days.hits > SIGMAS * np.sqrt(days.disagreements - days.hits**2 / MINUTES)


def interval_since(days: Days) -> np.ndarray:
    """A plain 95 % interval since the test began lies above 0: McNemar's test, looked at daily."""
    return np.cumsum(days.hits, axis=0) > SIGMAS * np.sqrt(np.cumsum(days.disagreements, axis=0))


def sequence(days: Days, narrowest_at: float = NARROWEST_AT) -> np.ndarray:
    """The confidence sequence since the test began lies above 0."""
    disagreements = np.cumsum(days.disagreements, axis=0)
    return np.cumsum(days.hits, axis=0) > radii(int(disagreements.max()), narrowest_at)[disagreements]


Rule = Callable[[Days], np.ndarray]
ALONE, GUARDED, DAY_INTERVAL = "the rule alone", "the rule and the sequence", "the rule and the day's 95 % interval"
POOLED, SEQUENCE, SINCE = (
    "the rule over five horizons",
    "the sequence alone",
    "the rule and the 95 % interval since the start",
)
#: GUARDED is promotion_guard 'confidence', the default; ALONE is 'none'.
RULES: dict[str, Rule] = {
    ALONE: margin,
    POOLED: pooled_margin,
    DAY_INTERVAL: lambda days: margin(days) & day_interval(days),
    SINCE: lambda days: margin(days) & interval_since(days),
    SEQUENCE: sequence,
    GUARDED: lambda days: margin(days) & sequence(days),
}


def first_day(happens: np.ndarray) -> np.ndarray:
    """The first day, from 1, on which each run's column is true; else NEVER. (days, runs) -> (runs,)."""
    return np.where(happens.any(axis=0), happens.argmax(axis=0) + 1, NEVER)


@dataclass(frozen=True)
class Fate:
    """The day of each run's end, NEVER where it did not come: a test ends with whichever is first."""

    promoted: np.ndarray
    retired: np.ndarray

    def promoted_within(self, days: int) -> float:
        """Share of the runs."""
        return float((self.promoted <= days).mean())

    def retired_within(self, days: int) -> float:
        """Share of the runs whose challenger was called clearly worse."""
        return float((self.retired <= days).mean())

    def median_days(self) -> float | None:
        """Of the promoted."""
        promoted = self.promoted[self.promoted < NEVER]
        return float(np.median(promoted)) if len(promoted) else None


def fate(rule: Rule, days: Days, narrowest_at: float = NARROWEST_AT) -> Fate:
    """Promoted by the rule, or retired since the sequence lies below 0."""
    promoted, retired = first_day(rule(days)), first_day(sequence(days.swapped(), narrowest_at))
    return Fate(np.where(promoted <= retired, promoted, NEVER), np.where(retired < promoted, retired, NEVER))


def guarded_at(narrowest_at: float) -> Rule:
    """GUARDED with another sequence."""
    return lambda days: margin(days) & sequence(days, narrowest_at)


def rolled_back(rule: Rule, days: Days) -> float:
    """How often the day after a promotion gives the old ensemble the place back: the rule on one day, roles swapped."""
    day = Days(days.disagreements[-1:], -days.hits[-1:], -days.pooled[-1:], days.missed)
    return float(rule(day).mean())


def wilson(share: float, runs: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    center = share + SIGMAS**2 / (2 * runs)
    half = SIGMAS * np.sqrt(share * (1 - share) / runs + SIGMAS**2 / (4 * runs**2))
    return float((center - half) / (1 + SIGMAS**2 / runs)), float((center + half) / (1 + SIGMAS**2 / runs))
