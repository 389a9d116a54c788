"""The gate of `candlecast retrain`: only an ensemble that is better than the majority class passes."""

import numpy as np
import pytest

from candlecast.trainer.gate import compare_with_majority

MINUTES = 4_000


def market(share_up: float, seed: int = 1) -> np.ndarray:
    """Log returns (MINUTES, 5) that rise in this share of minutes, the same for all horizons."""
    random = np.random.default_rng(seed)
    signs = np.where(random.random((MINUTES, 1)) < share_up, 1.0, -1.0)
    return 1e-4 * signs * np.ones((1, 5))


def forecast(returns: np.ndarray, right: tuple[float, ...], seed: int = 2) -> np.ndarray:
    """Scaled forecasts that are right in these shares of minutes, by horizon."""
    random = np.random.default_rng(seed)
    return np.where(random.random(returns.shape) < np.array(right), 1.0, -1.0) * np.sign(returns)


@pytest.mark.parametrize(
    ("share_up", "right", "passed"),
    [
        (0.50, (0.55,) * 5, True),
        (0.50, (0.45,) * 5, False),  # below 50 %
        (0.58, (0.55,) * 5, False),  # above 50 %, but always up is better
        (0.42, (0.55,) * 5, False),  # above 50 %, but always down is better
        (0.50, (0.45, 0.60, 0.60, 0.60, 0.60), False),  # worse at one minute
        (0.50, (0.55, 0.45, 0.45, 0.45, 0.45), False),  # better only at one minute
        (0.50, (0.55, 0.52, 0.52, 0.52, 0.52), True),
    ],
)
def test_the_gate_passes_only_above_the_majority_class(share_up, right, passed):
    returns = market(share_up)
    assert compare_with_majority(forecast(returns, right), returns).passed is passed


@pytest.mark.parametrize("constant", [1.0, -1.0])
def test_a_constant_forecast_never_passes(constant):
    for share in (0.3, 0.5, 0.7):
        returns = market(share)
        assert not compare_with_majority(np.full(returns.shape, constant), returns).passed


def test_gate_figures_leave_out_returns_of_zero():
    returns = np.full((10, 5), 1e-4)
    returns[6:] = -1e-4
    returns[0] = 0.0  # no direction: 5 up, 4 down
    scaled_forecast = np.ones((10, 5))
    scaled_forecast[8:] = -1.0
    scaled_forecast[1] = -1.0
    verdict = compare_with_majority(scaled_forecast, returns)
    for one in (verdict.one_minute, verdict.all_horizons):
        assert one.ensemble.value == pytest.approx(6 / 9)
        assert one.majority.value == pytest.approx(5 / 9)
        assert one.difference.value == pytest.approx(1 / 9)
        assert one.difference.low < one.difference.value < one.difference.high
    assert verdict.reason().startswith("1 min: ensemble 66.67 [")
    assert "majority class 55.56 [" in verdict.reason()
    assert "difference +11.11 [" in verdict.reason()


def test_a_forecast_of_zero_is_never_a_hit():
    returns = market(0.5)
    assert compare_with_majority(np.zeros(returns.shape), returns).one_minute.ensemble.value == 0.0


def test_all_horizons_pool_every_minute_and_horizon():
    returns = market(0.5)
    returns[:2_000, 1:] = 0.0  # these rows have a direction only at one minute
    right = forecast(returns, (0.6, 0.4, 0.4, 0.4, 0.4))
    hits = np.sign(right) == np.sign(returns)
    expected = hits[returns != 0].mean()
    assert compare_with_majority(right, returns).all_horizons.ensemble.value == pytest.approx(expected)
