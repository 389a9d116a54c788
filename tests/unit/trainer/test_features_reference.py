"""The NumPy reference compared with the definitions in plain Python, and its errors."""

from math import exp, fsum, log, sqrt

import numpy as np
import pytest

from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import FEATURE_WINDOW
from candlecast.trainer.features import compute_features
from tests.support.feature_candles import MINUTE, START, random_candles, sliced


def deviations(values):
    mean = fsum(values) / len(values)
    return [value - mean for value in values]


def by_definition(candles, at):
    """The windowed features of candle ``at`` by their definitions, one sum at a time."""
    close, volume = candles["close"].tolist(), candles["volume"].tolist()
    quotes = candles["quote_asset_volume"].tolist()
    last = close[at]

    def r(k):
        return log(close[k] / close[k - 1])

    expected = {}
    for n in (5, 15, 30):
        expected[f"volatility_{n}m"] = sqrt(fsum(d * d for d in deviations([r(at - k) for k in range(n)])) / (n - 1))
        expected[f"sma_{n}_norm"] = (last - fsum(close[at - k] for k in range(n)) / n) / last
        weights = [exp(k * log(1 - 2 / (n + 1))) for k in range(150)]
        mean = fsum(w * close[at - k] for k, w in enumerate(weights)) / fsum(weights)
        expected[f"ema_{n}_norm"] = (last - mean) / last
    changes = [close[at - k] - close[at - k - 1] for k in range(149)]
    gains = fsum((13 / 14) ** k * change for k, change in enumerate(changes) if change > 0)
    losses = fsum((13 / 14) ** k * -change for k, change in enumerate(changes) if change < 0)
    expected["rsi_14"] = gains / (gains + losses)
    pairs = zip(deviations([r(at - k) for k in range(30)]), deviations([r(at - k - 1) for k in range(30)]), strict=True)
    expected["spread_bps"] = 20000 * sqrt(max(0, -fsum(a * b for a, b in pairs) / 29))
    expected["volume_sma_ratio"] = volume[at] / (fsum(volume[at - 19 : at + 1]) / 20)
    vwap = fsum(quotes[at - 59 : at + 1]) / fsum(volume[at - 59 : at + 1])
    expected["vwap_deviation"] = (last - vwap) / last
    return expected


@pytest.mark.parametrize("at", [149, 150, 231, 299])
def test_the_reference_equals_the_definitions(at):
    candles = random_candles(300, seed=1)
    open_time, matrix = compute_features(candles)
    (row,) = matrix[open_time == START + at * MINUTE]
    for name, expected in by_definition(candles, at).items():
        assert row[FEATURES.index(name)] == pytest.approx(expected, rel=1e-10, abs=1e-13), name


def test_the_tested_rows_include_a_positive_spread():
    _, matrix = compute_features(random_candles(300, seed=1))
    spread = matrix[[at - 149 for at in (149, 150, 231, 299)], FEATURES.index("spread_bps")]
    assert (spread > 0).any()


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (149, 0), (150, 1), (151, 2)])
def test_a_row_needs_150_candles(rows, expected):
    open_time, matrix = compute_features(
        random_candles(max(rows, 1), seed=2) if rows else sliced(random_candles(1, 2), [])
    )
    assert matrix.shape == (expected, len(FEATURES))
    assert len(open_time) == expected


def test_no_feature_row_spans_a_gap():
    candles = sliced(random_candles(400, seed=3), np.arange(400) != 200)
    open_time, matrix = compute_features(candles)
    np.testing.assert_array_equal(
        (open_time - START) // MINUTE, np.r_[FEATURE_WINDOW - 1 : 200, 200 + FEATURE_WINDOW : 400]
    )
    assert np.isfinite(matrix).all()


def test_a_missing_column_raises_an_error():
    candles = random_candles(200, seed=4)
    del candles["taker_buy_base_asset_volume"], candles["high"]
    with pytest.raises(ValueError, match="have no columns high, taker_buy_base_asset_volume"):
        compute_features(candles)


def test_times_that_do_not_ascend_raise_an_error():
    candles = random_candles(200, seed=5)
    candles["open_time"][100] = START + 99 * MINUTE
    with pytest.raises(ValueError, match=f"open_time {START + 99 * MINUTE} is not after the previous one"):
        compute_features(candles)


def test_columns_of_different_length_raise_an_error():
    candles = random_candles(200, seed=6)
    candles["volume"] = candles["volume"][1:]
    with pytest.raises(ValueError, match=r"volume has shape \(199,\), open_time \(200,\)"):
        compute_features(candles)
