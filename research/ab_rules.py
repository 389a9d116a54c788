"""Promotion rules, applied to simulated pairs: which challengers they promote, roll back or retire, and on which day.

Every rule is evaluated once a day. The basic rule, ``margin``, compares the last 24 hours at one minute with a margin.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from candlecast.core.windows import HORIZONS
from candlecast.server.ab.confidence_sequence import NARROWEST_AT
from research.ab_pairs import MINUTES, Days, radii

#: The setting promotion_margin.
MARGIN = 0.005
#: Half width of a two-sided 95 % interval of a normal variable, in standard deviations.
SIGMAS = 1.96
#: The day of an event that does not happen.
NEVER = np.iinfo(np.int32).max


def margin(days: Days) -> np.ndarray:
    """The difference at one minute in the last 24 hours is above the margin."""
    return days.hits > MARGIN * MINUTES


def pooled_margin(days: Days) -> np.ndarray:
    """The difference over five horizons in the last 24 hours is above the margin."""
    return days.pooled > MARGIN * MINUTES * len(HORIZONS)


def day_interval(days: Days) -> np.ndarray:
    """A plain 95 % interval of the difference in the last 24 hours is above 0."""
    return days.hits > SIGMAS * np.sqrt(days.disagreements - days.hits**2 / MINUTES)


def interval_since(days: Days) -> np.ndarray:
    """A plain 95 % interval since the start of the test is above 0: McNemar's test, repeated daily."""
    return np.cumsum(days.hits, axis=0) > SIGMAS * np.sqrt(np.cumsum(days.disagreements, axis=0))


def sequence(days: Days, narrowest_at: float = NARROWEST_AT) -> np.ndarray:
    """The confidence sequence since the start of the test is above 0."""
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
    """The day of each run's promotion or retirement, whichever is first. NEVER if it does not happen."""

    promoted: np.ndarray
    retired: np.ndarray

    def promoted_within(self, days: int) -> float:
        """Share of runs that are promoted within ``days`` days."""
        return float((self.promoted <= days).mean())

    def retired_within(self, days: int) -> float:
        """Share of runs whose challenger is retired as clearly worse within ``days`` days."""
        return float((self.retired <= days).mean())

    def median_days(self) -> float | None:
        """Median day of the promotions, or None without promotions."""
        promoted = self.promoted[self.promoted < NEVER]
        return float(np.median(promoted)) if len(promoted) else None


def fate(rule: Rule, days: Days, narrowest_at: float = NARROWEST_AT) -> Fate:
    """Promoted by the rule, or retired because the sequence is below 0."""
    promoted, retired = first_day(rule(days)), first_day(sequence(days.swapped(), narrowest_at))
    return Fate(np.where(promoted <= retired, promoted, NEVER), np.where(retired < promoted, retired, NEVER))


def guarded_at(narrowest_at: float) -> Rule:
    """The rule GUARDED with a sequence that is narrowest at another number of disagreements."""
    return lambda days: margin(days) & sequence(days, narrowest_at)


def rolled_back(rule: Rule, days: Days) -> float:
    """Share of rollbacks one day after a promotion: the rule on one day, with swapped roles."""
    day = Days(days.disagreements[-1:], -days.hits[-1:], -days.pooled[-1:], days.missed)
    return float(rule(day).mean())


def wilson(share: float, runs: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    center = share + SIGMAS**2 / (2 * runs)
    half = SIGMAS * np.sqrt(share * (1 - share) / runs + SIGMAS**2 / (4 * runs**2))
    return float((center - half) / (1 + SIGMAS**2 / runs)), float((center + half) / (1 + SIGMAS**2 / runs))
