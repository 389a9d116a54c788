"""Synthetic candles: reproducible, valid, and as predictable as documented."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlecast.server.demo import candles as demo

FROM = 29_000_000
DAY = demo.generate(FROM, FROM + 1440)


def assert_same(made: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert made.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(made[name], column, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 1439), max_size=8, unique=True).map(sorted))
def test_ranges_in_pieces_equal_one_range(cuts: list[int]) -> None:
    pieces, close = [], None
    for start, end in zip([0, *cuts], [*cuts, 1440], strict=True):
        pieces.append(demo.generate(FROM + start, FROM + end, close))
        close = float(pieces[-1]["close"][-1])
    assert_same({name: np.concatenate([piece[name] for piece in pieces]) for name in DAY}, DAY)


def test_single_minutes_equal_one_range() -> None:
    close = None
    for index in range(200):
        minute = demo.generate(FROM + index, FROM + index + 1, close)
        close = float(minute["close"][0])
        assert_same(minute, {name: column[index : index + 1] for name, column in DAY.items()})


def test_the_candles_depend_on_the_seed() -> None:
    assert_same(demo.generate(FROM, FROM + 1440, seed=demo.SEED), DAY)
    assert not np.array_equal(demo.generate(FROM, FROM + 1440, seed=1)["close"], DAY["close"])


def test_an_empty_range_has_no_candles() -> None:
    assert {len(column) for column in demo.generate(FROM, FROM).values()} == {0}


def test_candles_are_valid_and_realistic() -> None:
    candles = demo.generate(FROM, FROM + 525_600)
    body = np.stack([candles["open"], candles["close"]])
    assert (candles["high"] >= body.max(axis=0)).all()
    assert (candles["low"] <= body.min(axis=0)).all()
    assert (candles["low"] > 0).all()
    assert (candles["taker_buy_base_asset_volume"] <= candles["volume"]).all()
    assert (candles["taker_buy_quote_asset_volume"] <= candles["quote_asset_volume"]).all()
    assert (candles["number_of_trades"] >= 1).all()
    assert (candles["open"][1:] == candles["close"][:-1]).all()
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(candles[name], np.round(candles[name], 2))
    assert 20_000 < candles["low"].min() < candles["high"].max() < 200_000
    size = np.abs(np.log(candles["close"] / candles["open"]))
    assert np.corrcoef(size[10:], size[:-10])[0, 1] > 0.15  # volatility is clustered


def test_the_price_returns_from_extreme_levels() -> None:
    year = 525_600
    for start in (1_000.0, 5_000_000.0):
        close = demo.generate(FROM, FROM + year, start)["close"][-1]
        assert 15_000 < close < 300_000


def measure_signal() -> dict[str, list[float]]:
    """Direction accuracy of each guess over a year, by horizon; minutes without a price change do not count."""
    candles, flow = demo.generate(FROM, FROM + 525_600), demo.order_flow(FROM, FROM + 525_600)
    log_close = np.log(candles["close"])
    guesses = {
        "hidden order flow": flow,
        "taker share": candles["taker_buy_base_asset_volume"] / candles["volume"] - 0.5,
        "last return": log_close - np.log(candles["open"]),
    }
    accuracy: dict[str, list[float]] = {name: [] for name in guesses}
    for horizon in range(1, 6):
        ahead = log_close[horizon:] - log_close[:-horizon]
        for name, guess in guesses.items():
            hits = np.sign(guess[:-horizon]) == np.sign(ahead)
            accuracy[name].append(float(hits[ahead != 0].mean()))
    return accuracy


def test_the_signal_is_as_strong_as_documented() -> None:
    measured = measure_signal()
    documented = [float(number) for number in re.findall(r"\b5\d\.\d\b", demo.__doc__ or "")]
    assert len(documented) == 10
    for name, shares in (("hidden order flow", documented[:5]), ("taker share", documented[5:])):
        assert [100 * share for share in measured[name]] == pytest.approx(shares, abs=0.051)
    assert 0.58 < measured["hidden order flow"][0] < 0.60
