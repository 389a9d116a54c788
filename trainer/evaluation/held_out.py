"""Scores on out-of-sample rows: direction accuracy with its interval, compared with baselines.

``candlecast train`` measures one test part with it. `document.py` measures walk-forward rows, with all figures.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from candlecast.core.calibration import Calibration
from candlecast.core.windows import HORIZONS
from candlecast.trainer.evaluation.intervals import mean_estimate
from candlecast.trainer.evaluation.metrics import interval_coverage
from candlecast.trainer.evaluation.reliability import calibration_errors


@dataclass(frozen=True)
class HorizonScore:
    """One forecast at one horizon. Accuracies are shares in [0, 1]; rmse is in log returns.

    ``rows`` counts rows whose actual return is not 0. Accuracies are over these rows, rmse is over all rows.
    ``confident_accuracy`` is over the 10 % with the largest |scaled forecast|.
    """

    horizon: int
    rows: int
    accuracy: float
    low: float
    high: float
    confident_accuracy: float
    rmse: float


@dataclass(frozen=True)
class Baseline:
    """Baselines without a model on the same rows: always up, the last minute's sign, and a forecast of 0."""

    horizon: int
    rows: int
    always_up: float
    last_sign: float
    rmse_of_zero: float


def score_forecast(scaled_forecast: np.ndarray, scale: np.ndarray, returns: np.ndarray) -> list[HorizonScore]:
    """Score forecasts. Arrays are (rows, 5): scaled returns, their scale (``scale_of``), actual log returns."""
    scores = []
    for column, horizon in enumerate(HORIZONS):
        actual, forecast = returns[:, column], scaled_forecast[:, column]
        moved = actual != 0
        hits = np.sign(forecast[moved]) == np.sign(actual[moved])
        accuracy, low, high = mean_with_interval(hits, horizon)
        size = np.abs(forecast[moved])
        confident = hits[size >= np.quantile(size, 0.9)] if len(size) else hits
        rmse = float(np.sqrt(np.mean((forecast * scale[:, column] - actual) ** 2)))
        scores.append(HorizonScore(horizon, int(moved.sum()), accuracy, low, high, _mean(confident), rmse))
    return scores


def score_baselines(last_return: np.ndarray, returns: np.ndarray) -> list[Baseline]:
    """Baselines for the same rows: last_return (rows,) is log_return_1m at candle_time, returns (rows, 5).

    A last return of 0 has no sign to repeat and counts as half a hit.
    """
    rows = []
    for column, horizon in enumerate(HORIZONS):
        actual = returns[:, column]
        moved = actual != 0
        up, last = actual[moved] > 0, last_return[moved]
        repeated = np.where(last == 0, 0.5, np.sign(last) == np.sign(actual[moved]))
        rmse = float(np.sqrt(np.mean(actual**2)))
        rows.append(Baseline(horizon, int(moved.sum()), _mean(up), _mean(repeated), rmse))
    return rows


def mean_with_interval(hits: np.ndarray, horizon: int) -> tuple[float, float, float]:
    """Mean of (rows,) hits in time order and its 95 % Newey-West interval: see `intervals.py`."""
    mean = mean_estimate(hits.astype(np.float64), np.ones(len(hits)), horizon)
    return mean.value, mean.low, mean.high


def score_calibration(
    calibration: Calibration, ensemble: np.ndarray, scaled: np.ndarray, candle_time: np.ndarray
) -> dict[str, Any]:
    """Scores of probabilities and intervals on rows in time order, by horizon, in the format of facts.json.

    ensemble and scaled (rows, 5): forecast and actual scaled returns. Each horizon has brier, calibration_error, its
    range under perfect calibration, and interval_coverage with its 95 % interval.
    """
    probability, (lower, upper) = calibration.probability_up(ensemble), calibration.interval(ensemble)
    (errors,) = calibration_errors({"ensemble": probability}, scaled, candle_time).values()
    found: dict[str, Any] = {}
    for column, horizon in enumerate(HORIZONS):
        which = slice(column, column + 1)
        moved, error = scaled[:, column] != 0, errors[column]
        up = scaled[moved, column] > 0
        covered = interval_coverage(lower[:, which], upper[:, which], scaled[:, which], horizon)
        found[str(horizon)] = {
            "brier": float(np.mean((probability[moved, column] - up) ** 2)) if len(up) else None,
            "calibration_error": error.value,
            "perfect_calibration": list(error.perfect),
            "interval_coverage": covered.document(),
        }
    return found


def document_scores(scores: list[HorizonScore]) -> dict[str, dict[str, float]]:
    """Scores by horizon, in the format of facts.json."""
    return {str(one.horizon): asdict(one) for one in scores}


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
