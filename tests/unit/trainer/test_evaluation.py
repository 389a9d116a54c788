"""Scores and intervals, compared with hand calculations and simulations."""

import numpy as np
import pytest

from candlecast.trainer.evaluation.held_out import mean_with_interval, score_baselines, score_forecast

ONES = np.ones((4, 5))


def columns(values):
    return np.tile(np.array(values, dtype=float)[:, None], (1, 5))


def test_a_return_of_zero_counts_for_rmse_only():
    returns = columns([0.01, -0.02, 0.0, 0.03])
    (one, *_) = score_forecast(columns([1, 1, 1, 1]), 0.01 * ONES, returns)
    assert one.rows == 3
    assert one.accuracy == pytest.approx(2 / 3)
    assert one.rmse == pytest.approx(np.sqrt((0 + 0.03**2 + 0.01**2 + 0.02**2) / 4))


def test_a_forecast_of_zero_is_a_miss():
    (one, *_) = score_forecast(columns([0, 0, 1, 1]), ONES, columns([1, -1, 1, -1]))
    assert one.accuracy == 0.25


def test_the_top_tenth_is_the_strongest_forecasts():
    forecast = np.tile(np.arange(1.0, 101.0)[:, None], (1, 5))
    returns = np.where(forecast > 90, 1.0, -1.0)
    (one, *_) = score_forecast(forecast, np.ones((100, 5)), returns)
    assert (one.accuracy, one.confident_accuracy) == (0.1, 1.0)


def test_baselines_equal_a_hand_calculation():
    (one, *_) = score_baselines(np.array([1.0, -1.0, 0.0, 1.0]), columns([0.3, 0.1, -0.1, 0.0]))
    assert one.rows == 3
    assert one.always_up == pytest.approx(2 / 3)
    assert one.last_sign == pytest.approx((1 + 0 + 0.5) / 3)
    assert one.rmse_of_zero == pytest.approx(np.sqrt(0.11 / 4))


@pytest.mark.parametrize("horizon", [1, 5])
def test_intervals_of_overlapping_hits_cover_95_percent(horizon):
    """Hits on moving sums, for which the binomial interval covers much less than 95 %."""
    random = np.random.default_rng(0)
    runs, rows, covered, plain = 400, 2_000, 0, 0
    for _ in range(runs):
        noise = random.normal(size=rows + horizon)
        hits = np.convolve(noise, np.ones(horizon), "valid")[:rows] > 0
        mean, low, high = mean_with_interval(hits, horizon)
        covered += low <= 0.5 <= high
        plain += abs(mean - 0.5) <= 1.96 * 0.5 / np.sqrt(rows)
    assert 0.91 <= covered / runs <= 0.98
    if horizon > 1:
        assert plain / runs < 0.85


def test_independent_hits_get_nearly_the_binomial_interval():
    hits = np.random.default_rng(1).random(50_000) < 0.52
    mean, low, high = mean_with_interval(hits, 1)
    assert mean == pytest.approx(hits.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(0.52 * 0.48 / 50_000), rel=0.1)
