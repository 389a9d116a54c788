"""The look-ahead guard on arrays: correct rows pass, each kind of leak raises LookAhead."""

from dataclasses import replace

import numpy as np
import pytest

from candlecast.core.errors import LookAhead
from candlecast.core.feature_names import FEATURES
from candlecast.trainer.data.lookahead import check_rows
from tests.support.artifacts import generated_candles, generated_dataset

CANDLES = generated_candles(7_000)


def with_column(dataset, name, values):
    features = dataset.features.copy()
    features[:, FEATURES.index(name)] = values
    return replace(dataset, features=features)


def test_rows_without_look_ahead_pass():
    assert check_rows(CANDLES, generated_dataset()) == 200
    assert check_rows(generated_candles(1_000), generated_dataset(1_000), sample=10**6) == 1_000 - 208 - 5


@pytest.mark.parametrize(
    "name", [FEATURES[0], "log_return_1m", "volatility_30m", "ema_30_norm", "rsi_14", FEATURES[-1]]
)
def test_a_feature_from_the_next_minute_raises_look_ahead(name):
    dataset = generated_dataset()
    ahead = np.roll(dataset.features[:, FEATURES.index(name)], -1)
    with pytest.raises(
        LookAhead, match=rf"look-ahead: the row of DEMO at 2026-01-0\d \d\d:\d\d UTC has {name} "
    ) as error:
        check_rows(CANDLES, with_column(dataset, name, ahead))
    assert "features_between" in error.value.hint


def test_a_small_leak_raises_look_ahead():
    dataset = generated_dataset()
    column = dataset.features[:, FEATURES.index("rsi_14")]
    with pytest.raises(LookAhead, match="rsi_14"):
        check_rows(CANDLES, with_column(dataset, "rsi_14", column + 1e-5 * np.roll(column, -1)))


def test_rounding_differences_pass():
    dataset = generated_dataset()
    assert check_rows(CANDLES, replace(dataset, features=dataset.features * (1 + 1e-9))) == 200


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda one: replace(one, returns=np.roll(one.returns, -1, axis=0)), "at 1 min, but the closes give"),
        (lambda one: replace(one, returns=one.returns[:, [0, 1, 2, 3, 3]]), "at 5 min, but the closes give"),
        (lambda one: replace(one, scaled=np.roll(one.scaled, 1, axis=0)), "at 1 min, but the closes give"),
    ],
)
def test_labels_of_other_minutes_raise_look_ahead(changed, words):
    with pytest.raises(LookAhead, match=words):
        check_rows(CANDLES, changed(generated_dataset()))


def test_rows_without_candles_raise_look_ahead():
    missing = {name: np.delete(values, 3_000) for name, values in CANDLES.items()}
    with pytest.raises(LookAhead, match=r"but its (150 candles have a gap|candle is missing|candle or earlier ones)"):
        check_rows(missing, generated_dataset(), sample=500)
