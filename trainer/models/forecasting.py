"""Forecasts of a trained pair for rows of a dataset, in memory: for calibration and evaluation.

    forecasts = forecast_pair(pair, dataset, split.test)

The server runs the exported files, which give the same results up to 1e-5 (``export_mamba.check_exported_files``).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from candlecast.core.calibration import Calibration
from candlecast.core.normalization import Normalization, standardize
from candlecast.trainer.data.dataset import Dataset, normalize_last_rows, normalize_windows
from candlecast.trainer.models.lgbm import DirectionModel

BATCH = 256


@dataclass(frozen=True)
class PairForecast:
    """For n rows: scaled returns (n, 5) of both models and the ensemble; probability_up (n, 5); the interval's ends
    lower and upper (n, 5), scaled returns; distance (n,) from the range of the training rows, and furthest (n,), the
    number of the feature with that distance.
    """

    mamba: np.ndarray
    lgbm: np.ndarray
    ensemble: np.ndarray
    probability_up: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    distance: np.ndarray
    furthest: np.ndarray


def combine(mamba: np.ndarray, lgbm: np.ndarray, last_rows: np.ndarray, calibration: Calibration) -> PairForecast:
    """Both models' scaled returns (n, 5) and standardized last rows (n, features) -> the ensemble's forecasts."""
    ensemble = calibration.mamba_weight * mamba + (1.0 - calibration.mamba_weight) * lgbm
    lower, upper = calibration.interval(ensemble)
    distance, furthest = calibration.outside(last_rows)
    return PairForecast(mamba, lgbm, ensemble, calibration.probability_up(ensemble), lower, upper, distance, furthest)


def forecast_mamba(
    model: nn.Module,
    dataset: Dataset,
    chosen: np.ndarray,
    normalization: Normalization,
    on_step: Callable[[int, int, str], None] | None = None,
) -> np.ndarray:
    """Mamba's scaled returns (len(chosen), 5) float64 for positions into ``dataset.ends``."""
    parts, done = [], 0
    with torch.inference_mode():
        for rows in normalize_windows(dataset, chosen, normalization, BATCH):
            parts.append(model(torch.from_numpy(rows)).numpy())
            done += len(rows)
            if on_step is not None:
                on_step(done, len(chosen), "")
    return np.concatenate(parts).astype(np.float64)


def forecast_lgbm(
    models: list[DirectionModel],
    magnitude: np.ndarray,
    dataset: Dataset,
    chosen: np.ndarray,
    normalization: Normalization,
) -> np.ndarray:
    """LightGBM's scaled returns (len(chosen), 5): (2p - 1) * magnitude, as defined in facts.json."""
    rows = normalize_last_rows(dataset, chosen, normalization)
    threads = torch.get_num_threads()
    probabilities = [model.probability(rows, threads) for model in models]
    return (2.0 * np.stack(probabilities, axis=1) - 1.0) * magnitude


def standardize_last_rows(dataset: Dataset, chosen: np.ndarray, normalization: Normalization) -> np.ndarray:
    """The chosen windows' last rows, standardized but not clipped: (len(chosen), features) float64."""
    return standardize(dataset.features[dataset.ends[chosen]][:, np.newaxis, :], normalization)[:, 0, :]
