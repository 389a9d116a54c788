"""Forecasts as rows of the type ``forecast``: what the predict functions return, and predictions keeps."""

from typing import Any

import numpy as np

from candlecast.core.calibration import FAR
from candlecast.core.feature_names import CLOSE, FEATURES
from candlecast.core.forecast import Calibrated, Ensemble
from candlecast.core.times import MINUTE_SECONDS, format_timestamps
from candlecast.core.windows import HORIZONS

Row = tuple[Any, ...]
#: The type ``forecast``, in its order.
COLUMNS = (
    "symbol", "candle_time", "target_time", "horizon", "reference_close", "predicted_close", "predicted_price",
    "mamba_close", "lgbm_close", "confidence", "ensemble_id",
    "probability_up", "lower_price", "upper_price", "abstained", "out_of_distribution", "furthest_feature",
)  # fmt: skip
_UNCALIBRATED = (None, None, None, False, None, None)


def forecast_rows(
    ensemble: Ensemble, symbol: str, times: np.ndarray | float, windows: np.ndarray, min_confidence: float
) -> list[Row]:
    """Raw windows (batch, 60, features) that end at times (epoch seconds) -> a row per candle time and horizon."""
    times = np.atleast_1d(times)
    forecast, closes = ensemble.forecast(windows), windows[:, -1, CLOSE]
    columns = (
        forecast.ensemble,
        _prices(closes, forecast.ensemble),
        forecast.mamba,
        forecast.lgbm,
        forecast.confidence,
    )
    candle_times = format_timestamps(times)
    targets = [format_timestamps(times + horizon * MINUTE_SECONDS) for horizon in HORIZONS]
    values = np.stack(columns, axis=-1).tolist()
    more = [[_UNCALIBRATED] * len(HORIZONS)] * len(times)
    if forecast.calibrated is not None:
        more = _calibrated(closes, forecast.calibrated, min_confidence)
    return [
        (symbol, candle_times[i], targets[j][i], horizon, close, *values[i][j], ensemble.id, *more[i][j])
        for i, close in enumerate(closes.tolist())
        for j, horizon in enumerate(HORIZONS)
    ]


def _calibrated(closes: np.ndarray, calibrated: Calibrated, min_confidence: float) -> list[list[Row]]:
    """The last six columns, by candle and horizon."""
    probability = calibrated.probability_up
    columns = (probability, _prices(closes, calibrated.lower), _prices(closes, calibrated.upper))
    values = np.stack(columns, axis=-1).tolist()
    abstained = (np.abs(probability - 0.5) < min_confidence).tolist()
    outside = [
        (True, FEATURES[feature]) if far else (False, None)
        for far, feature in zip((calibrated.distance > FAR).tolist(), calibrated.furthest.tolist(), strict=True)
    ]
    return [[(*values[i][j], abstained[i][j], *out) for j in range(len(HORIZONS))] for i, out in enumerate(outside)]


def _prices(closes: np.ndarray, log_returns: np.ndarray) -> np.ndarray:
    return closes[:, np.newaxis] * np.exp(log_returns)
