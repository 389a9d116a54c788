"""Forecasts as rows of the SQL type ``forecast``, which the predict functions return and ``predictions`` stores."""

from collections.abc import Iterable
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from candlecast.core.calibration import MAX_DISTANCE
from candlecast.core.feature_names import CLOSE, FEATURES
from candlecast.core.forecast import Calibrated, Ensemble, Forecast
from candlecast.core.times import MINUTE_SECONDS
from candlecast.core.windows import HORIZONS


class ForecastRow(NamedTuple):
    """The SQL type ``forecast``, with its columns in order. Times are text that PostgreSQL parses.

    It is a tuple because PL/Python reads columns by position, and because predict_range() creates hundreds of
    thousands: creating a frozen dataclass takes six times as long. The defaults are those of an uncalibrated ensemble.
    """

    symbol: str
    candle_time: str
    target_time: str
    horizon: int
    reference_close: float
    predicted_close: float
    predicted_price: float
    mamba_close: float
    lgbm_close: float
    confidence: float
    ensemble_id: int | None
    probability_up: float | None = None
    lower_price: float | None = None
    upper_price: float | None = None
    abstained: bool = False
    out_of_distribution: bool | None = None
    furthest_feature: str | None = None


#: The columns of ForecastRow by name: one value per candle and horizon, the horizons of a candle next to each other.
Columns = dict[str, Iterable[Any]]


def forecast_rows(
    ensemble: Ensemble, symbol: str, times: np.ndarray | float, windows: np.ndarray, min_confidence: float
) -> list[ForecastRow]:
    """Raw windows (batch, 60, features) that end at times (epoch seconds) -> one row per candle time and horizon."""
    forecast, closes = ensemble.forecast(windows), windows[:, -1, CLOSE]
    rows = len(closes) * len(HORIZONS)
    columns: Columns = {name: repeat(value, rows) for name, value in ForecastRow._field_defaults.items()}
    columns |= {"symbol": repeat(symbol, rows), "ensemble_id": repeat(ensemble.id, rows)}
    columns |= _build_times(np.array(times, ndmin=1)) | _build_prices(forecast, closes)
    if forecast.calibrated is not None:
        columns |= _build_calibrated(forecast.calibrated, closes, min_confidence)
    return list(map(ForecastRow._make, zip(*(columns[name] for name in ForecastRow._fields), strict=True)))


def _build_times(times: np.ndarray) -> Columns:
    targets = times[:, np.newaxis] + MINUTE_SECONDS * np.array(HORIZONS)
    return {
        "candle_time": _repeat_per_horizon(format_timestamps(times)),
        "target_time": format_timestamps(targets.ravel()),
        "horizon": HORIZONS * len(times),
    }


def _build_prices(forecast: Forecast, closes: np.ndarray) -> Columns:
    return {
        "reference_close": _repeat_per_horizon(closes.tolist()),
        "predicted_close": forecast.ensemble.ravel().tolist(),
        "predicted_price": _compute_prices(closes, forecast.ensemble),
        "mamba_close": forecast.mamba.ravel().tolist(),
        "lgbm_close": forecast.lgbm.ravel().tolist(),
        "confidence": forecast.confidence.ravel().tolist(),
    }


def _build_calibrated(calibrated: Calibrated, closes: np.ndarray, min_confidence: float) -> Columns:
    probability = calibrated.probability_up
    far = (calibrated.distance > MAX_DISTANCE).tolist()
    furthest = [FEATURES[feature] if out else None for out, feature in zip(far, calibrated.furthest, strict=True)]
    return {
        "probability_up": probability.ravel().tolist(),
        "lower_price": _compute_prices(closes, calibrated.lower),
        "upper_price": _compute_prices(closes, calibrated.upper),
        "abstained": (np.abs(probability - 0.5) < min_confidence).ravel().tolist(),
        "out_of_distribution": _repeat_per_horizon(far),
        "furthest_feature": _repeat_per_horizon(furthest),
    }


def _repeat_per_horizon(values: list[Any]) -> list[Any]:
    """Repeat each candle's value once per horizon."""
    return [value for value in values for _ in HORIZONS]


def _compute_prices(closes: np.ndarray, log_returns: np.ndarray) -> list[float]:
    return (closes[:, np.newaxis] * np.exp(log_returns)).ravel().tolist()


def format_timestamps(epochs: np.ndarray) -> list[str]:
    """``times.format_timestamp`` of an array (n,) of whole seconds: 2026-04-30T23:59:00+00."""
    return [f"{text}+00" for text in np.datetime_as_string(epochs.astype("datetime64[s]")).tolist()]
