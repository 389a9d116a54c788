"""Windows, targets and normalization: the content of training rows, and no look-ahead."""

from dataclasses import replace

import numpy as np
import pytest

from candlecast.core.feature_names import CLOSE, FEATURES, VOLATILITY_30M
from candlecast.core.normalization import normalize, parse_normalization
from candlecast.trainer.data.dataset import build_dataset, normalize_last_rows, normalize_windows
from candlecast.trainer.data.splits import choose_borders, split_by_time
from candlecast.trainer.features import compute_features
from candlecast.trainer.models.fit_normalization import fit_normalization, to_json
from candlecast.trainer.models.training import train_pair
from tests.support.artifacts import generated_candles, generated_dataset, small_options

MINUTE = 60


def candles_dataset(candles):
    open_time, features = compute_features(candles)
    return build_dataset("DEMO", open_time, features, candles["open_time"], candles["close"])


def without(candles, minutes):
    kept = ~np.isin((candles["open_time"] - candles["open_time"][0]) // MINUTE, list(minutes))
    return {name: values[kept] for name, values in candles.items()}


@pytest.mark.parametrize(
    ("missing", "candle_minutes"),
    [
        # The first window needs 209 candles, its targets 5 more.
        ((), range(208, 595)),
        ((0,), range(209, 595)),
        # Minute 400 is missing: targets exist up to 394, and complete windows from 401 + 208 on.
        ((400,), range(208, 395)),
        ((598,), range(208, 593)),
    ],
)
def test_windows_need_complete_candles_and_targets(missing, candle_minutes):
    candles = generated_candles(600)
    first = candles["open_time"][0]
    dataset = candles_dataset(without(candles, missing))
    assert ((dataset.candle_time - first) // MINUTE).tolist() == list(candle_minutes)


def test_a_window_is_the_60_minutes_up_to_candle_time():
    dataset = generated_dataset()
    chosen = np.array([0, 17, 2_000])
    windows = dataset.windows(chosen)
    assert windows.shape == (3, 60, len(FEATURES))
    for window, position in zip(windows, chosen, strict=True):
        end = dataset.ends[position]
        assert np.array_equal(window, dataset.features[end - 59 : end + 1])
        assert dataset.open_time[end] - dataset.open_time[end - 59] == 59 * MINUTE


def test_targets_are_scaled_returns():
    candles = generated_candles(600)
    dataset = candles_dataset(candles)
    close, volatility = candles["close"], dataset.features[dataset.ends[10], VOLATILITY_30M]
    minute = 208 + 10
    for column, horizon in enumerate((1, 2, 3, 4, 5)):
        log_return = np.log(close[minute + horizon] / close[minute])
        assert dataset.returns[10, column] == pytest.approx(log_return, rel=1e-12)
        assert dataset.scaled[10, column] == pytest.approx(log_return / (volatility * np.sqrt(horizon)), rel=1e-12)


def test_batches_and_last_rows_equal_the_normalized_windows():
    dataset = generated_dataset()
    chosen = np.arange(0, 900, 3)
    params = fit_normalization(dataset.windows(chosen))
    whole = normalize(dataset.windows(chosen), params)
    assert np.array_equal(np.concatenate(list(normalize_windows(dataset, chosen, params, batch=64))), whole)
    assert np.array_equal(normalize_last_rows(dataset, chosen, params), whole[:, -1])


def test_normalized_windows_have_standard_normal_quartiles():
    dataset = generated_dataset()
    windows = dataset.windows(np.arange(0, 3_000, 2))
    values = normalize(windows, fit_normalization(windows)).reshape(-1, len(FEATURES))
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    assert np.abs(middle).max() < 1e-4
    assert np.abs(high - low - 1.349).max() < 1e-3
    assert np.abs(values).max() <= 10


def test_the_price_level_does_not_matter():
    dataset = generated_dataset()
    windows = dataset.windows(np.arange(500))
    params = fit_normalization(windows)
    scaled_up = windows.copy()
    scaled_up[:, :, : CLOSE + 1] *= 7.0
    assert np.abs(normalize(scaled_up, params) - normalize(windows, params)).max() < 1e-5


def test_a_zero_iqr_falls_back_to_the_deviation_or_to_1():
    windows = generated_dataset().windows(np.arange(300))
    constant, rare = FEATURES.index("spread_bps"), FEATURES.index("taker_buy_ratio")
    windows[:, :, constant] = 3.0
    windows[:, :, rare] = 0.5
    windows[::10, :, rare] = 0.6
    params = fit_normalization(windows)
    assert params.scale[constant] == 1.0
    assert params.scale[rare] == pytest.approx(windows[:, :, rare].std(), rel=1e-5)


def test_normalization_survives_a_round_trip_to_json():
    params = fit_normalization(generated_dataset().windows(np.arange(300)))
    again = parse_normalization(to_json(params))
    for name in ("relative", "log1p", "center", "scale", "clip"):
        assert np.array_equal(getattr(again, name), getattr(params, name)), name


def test_test_rows_do_not_change_any_parameter():
    """Rows and targets after the validation part are replaced. The fitted pair is bit-identical."""
    dataset = generated_dataset()
    split = split_by_time(dataset.candle_time, *choose_borders(dataset.candle_time))
    border = dataset.ends[split.validation[-1]]
    features, returns, scaled = dataset.features.copy(), dataset.returns.copy(), dataset.scaled.copy()
    features[border + 1 :] = features[border + 1 :][::-1] * 3.0
    returns[split.test] = -returns[split.test]
    scaled[split.test] = -scaled[split.test]
    changed = replace(dataset, features=features, returns=returns, scaled=scaled)
    pairs = [train_pair(one, split, small_options()) for one in (dataset, changed)]
    assert to_json(pairs[0].normalization) == to_json(pairs[1].normalization)
    assert np.array_equal(pairs[0].magnitude, pairs[1].magnitude)
    weights = [pair.mamba.state_dict() for pair in pairs]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    trees = [[model.booster.model_to_string() for model in pair.lgbm] for pair in pairs]
    assert trees[0] == trees[1]


def test_normalization_is_fitted_on_training_rows_only():
    """Not even validation rows, which early stopping uses, change the normalization."""
    dataset = generated_dataset()
    split = split_by_time(dataset.candle_time, *choose_borders(dataset.candle_time))
    features = dataset.features.copy()
    features[dataset.ends[split.training[-1]] + 1 :] *= 2.0
    pairs = [train_pair(one, split, small_options()) for one in (dataset, replace(dataset, features=features))]
    assert to_json(pairs[0].normalization) == to_json(pairs[1].normalization)
