"""Trained on March 2026, measured on 1 to 20 April: LightGBM's accuracy, and exported files on real rows."""

from dataclasses import replace

import numpy as np
import pytest

from candlecast.candles.files import read_candle_file
from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.trainer.data.dataset import build_dataset, normalize_last_rows, normalize_windows
from candlecast.trainer.export import train_and_export
from candlecast.trainer.features import compute_features
from candlecast.trainer.models.export_mamba import check_exported_files, to_onnx, to_torchscript
from candlecast.trainer.models.lgbm import LightGBMParameters
from candlecast.trainer.models.lgbm import to_onnx as lgbm_to_onnx
from candlecast.trainer.models.training import TrainingOptions
from tests.support.artifacts import SMALL_MAMBA
from tests.support.lgbm_leaves import leaf_numbers

#: 2026-04-01 00:00 UTC.
APRIL = 1_775_001_600
#: 2026-04-21 00:00 UTC.
HELD_OUT = APRIL + 20 * 86_400


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    files = [read_candle_file(shared_data / "spot" / f"BTCUSDT-1m-2026-{month}.zip") for month in ("03", "04")]
    candles = {name: np.concatenate([one.columns[name] for one in files]) for name in RAW_COLUMNS}
    candles["open_time"] = np.concatenate([one.open_time for one in files]) // 1_000_000
    # Only `candlecast evaluate` measures the last ten days of April. No test uses them.
    candles = {name: values[candles["open_time"] < HELD_OUT] for name, values in candles.items()}
    dataset = build_dataset("BTCUSDT", *compute_features(candles), candles["open_time"], candles["close"])
    options = TrainingOptions(
        test_from=APRIL, threads=1, mamba=replace(SMALL_MAMBA, stride=4), lgbm=LightGBMParameters()
    )
    return dataset, train_and_export(dataset, tmp_path_factory.mktemp("models"), options)


def test_lightgbm_of_march_has_515_permille_accuracy_in_april(real):
    dataset, result = real
    assert dataset.candle_time[result.split.validation[-1]] < APRIL <= dataset.candle_time[result.split.test[0]]
    one_minute = result.report.lgbm[0]
    assert one_minute.accuracy >= 0.515
    assert one_minute.low > 0.5


def test_onnx_reaches_the_same_leaf_on_real_rows(real):
    dataset, result = real
    rows = normalize_last_rows(dataset, np.arange(len(dataset.ends)), result.pair.normalization)
    assert len(rows) > 73_000
    for model in result.pair.lgbm:
        expected = model.booster.predict(rows, pred_leaf=True, num_threads=1).astype(int)
        assert (leaf_numbers(lgbm_to_onnx(model), model.booster, rows) == expected).all()


def test_exported_files_agree_on_real_windows(real):
    dataset, result = real
    chosen = np.linspace(0, len(dataset.ends) - 1, 1_000).astype(np.int64)
    (windows,) = normalize_windows(dataset, chosen, result.pair.normalization, 1_000)
    model = result.pair.mamba
    assert check_exported_files(model, to_torchscript(model), to_onnx(model), windows) < 1e-5
