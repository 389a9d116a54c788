"""The gate of `candlecast retrain`: what beats the majority class passes, whatever else does not."""

import numpy as np
import pytest

from candlecast.trainer.gate import judge

MINUTES = 4_000


def market(share_up: float, seed: int = 1) -> np.ndarray:
    """Log returns (MINUTES, 5) that rise in this share of minutes, all horizons alike."""
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
        (0.50, (0.45,) * 5, False),  # always wrong is no skill here
        (0.58, (0.55,) * 5, False),  # right more often than not, and always up is better
        (0.42, (0.55,) * 5, False),  # and so is always down
        (0.50, (0.45, 0.60, 0.60, 0.60, 0.60), False),  # not at one minute
        (0.50, (0.55, 0.45, 0.45, 0.45, 0.45), False),  # at one minute alone
        (0.50, (0.55, 0.52, 0.52, 0.52, 0.52), True),
    ],
)
def test_what_passes(share_up, right, passed):
    returns = market(share_up)
    assert judge(forecast(returns, right), returns).passed is passed


@pytest.mark.parametrize("constant", [1.0, -1.0])
def test_a_constant_forecast_never_passes(constant):
    for share in (0.3, 0.5, 0.7):
        returns = market(share)
        assert not judge(np.full(returns.shape, constant), returns).passed


def test_its_figures_are_shares_of_minutes_that_moved():
    returns = np.full((10, 5), 1e-4)
    returns[6:] = -1e-4
    returns[0] = 0.0  # no direction: 5 up, 4 down
    says = np.ones((10, 5))
    says[8:] = -1.0
    says[1] = -1.0
    verdict = judge(says, returns)
    for one in (verdict.one_minute, verdict.all_horizons):
        assert one.ensemble.value == pytest.approx(6 / 9)
        assert one.majority.value == pytest.approx(5 / 9)
        assert one.difference.value == pytest.approx(1 / 9)
        assert one.difference.low < one.difference.value < one.difference.high
    assert verdict.reason().startswith("1 min: ensemble 66.67 [")
    assert "majority class 55.56 [" in verdict.reason()
    assert "difference +11.11 [" in verdict.reason()


def test_a_forecast_of_nothing_is_not_right():
    returns = market(0.5)
    assert judge(np.zeros(returns.shape), returns).one_minute.ensemble.value == 0.0


def test_minutes_and_horizons_weigh_alike_over_all_horizons():
    returns = market(0.5)
    returns[:2_000, 1:] = 0.0  # only their first minute moved
    right = forecast(returns, (0.6, 0.4, 0.4, 0.4, 0.4))
    hits = np.sign(right) == np.sign(returns)
    expected = hits[returns != 0].mean()
    assert judge(right, returns).all_horizons.ensemble.value == pytest.approx(expected)
