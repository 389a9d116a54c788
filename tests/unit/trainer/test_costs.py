"""Books of overlapping positions, compared with single trades and hand calculations."""

import numpy as np
import pytest

from candlecast.trainer.evaluation.costs import BASIS_POINT, follow_forecast, join_books


def labels(steps, minutes):
    """Log returns of the next 1..5 minutes, (minutes, 5), from one-minute returns ``steps``."""
    return np.stack([np.convolve(steps, np.ones(h), "valid")[:minutes] for h in range(1, 6)], axis=1)


def brute_force(times, signs, steps_by_minute, horizon, side):
    """Every forecast is a separate trade of 1/h. Position changes of one minute are netted before costs."""
    change, gross = {}, 0.0
    for time, sign in zip(times, signs, strict=True):
        minute = time // 60
        change[minute] = change.get(minute, 0) + sign / horizon
        change[minute + horizon] = change.get(minute + horizon, 0) - sign / horizon
        gross += sign / horizon * sum(steps_by_minute[minute + k] for k in range(horizon))
    return gross - side * BASIS_POINT * sum(abs(one) for one in change.values())


@pytest.mark.parametrize("horizon", [1, 3, 5])
@pytest.mark.parametrize("gap", [0, 2, 300])
@pytest.mark.parametrize("side", [0, 2, 10])
def test_books_equal_the_sum_of_their_single_trades(horizon, gap, side):
    random = np.random.default_rng(horizon)
    minutes, signs = 200, random.choice([-1.0, 0.0, 1.0], size=200)
    steps = 1e-3 * random.standard_normal(minutes + 5)
    times, returns = 60 * np.arange(minutes), labels(steps, minutes)
    # The last five minutes before a gap have no labels, so they have no rows.
    keep = np.ones(minutes, bool)
    keep[100 - 5 : 100 + gap] = gap == 0
    given = follow_forecast(times[keep], signs[keep], returns[keep], horizon)
    expected = brute_force(times[keep], signs[keep], steps, horizon, side)
    assert given.net(side).sum() == pytest.approx(expected, abs=1e-12)


def test_always_up_buys_once_and_sells_once():
    returns = labels(np.full(105, 1e-4), 100)
    given = follow_forecast(60 * np.arange(100), np.ones(100), returns, 1)
    assert given.gross.sum() == pytest.approx(100 * 1e-4)
    assert given.turnover.sum() == pytest.approx(2.0)
    assert given.break_even == pytest.approx(100 * 1e-4 / 2 / BASIS_POINT)
    document = given.document()
    assert document["by_side_bps"]["10"]["total"] == pytest.approx(100 * 1e-4 - 20 * BASIS_POINT)
    assert document["turnover_per_day"] == pytest.approx(2.0 / (100 / 1_440))


def test_opposite_trades_of_two_books_cancel():
    returns = labels(np.full(105, 1e-4), 100)
    up, down = (follow_forecast(60 * np.arange(100), np.full(100, sign), returns, 1) for sign in (1.0, -1.0))
    assert join_books([up, down]).turnover.sum() == 0
    assert join_books([up, up]).net(2).sum() == pytest.approx(up.net(2).sum())


def test_the_sharpe_ratio_uses_daily_returns():
    random = np.random.default_rng(0)
    minutes = 5 * 1_440
    steps = 1e-3 * random.standard_normal(minutes + 5) + 1e-5
    given = follow_forecast(60 * np.arange(minutes), np.ones(minutes), labels(steps, minutes), 1)
    daily = steps[:minutes].reshape(5, 1_440).sum(axis=1)
    expected = daily.mean() / daily.std(ddof=1) * np.sqrt(365)
    assert given.document()["by_side_bps"]["0"]["sharpe"] == pytest.approx(expected)
