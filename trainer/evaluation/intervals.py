"""95 % intervals of figures over test rows. Forecasts of neighboring minutes overlap, so their errors are correlated.

Each figure has an influence: the contribution of each minute to its error. The error is about the sum of the influences
(Hampel 1974; for a mean, (x - mean) / n). The variance of that sum is Newey & West's (1987), from statsmodels.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from statsmodels.stats.sandwich_covariance import S_hac_simple

from candlecast.core.statistics import newey_west_lags

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its interval; NaN if there are too few rows."""

    value: float
    low: float
    high: float

    def document(self) -> dict[str, float]:
        """As evaluation.json holds it."""
        return {"value": self.value, "low": self.low, "high": self.high}


UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def standard_error(influence: np.ndarray, horizon: int) -> float:
    """Standard error of a figure whose error is the sum of (minutes,) influences, in time order."""
    variance = S_hac_simple(influence, nlags=newey_west_lags(len(influence), horizon))[0, 0]
    return float(np.sqrt(max(variance, 0.0)))


def estimate(value: float, influence: np.ndarray, horizon: int, level: float = LEVEL) -> Estimate:
    """The figure and its two-sided normal interval. influence: (minutes,) or (minutes, horizons), summed per minute.

    ``horizon``: the longest horizon in the figure, in minutes.
    """
    if len(influence) < 2 or not np.isfinite(value):
        return Estimate(float(value), float("nan"), float("nan"))
    by_minute = influence if influence.ndim == 1 else influence.sum(axis=1)
    half = float(norm.ppf(0.5 + level / 2)) * standard_error(by_minute, horizon)
    return Estimate(float(value), float(value) - half, float(value) + half)


def mean_estimate(values: np.ndarray, chosen: np.ndarray, horizon: int, level: float = LEVEL) -> Estimate:
    """The mean of the chosen values. Arrays are (minutes,) or (minutes, horizons); ``chosen``: boolean or weights."""
    count = chosen.sum()
    if count == 0:
        return UNKNOWN
    mean = float((values * chosen).sum() / count)
    return estimate(mean, chosen * (values - mean) / count, horizon, level)
