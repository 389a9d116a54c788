"""Compares two ensembles over one day: accuracies, their paired difference, McNemar's test, loss.

Minutes without both predictions, or without a price change, do not count. Differences are challenger minus active, with
Newey-West intervals (candlecast.core.statistics).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from candlecast.core.statistics import mean_and_error
from candlecast.core.windows import HORIZONS
from candlecast.server.ab.paired_minutes import PairedMinutes

_Z = NormalDist().inv_cdf(0.975)
_BASIS_POINTS = 1e4


@dataclass(frozen=True)
class Accuracies:
    """Direction accuracies over the same cells, and their difference with its 95 % interval."""

    active: float
    challenger: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Loss:
    """The difference of mean losses (negative: the challenger's is smaller) with its Newey-West standard error."""

    name: str
    difference: float
    standard_error: float


@dataclass(frozen=True)
class DayFigures:
    """All figures of 24 hours; None where there are no minutes for a figure.

    pairs: minutes that both predicted one minute ahead and whose outcome is known. active_only_right,
    challenger_only_right and mcnemar_p are also of one minute ahead.
    """

    pairs: int
    one_minute: Accuracies | None
    all_horizons: Accuracies | None
    by_horizon: dict[int, Accuracies | None]
    active_only_right: int
    challenger_only_right: int
    mcnemar_p: float | None
    loss: Loss | None


def compute_figures(minutes: PairedMinutes) -> DayFigures:
    """All figures of the minutes that paired_minutes.load_day() returns."""
    by_horizon = {horizon: compare_accuracy(minutes, (horizon,)) for horizon in HORIZONS}
    active_only, challenger_only = count_only_one_right(minutes)
    return DayFigures(
        pairs=count_pairs(minutes),
        one_minute=by_horizon[1],
        all_horizons=compare_accuracy(minutes),
        by_horizon=by_horizon,
        active_only_right=active_only,
        challenger_only_right=challenger_only,
        mcnemar_p=mcnemar_p(active_only, challenger_only),
        loss=compare_loss(minutes),
    )


def compare_accuracy(minutes: PairedMinutes, horizons: tuple[int, ...] = HORIZONS) -> Accuracies | None:
    """Accuracies over these horizons together; None where the price never changed."""
    chosen = [horizon - 1 for horizon in horizons]
    active, challenger = minutes.active_hits[:, chosen], minutes.challenger_hits[:, chosen]
    moved = ~np.isnan(active)
    if not moved.any():
        return None
    mean, error = mean_and_error(challenger - active, max(horizons))
    return Accuracies(
        float(active[moved].mean()), float(challenger[moved].mean()), mean, mean - _Z * error, mean + _Z * error
    )


def compare_loss(minutes: PairedMinutes) -> Loss | None:
    """Brier score where both have all probabilities, else squared error in squared basis points; None: no cells."""
    paired = ~np.isnan(minutes.active_error)
    if not paired.any():
        return None
    probabilities = np.stack([minutes.active_probability, minutes.challenger_probability])
    if np.isnan(probabilities[:, paired]).any():
        errors = (minutes.challenger_error**2 - minutes.active_error**2) * _BASIS_POINTS**2
        return Loss("squared_error", *mean_and_error(errors, HORIZONS[-1]))
    moved = ~np.isnan(minutes.active_hits)
    if not moved.any():
        return None
    scores = (minutes.challenger_probability - minutes.up) ** 2 - (minutes.active_probability - minutes.up) ** 2
    return Loss("brier", *mean_and_error(np.where(moved, scores, np.nan), HORIZONS[-1]))


def count_pairs(minutes: PairedMinutes) -> int:
    """Minutes that both predicted one minute ahead and whose outcome is known."""
    return int((~np.isnan(minutes.active_error[:, 0])).sum())


def count_only_one_right(minutes: PairedMinutes) -> tuple[int, int]:
    """At one minute ahead: minutes in which only the active one was right, and only the challenger."""
    difference = minutes.challenger_hits[:, 0] - minutes.active_hits[:, 0]
    return int((difference < 0).sum()), int((difference > 0).sum())


def mcnemar_p(active_only: int, challenger_only: int) -> float | None:
    """Two-sided p value of equal accuracies: McNemar's (1947) test in its exact binomial form."""
    tosses, fewer = active_only + challenger_only, min(active_only, challenger_only)
    if not tosses:
        return None
    return min(1.0, 2 * sum(math.comb(tosses, heads) for heads in range(fewer + 1)) / 2**tosses)
