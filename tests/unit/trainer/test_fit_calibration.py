"""Weight, probabilities and intervals that are fitted on validation rows recover known true values."""

import numpy as np
import pytest
from scipy.special import expit

from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import HORIZONS
from candlecast.trainer.models.fit_calibration import Method, best_slope, fit_calibration, fit_weight, half_width

ROWS = 20_000
SEEN = np.full(len(FEATURES), -1.0), np.full(len(FEATURES), 1.0)
FITTED_ON = ("2026-01-01T00:00:00+00:00", "2026-01-15T00:00:00+00:00")


def outcomes(log_odds, random):
    """Scaled returns that are positive with the probability of log_odds."""
    up = random.random(log_odds.shape) < expit(log_odds)
    return np.where(up, 1.0, -1.0) * np.abs(random.normal(size=log_odds.shape))


def fitted(forecast, scaled, method, weight=0.5):
    return fit_calibration(forecast, scaled, weight, np.ones(len(HORIZONS)), SEEN, method, FITTED_ON)[0]


@pytest.mark.parametrize(("truth", "expected"), [((1.0, 0.0), 1.0), ((0.0, 1.0), 0.0), ((1.0, 1.0), 0.5)])
def test_fit_weight_recovers_the_true_weight(truth, expected):
    random = np.random.default_rng(0)
    mamba, lgbm = random.normal(size=(2, ROWS, len(HORIZONS))) * 0.3
    magnitude = np.array([0.7, 0.75, 0.8, 0.8, 0.85])
    scaled = outcomes(truth[0] * mamba / magnitude + truth[1] * lgbm / magnitude, random)
    fit = fit_weight(mamba, lgbm, magnitude, scaled)
    assert fit.weight == pytest.approx(expected, abs=0.06)
    assert fit.low <= fit.weight <= fit.high
    if expected:
        assert 0 < fit.gain_low < fit.gain < fit.gain_high
    else:
        assert fit.gain == pytest.approx(0.0, abs=2e-4)


def test_the_weight_does_not_depend_on_forecast_size():
    random = np.random.default_rng(1)
    mamba, lgbm = random.normal(size=(2, ROWS, len(HORIZONS))) * 0.3
    scaled = outcomes(mamba, random)
    ones = np.ones(len(HORIZONS))
    assert fit_weight(5 * mamba, 5 * lgbm, ones, scaled).weight == fit_weight(mamba, lgbm, ones, scaled).weight


def test_noise_gives_a_wide_weight_interval_and_no_gain():
    random = np.random.default_rng(2)
    mamba, lgbm = random.normal(size=(2, ROWS, len(HORIZONS))) * 0.05
    fit = fit_weight(mamba, lgbm, np.ones(len(HORIZONS)), random.normal(size=mamba.shape))
    assert fit.high - fit.low > 0.3
    assert abs(fit.gain) < 2e-4


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("slope", [0.5, 1.0, 4.0])
def test_calibration_recovers_the_true_probabilities(method, slope):
    random = np.random.default_rng(3)
    forecast = random.normal(size=(60_000, len(HORIZONS))) * 0.5
    calibration = fitted(forecast, outcomes(slope * forecast, random), method)
    grid = np.tile(np.linspace(-1.0, 1.0, 9)[:, np.newaxis], len(HORIZONS))
    assert calibration.probability_up(grid) == pytest.approx(expit(slope * grid), abs=0.02)


def test_platt_fits_an_intercept_and_slope_does_not():
    random = np.random.default_rng(4)
    forecast = random.normal(size=(60_000, len(HORIZONS))) * 0.5
    scaled = outcomes(forecast + 0.4, random)
    zero = np.zeros((1, len(HORIZONS)))
    assert fitted(forecast, scaled, Method.platt).probability_up(zero) == pytest.approx(expit(0.4 + zero), abs=0.01)
    assert (fitted(forecast, scaled, Method.slope).probability_up(zero) == 0.5).all()


def test_an_inverse_forecast_gets_slope_zero():
    random = np.random.default_rng(5)
    forecast = random.normal(size=(ROWS, len(HORIZONS)))
    calibration = fitted(forecast, outcomes(-forecast, random), Method.slope)
    assert (calibration.probability_up(forecast) == 0.5).all()


def test_few_rows_keep_the_slope_and_many_rows_correct_it():
    """With c = 1 the models' own slope is 2. The true slope is 1."""
    random = np.random.default_rng(9)
    forecast = random.normal(size=(200_000, len(HORIZONS))) * 0.06
    scaled = outcomes(forecast, random)
    slopes = [fitted(forecast[:rows], scaled[:rows], Method.slope).slope[0] for rows in (200, 200_000)]
    assert slopes == [pytest.approx(2.0, abs=0.1), pytest.approx(1.0, abs=0.2)]


def test_returns_of_zero_do_not_change_the_calibration():
    random = np.random.default_rng(6)
    forecast = random.normal(size=(ROWS, len(HORIZONS)))
    scaled = outcomes(forecast, random)
    scaled[::2] = 0.0
    for method in Method:
        half = fitted(forecast[1::2], scaled[1::2], method).probability_up(forecast)
        assert fitted(forecast, scaled, method).probability_up(forecast) == pytest.approx(half, abs=1e-6)


def test_the_best_slope_has_the_lowest_log_loss():
    random = np.random.default_rng(7)
    forecast = random.normal(size=ROWS)
    up = (random.random(ROWS) < expit(2 * forecast)).astype(float)
    slope = best_slope(forecast, up, np.ones(ROWS))
    losses = [np.logaddexp(0, -(2 * up - 1) * one * forecast).mean() for one in (slope - 0.05, slope, slope + 0.05)]
    assert losses[1] < min(losses[0], losses[2])
    assert slope == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("rows", [9, 10, 19, 999])
def test_the_interval_covers_90_percent_even_with_few_rows(rows):
    """Split conformal prediction guarantees 90 % on average over calibrations, for any distribution."""
    random = np.random.default_rng(8)
    covered = []
    for _ in range(400):
        fit, new = random.standard_t(3, size=(rows, 5)), random.standard_t(3, size=(200, 5))
        width = half_width(np.zeros_like(fit), fit)
        covered.append((np.abs(new) <= width).mean())
    assert 0.895 <= np.mean(covered) <= 0.9 + 1.5 / rows + 0.01
