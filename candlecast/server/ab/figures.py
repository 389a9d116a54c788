"""How two ensembles compare over one window: accuracies, their paired difference, McNemar's test, the loss.

Arrays are (minutes, 5): every minute of the window in time order, one column a horizon. Minutes that are not paired, or
whose price did not move, take no part, and keep their place. Differences are challenger less active; their intervals
are Newey & West's (candlecast.core.statistics).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from candlecast.core.feature_names import HORIZONS
from candlecast.core.statistics import mean_and_error

_Z = NormalDist().inv_cdf(0.975)
_BASIS_POINTS = 1e4


@dataclass(frozen=True)
class Window:
    """What both ensembles predicted and what came of it; all (minutes, 5), NaN where a minute is not paired.

    hits: 1 right, 0 wrong, NaN where the price did not move as well. probability: of a higher price; NaN where there is
    none. error: predicted less actual log return. up: 1 higher, 0 not.
    """

    active_hits: np.ndarray
    challenger_hits: np.ndarray
    active_probability: np.ndarray
    challenger_probability: np.ndarray
    active_error: np.ndarray
    challenger_error: np.ndarray
    up: np.ndarray


@dataclass(frozen=True)
class Accuracies:
    """Shares of right directions over the same cells, and their difference with its 95 % interval."""

    active: float
    challenger: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Loss:
    """The difference of mean losses, below 0 where the challenger's is smaller, with its Newey-West standard error."""

    name: str
    difference: float
    standard_error: float


def accuracies(window: Window, horizons: tuple[int, ...] = HORIZONS) -> Accuracies | None:
    """Of these horizons together; None where no price moved."""
    chosen = [horizon - 1 for horizon in horizons]
    active, challenger = window.active_hits[:, chosen], window.challenger_hits[:, chosen]
    moved = ~np.isnan(active)
    if not moved.any():
        return None
    mean, error = mean_and_error(challenger - active, max(horizons))
    return Accuracies(
        float(active[moved].mean()), float(challenger[moved].mean()), mean, mean - _Z * error, mean + _Z * error
    )


def loss(window: Window) -> Loss | None:
    """Brier's score where both gave every probability, else squared error in squared basis points; None: no cells."""
    paired = ~np.isnan(window.active_error)
    if not paired.any():
        return None
    probabilities = np.stack([window.active_probability, window.challenger_probability])
    if np.isnan(probabilities[:, paired]).any():
        errors = (window.challenger_error**2 - window.active_error**2) * _BASIS_POINTS**2
        return Loss("squared_error", *mean_and_error(errors, HORIZONS[-1]))
    moved = ~np.isnan(window.active_hits)
    if not moved.any():
        return None
    scores = (window.challenger_probability - window.up) ** 2 - (window.active_probability - window.up) ** 2
    return Loss("brier", *mean_and_error(np.where(moved, scores, np.nan), HORIZONS[-1]))


def paired_minutes(window: Window) -> int:
    """Minutes that both predicted one minute ahead, with an outcome."""
    return int((~np.isnan(window.active_error[:, 0])).sum())


def only_one_right(window: Window) -> tuple[int, int]:
    """At one minute: how often the active one alone was right, and how often the challenger alone."""
    difference = window.challenger_hits[:, 0] - window.active_hits[:, 0]
    return int((difference < 0).sum()), int((difference > 0).sum())


def mcnemar(active_only: int, challenger_only: int) -> float | None:
    """Two-sided p of equal accuracies: McNemar's (1947) test in its exact form, where each alone is right as often."""
    tosses, fewer = active_only + challenger_only, min(active_only, challenger_only)
    if not tosses:
        return None
    return min(1.0, 2 * sum(math.comb(tosses, heads) for heads in range(fewer + 1)) / 2**tosses)
