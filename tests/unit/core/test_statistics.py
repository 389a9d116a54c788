"""The Newey-West standard error, compared with statsmodels."""

import math

import numpy as np
import pytest
from statsmodels.stats.sandwich_covariance import S_hac_simple

from candlecast.core.statistics import newey_west_error, newey_west_lags


@pytest.mark.parametrize("minutes", [2, 31, 200, 1_440])
@pytest.mark.parametrize("horizon", [1, 5])
def test_newey_west_equals_statsmodels(minutes, horizon):
    random = np.random.default_rng(minutes)
    influence = np.convolve(random.normal(size=minutes + 4), np.ones(5), "valid") / minutes
    influence[random.random(minutes) < 0.3] = 0.0
    lags = newey_west_lags(minutes, horizon)
    expected = math.sqrt(max(0.0, S_hac_simple(influence, nlags=lags)[0, 0]))
    assert newey_west_error(influence, lags) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("minutes", "horizon", "lags"),
    [(1_440, 1, 7), (1_440, 5, 30), (1_440, 2, 12), (20, 5, 19), (100, 1, 6), (1, 1, 0), (0, 1, 0)],
)
def test_lags_by_minutes_and_horizon(minutes, horizon, lags):
    assert newey_west_lags(minutes, horizon) == lags
