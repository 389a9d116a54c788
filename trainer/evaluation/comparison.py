"""Paired comparison of two forecasts on the same rows. They share most of their errors, so pairing is more precise."""

from dataclasses import dataclass

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.tsa.stattools import diebold_mariano_test

from candlecast.core.statistics import newey_west_lags
from candlecast.trainer.evaluation.intervals import UNKNOWN, Estimate, mean_estimate
from candlecast.trainer.evaluation.metrics import Cells, Kind


@dataclass(frozen=True)
class ForecastComparison:
    """The first forecast minus the second. A p-value is two-sided; None if one of the two has no such forecast.

    accuracy: difference in shares of hits. mcnemar: p-value of equal hits, only at one minute, where outcomes do not
    overlap. brier, squared_error: differences in mean loss with the Diebold-Mariano (1995) p-value. A negative
    difference means that the first is better.
    """

    accuracy: Estimate
    mcnemar: float | None
    brier: Estimate
    brier_p: float | None
    squared_error: Estimate
    squared_error_p: float | None

    def document(self) -> dict[str, object]:
        """As evaluation.json holds it."""
        return {
            "accuracy": self.accuracy.document(),
            "mcnemar_p": self.mcnemar,
            "brier": self.brier.document(),
            "brier_diebold_mariano_p": self.brier_p,
            "squared_error": self.squared_error.document(),
            "squared_error_diebold_mariano_p": self.squared_error_p,
        }


def compare(first: Cells, second: Cells) -> ForecastComparison:
    """Compare two forecasts of the same minutes, horizons and outcomes."""
    moved = first.moved
    briers = None
    if first.probability is not None and second.probability is not None:
        briers = ((first.probability - first.up) ** 2, (second.probability - second.up) ** 2)
    errors = None
    if first.kind is Kind.size and second.kind is Kind.size:
        errors = ((first.forecast - first.outcome) ** 2, (second.forecast - second.outcome) ** 2)
    brier, brier_p = _losses(briers, moved, first.horizon)
    error, error_p = _losses(errors, np.ones(moved.shape, bool), first.horizon)
    return ForecastComparison(
        accuracy=mean_estimate(first.hits - second.hits, moved, first.horizon),
        mcnemar=_mcnemar(first, second) if first.horizon == 1 else None,
        brier=brier,
        brier_p=brier_p,
        squared_error=error,
        squared_error_p=error_p,
    )


def _mcnemar(first: Cells, second: Cells) -> float | None:
    """McNemar (1947) with continuity correction, over minutes where both forecasts and the outcome have a direction."""
    both = first.moved & (first.forecast != 0) & (second.forecast != 0)
    right, other = (cells.hits[both] == 1 for cells in (first, second))
    table = [[(right & other).sum(), (right & ~other).sum()], [(~right & other).sum(), (~right & ~other).sum()]]
    if table[0][1] + table[1][0] == 0:
        return None
    return float(mcnemar(table, exact=False, correction=True).pvalue)


def _losses(
    losses: tuple[np.ndarray, np.ndarray] | None, chosen: np.ndarray, horizon: int
) -> tuple[Estimate, float | None]:
    """Mean difference over the chosen cells and its Diebold-Mariano p-value. Losses are summed per minute."""
    if losses is None or not chosen.any():
        return UNKNOWN, None
    difference = mean_estimate(losses[0] - losses[1], chosen, horizon)
    one, other = ((loss * chosen).sum(axis=1) for loss in losses)
    if np.ptp(one - other) == 0:
        return difference, None
    # The losses are already computed, so the criterion returns them unchanged.
    test = diebold_mariano_test(
        np.zeros(len(one)), one, other, lags=newey_west_lags(len(one), horizon), criterion=lambda _actual, loss: loss
    )
    return difference, float(test.pvalue)
