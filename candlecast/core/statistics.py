"""The standard error of a figure over minutes in time order, by Newey & West (1987).

Forecasts of h minutes overlap, so neighboring minutes share outcomes. The error of a figure is computed from the
influence of each minute on it (for a mean, (x - mean) / n; Hampel 1974). The A/B tests and the trainer's evaluation
use the lags of this module; the trainer computes the sum with statsmodels.
"""

import math

import numpy as np


def mean_and_error(values: np.ndarray, horizon: int) -> tuple[float, float]:
    """Mean and standard error over the cells (minutes, horizons) that are not NaN.

    ``horizon``: the longest one, in minutes. Minutes without a value stay in the array, so that a lag is a minute.
    """
    count = int((~np.isnan(values)).sum())
    mean = float(np.nansum(values)) / count
    influence = np.nansum((values - mean) / count, axis=1)
    return mean, newey_west_error(influence, newey_west_lags(len(values), horizon))


def newey_west_error(influence: np.ndarray, lags: int) -> float:
    """The standard error of a figure from the (minutes,) influences on it, with Bartlett's weights."""
    variance = float(influence @ influence)
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1)) * float(influence[lag:] @ influence[:-lag])
    return math.sqrt(max(variance, 0.0))


def newey_west_lags(minutes: int, horizon: int) -> int:
    """Lags of the variance: 4 (n / 100)^(2/9), Newey & West's rule of thumb, and at least six times the horizon.

    With fewer lags, Bartlett's weights underestimate the variance of overlapping outcomes by a tenth or more.
    """
    return max(0, min(max(6 * horizon, int(4 * (minutes / 100) ** (2 / 9))), minutes - 1))
