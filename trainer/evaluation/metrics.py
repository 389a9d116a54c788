"""Figures of one forecast over test rows, each with its 95 % interval: hits, probabilities, correlations.

Arrays are (minutes, horizons): one column for one horizon, five columns for all horizons. An influence (see
`intervals.py`) is summed over a minute's horizons, because five forecasts of one minute are dependent.
A return of 0 has no direction. Such cells are left out of all direction metrics.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.stats import pearsonr, rankdata
from sklearn.metrics import brier_score_loss, roc_auc_score

from candlecast.trainer.evaluation.intervals import LEVEL, UNKNOWN, Estimate, estimate, mean_estimate

#: Shares of the forecasts that are kept, the most confident ones first.
COVERAGES = (1.0, 0.5, 0.2, 0.1, 0.05)


class Kind(StrEnum):
    """What a forecast gives."""

    size = "size"  #: a scaled return
    sign = "sign"  #: only a direction: it ranks rises above falls, without a size
    constant = "constant"  #: the same direction at each minute of a fold: it has no ranking


@dataclass(frozen=True)
class Cells:
    """Forecasts and outcomes, (minutes, horizons) each, minutes in time order.

    outcome: scaled returns; forecast: scaled returns, or only their sign (see ``kind``); probability: of a positive
    return, or None; base_rate: share of positive returns on training rows; horizon: the longest one, in minutes.
    """

    outcome: np.ndarray
    forecast: np.ndarray
    probability: np.ndarray | None
    base_rate: np.ndarray
    horizon: int
    kind: Kind = Kind.size

    def chosen(self, minutes: np.ndarray) -> "Cells":
        """The cells of some minutes, (minutes,) boolean or positions."""
        return replace(
            self,
            outcome=self.outcome[minutes],
            forecast=self.forecast[minutes],
            probability=None if self.probability is None else self.probability[minutes],
            base_rate=self.base_rate[minutes],
        )

    @property
    def moved(self) -> np.ndarray:
        """True where the outcome has a direction."""
        return self.outcome != 0

    @property
    def up(self) -> np.ndarray:
        """True where the outcome is positive."""
        return self.outcome > 0

    @property
    def hits(self) -> np.ndarray:
        """1 where the directions agree, 0 where they differ. A forecast of 0 has no direction and counts 0.5."""
        return np.where(self.forecast == 0, 0.5, np.sign(self.forecast) == np.sign(self.outcome))

    @property
    def strength(self) -> np.ndarray | None:
        """|probability - 0.5|, by which the most confident are chosen; without a probability |forecast|, or None."""
        if self.kind is not Kind.constant and self.probability is not None:
            return np.abs(self.probability - 0.5)
        return np.abs(self.forecast) if self.kind is Kind.size else None


def accuracy(cells: Cells) -> Estimate:
    """Share of hits."""
    return mean_estimate(cells.hits, cells.moved, cells.horizon)


def balanced_accuracy(cells: Cells) -> Estimate:
    """Mean of the share of hits among rises and the share among falls (Brodersen et al. 2010)."""
    rose, fell = cells.up & cells.moved, ~cells.up & cells.moved
    if not rose.any() or not fell.any():
        return UNKNOWN
    shares = [(cells.hits * side).sum() / side.sum() for side in (rose, fell)]
    influence = sum(
        0.5 * side * (cells.hits - share) / side.sum() for side, share in zip((rose, fell), shares, strict=True)
    )
    return estimate(float(np.mean(shares)), np.asarray(influence), cells.horizon)


def accuracy_at(cells: Cells, coverage: float) -> Estimate:
    """Share of hits over the most confident share of the cells. All cells that tie at the threshold are included."""
    strength, moved = cells.strength, cells.moved
    if strength is None or not moved.any() or np.ptp(strength[moved]) == 0:
        return accuracy(cells) if coverage == 1.0 else UNKNOWN
    least = np.quantile(strength[moved], 1 - coverage)
    return mean_estimate(cells.hits, moved & (strength >= least), cells.horizon)


def auc(cells: Cells, level: float = LEVEL) -> Estimate:
    """Area under the ROC curve: the probability that a rise has a higher forecast than a fall; a tie counts one half.

    Its influences are the placement values of DeLong, DeLong & Clarke-Pearson (1988), from ranks (Sun & Xu 2014).
    """
    score, rose, fell = cells.forecast, cells.up & cells.moved, ~cells.up & cells.moved
    if cells.kind is Kind.constant or not rose.any() or not fell.any():
        return UNKNOWN
    value = float(roc_auc_score(cells.up[cells.moved], score[cells.moved]))
    influence = np.zeros(score.shape)
    for side, other, sign in ((rose, fell, 1), (fell, rose, -1)):
        among_all = rankdata(np.concatenate([score[side], score[other]]))[: side.sum()]
        below = (among_all - rankdata(score[side])) / other.sum()  # share of the other side below each
        placement = below if sign > 0 else 1 - below
        influence[side] = (placement - value) / side.sum()
    return estimate(value, influence, cells.horizon, level)


def brier(cells: Cells) -> Estimate:
    """Mean squared error of the probability (Brier 1950)."""
    if cells.probability is None or not cells.moved.any():
        return UNKNOWN
    value = float(brier_score_loss(cells.up[cells.moved], cells.probability[cells.moved]))
    losses = (cells.probability - cells.up) ** 2
    return estimate(value, cells.moved * (losses - value) / cells.moved.sum(), cells.horizon)


def brier_skill(cells: Cells, reference: np.ndarray | float) -> Estimate:
    """1 - Brier / Brier of the reference probabilities. Above 0: the forecast is better than the reference."""
    if cells.probability is None or not cells.moved.any():
        return UNKNOWN
    losses = cells.moved * (cells.probability - cells.up) ** 2
    others = cells.moved * (reference - cells.up) ** 2
    total = others.sum()
    ratio = float(losses.sum() / total)
    return estimate(1 - ratio, (ratio * others - losses) / total, cells.horizon)


def information_coefficient(cells: Cells) -> Estimate:
    """Pearson's correlation of forecast and outcome over all cells. Both are scaled returns."""
    return _correlation(cells, cells.forecast, cells.outcome)


def rank_information_coefficient(cells: Cells) -> Estimate:
    """Spearman's rank correlation. Its interval treats ranks as values: exact at 0, approximate near 0."""
    ranks = [rankdata(values).reshape(values.shape) for values in (cells.forecast, cells.outcome)]
    return _correlation(cells, ranks[0], ranks[1])


def _correlation(cells: Cells, first: np.ndarray, second: np.ndarray) -> Estimate:
    if cells.kind is Kind.constant or np.ptp(first) == 0 or np.ptp(second) == 0:
        return UNKNOWN
    value = float(pearsonr(first.ravel(), second.ravel()).statistic)
    one, other = ((values - values.mean()) / values.std() for values in (first, second))
    influence = (one * other - value / 2 * (one**2 + other**2)) / first.size  # Devlin, Gnanadesikan & Kettenring 1975
    return estimate(value, influence, cells.horizon)


def interval_coverage(lower: np.ndarray, upper: np.ndarray, outcome: np.ndarray, horizon: int) -> Estimate:
    """Share of outcomes inside the prediction interval (inclusive ends). Returns of 0 count too."""
    inside = (outcome >= lower) & (outcome <= upper)
    return mean_estimate(inside.astype(np.float64), np.ones(inside.shape), horizon)
