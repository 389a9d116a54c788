"""Small real artifacts for tests: a pair trained in seconds on generated candles, without a database."""

from functools import cache
from pathlib import Path

import numpy as np

from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.server.demo.candles import generate
from candlecast.trainer.data.dataset import Dataset, build_dataset
from candlecast.trainer.export import train_and_export
from candlecast.trainer.features import compute_features
from candlecast.trainer.models.fit_mamba import MambaParameters
from candlecast.trainer.models.lgbm import LightGBMParameters
from candlecast.trainer.models.mamba import MambaShape
from candlecast.trainer.models.training import TrainingOptions

MINUTE = 60
#: 2026-01-01 00:00 UTC, in minutes since 1970.
FIRST_MINUTE = 1_767_225_600 // MINUTE
SMALL_MAMBA = MambaParameters(shape=MambaShape(d_model=8, d_state=4), epochs=1, stride=3)
SMALL_LGBM = LightGBMParameters(learning_rate=0.05, rounds=40, num_leaves=7)


def small_options(seed: int = 0) -> TrainingOptions:
    """Options that train a pair on a few thousand rows in about two seconds."""
    return TrainingOptions(seed=seed, threads=1, mamba=SMALL_MAMBA, lgbm=SMALL_LGBM, mamba_seeds=2)


def generated_candles(minutes: int) -> dict[str, np.ndarray]:
    """Generated candles in the format of compute_features: open_time in epoch seconds."""
    candles = generate(FIRST_MINUTE, FIRST_MINUTE + minutes)
    columns = {name: np.asarray(candles[name], np.float64) for name in RAW_COLUMNS if name in candles}
    columns.setdefault("spread_bps", np.full(minutes, np.nan))
    return {"open_time": candles["minute"] * MINUTE, **columns}


@cache
def generated_dataset(minutes: int = 7_000, symbol: str = "DEMO") -> Dataset:
    """Features and targets of generated candles. Shared between tests, so its arrays are read-only."""
    candles = generated_candles(minutes)
    open_time, features = compute_features(candles)
    dataset = build_dataset(symbol, open_time, features, candles["open_time"], candles["close"])
    for values in (dataset.features, dataset.returns, dataset.scaled):
        values.setflags(write=False)
    return dataset


def make_artifacts(folder: Path, symbol: str = "DEMO", seed: int = 0) -> tuple[Path, Path]:
    """Train and export a small real pair under ``folder``; returns (Mamba's folder, LightGBM's folder)."""
    result = train_and_export(generated_dataset(symbol=symbol), folder, small_options(seed))
    return result.mamba_folder, result.lgbm_folder
