"""The calibration of a pair and its weight: probabilities, prediction intervals, and the feature ranges of training.

The trainer fits it on validation rows (``trainer/models/fit_calibration.py``) and evaluates it with this code. The
database stores it with the ensemble. All values are scaled returns, per horizon.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from candlecast.core.errors import CalibrationInvalid
from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import HORIZONS

FORMAT = 1
#: A candle is out of distribution when a feature exceeds its training range by more than this share of the width.
MAX_DISTANCE = 0.1
#: The smallest width: a feature that was constant in training has none.
MIN_WIDTH = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Fitted parameters.

    slope, intercept, half_width (5,); low, high (features,): the range of standardized features on training rows.
    """

    mamba_weight: float
    slope: np.ndarray
    intercept: np.ndarray
    level: float
    half_width: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def probability_up(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled returns (batch, 5) -> the probability that each return is positive, given that it is not 0.

        Platt (1999): 1 / (1 + exp(-(slope s + intercept))).
        """
        return 0.5 + 0.5 * np.tanh(0.5 * (self.slope * scaled + self.intercept))

    def interval(self, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled returns (batch, 5) -> (lower, upper) scaled returns that hold the outcome with probability ``level``.

        Split conformal prediction (Vovk et al. 2005; Lei et al. 2018) on |outcome - s|. The width scales with
        volatility, because s does.
        """
        return scaled - self.half_width, scaled + self.half_width

    def outside(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standardized rows (batch, features) -> (distance, index) of the feature furthest outside its training range.

        The unit is the width of the range; 0 where all features are inside. ``MAX_DISTANCE`` is the limit.
        """
        width = np.maximum(self.high - self.low, MIN_WIDTH)
        distance = np.maximum(np.maximum(self.low - rows, rows - self.high), 0.0) / width
        furthest = distance.argmax(axis=1)
        return distance[np.arange(len(rows)), furthest], furthest


def parse_calibration(content: str) -> Calibration:
    """Parse ``calibration.json``. Raises CalibrationInvalid with the reason."""
    try:
        document = json.loads(content)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise CalibrationInvalid(reason=f"its format is not {FORMAT}")
        probability, interval, seen = document["probability"], document["interval"], document["seen"]
        horizons, features = len(HORIZONS), len(FEATURES)
        if probability["method"] != "platt":
            raise CalibrationInvalid(reason=f"method {probability['method']!r} is not 'platt'")
        calibration = Calibration(
            mamba_weight=float(document["mamba_weight"]),
            slope=_numbers(probability["slope"], horizons, "slope"),
            intercept=_numbers(probability["intercept"], horizons, "intercept"),
            level=float(interval["level"]),
            half_width=_numbers(interval["half_width"], horizons, "half_width"),
            low=_numbers(seen["low"], features, "low"),
            high=_numbers(seen["high"], features, "high"),
        )
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CalibrationInvalid(reason=repr(error)) from None
    if not 0.0 <= calibration.mamba_weight <= 1.0:
        raise CalibrationInvalid(reason=f"mamba_weight {calibration.mamba_weight} is not in [0, 1]")
    if not 0.0 < calibration.level < 1.0 or (calibration.half_width <= 0).any():
        raise CalibrationInvalid(reason="the level of its interval is not in (0, 1), or a half_width is not above 0")
    if (calibration.low > calibration.high).any():
        raise CalibrationInvalid(reason="a feature's low is above its high")
    return calibration


def _numbers(values: Any, count: int, name: str) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise CalibrationInvalid(reason=f"{name} is not {count} finite numbers")
    return numbers
