"""How two ensembles compare over one window: accuracies, their paired difference, McNemar's test, the loss.

Arrays are (minutes, 5): every minute of the window in time order, one column a horizon. Minutes that are not paired, or
whose price did not move, take no part, and keep their place, so that a lag is a minute. Differences are challenger less
active.

Intervals are Newey & West's (1987): neighbouring minutes share outcomes, since forecasts of h minutes overlap. Each
figure's error is a sum of what each minute contributes to it, its influence (for a mean, (x - mean) / n; Hampel 1974).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from candlecast.core.windows import HORIZONS

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


def lags_of(minutes: int, horizon: int) -> int:
    """Lags of the variance: 4 (n / 100)^(2/9), Newey & West's rule of thumb, and at least six times the horizon.

    With fewer, Bartlett's weights take a tenth and more off the variance that overlapping outcomes have.
    """
    return max(0, min(max(6 * horizon, int(4 * (minutes / 100) ** (2 / 9))), minutes - 1))


def newey_west(influence: np.ndarray, lags: int) -> float:
    """The standard error of a figure from the (minutes,) influences on it, with Bartlett's weights."""
    variance = float(influence @ influence)
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1)) * float(influence[lag:] @ influence[:-lag])
    return math.sqrt(max(variance, 0.0))


def accuracies(window: Window, horizons: tuple[int, ...] = HORIZONS) -> Accuracies | None:
    """Of these horizons together; None where no price moved."""
    chosen = [horizon - 1 for horizon in horizons]
    active, challenger = window.active_hits[:, chosen], window.challenger_hits[:, chosen]
    moved = ~np.isnan(active)
    if not moved.any():
        return None
    mean, error = _mean(challenger - active, max(horizons))
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
        return Loss("squared_error", *_mean(errors, HORIZONS[-1]))
    moved = ~np.isnan(window.active_hits)
    if not moved.any():
        return None
    scores = (window.challenger_probability - window.up) ** 2 - (window.active_probability - window.up) ** 2
    return Loss("brier", *_mean(np.where(moved, scores, np.nan), HORIZONS[-1]))


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


def _mean(values: np.ndarray, horizon: int) -> tuple[float, float]:
    """Mean and standard error over the cells that are no NaN; ``horizon``: the longest one in them."""
    count = int((~np.isnan(values)).sum())
    mean = float(np.nansum(values)) / count
    influence = np.nansum((values - mean) / count, axis=1)
    return mean, newey_west(influence, lags_of(len(values), horizon))
