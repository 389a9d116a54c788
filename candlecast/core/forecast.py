"""From raw windows to a forecast: returns and, for a calibrated ensemble, probabilities and intervals."""

from dataclasses import dataclass

import numpy as np

from candlecast.core.calibration import Calibration
from candlecast.core.feature_names import VOLATILITY_30M
from candlecast.core.model import Model
from candlecast.core.normalization import clip, normalize, standardize
from candlecast.core.returns import unscale


@dataclass(frozen=True)
class Calibrated:
    """The outputs of a calibration.

    probability_up, lower, upper (batch, 5): the interval bounds are log returns. distance, furthest (batch,): the
    feature furthest outside its training range, see ``Calibration.outside``.
    """

    probability_up: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    distance: np.ndarray
    furthest: np.ndarray


@dataclass(frozen=True)
class Forecast:
    """Log returns (batch, 5) of both models and of the ensemble, their agreement in [0, 1], and calibrated outputs."""

    mamba: np.ndarray
    lgbm: np.ndarray
    ensemble: np.ndarray
    confidence: np.ndarray
    calibrated: Calibrated | None


@dataclass(frozen=True)
class Ensemble:
    """Two loaded models, their weight and calibration; ``id`` is None for files of the server's environment.

    A calibration is fitted for one weight. Its loader checks that this is ``mamba_weight``.
    """

    id: int | None
    mamba_weight: float
    mamba: Model
    lgbm: Model
    calibration: Calibration | None = None

    def forecast(self, windows: np.ndarray) -> Forecast:
        """Raw feature windows (batch, 60, features) float64 -> forecasts of five horizons.

        ensemble = w * mamba + (1 - w) * lgbm; confidence = 1 - |m - l| / (|m| + |l|), 0 where both are 0. The
        out-of-distribution check uses Mamba's normalization.
        """
        volatility = windows[:, -1, VOLATILITY_30M]
        standardized = standardize(windows, self.mamba.normalization)
        rows = clip(standardized, self.mamba.normalization)
        mamba = self.mamba.from_normalized(rows)
        if self.lgbm.normalization_source != self.mamba.normalization_source:
            rows = normalize(windows[:, -1:, :], self.lgbm.normalization)
        lgbm = self.lgbm.from_normalized(rows)
        ensemble = self.mamba_weight * mamba + (1.0 - self.mamba_weight) * lgbm
        total = np.abs(mamba) + np.abs(lgbm)
        apart = np.abs(mamba - lgbm) / np.where(total > 0, total, 1.0)
        return Forecast(
            mamba=unscale(mamba, volatility),
            lgbm=unscale(lgbm, volatility),
            ensemble=unscale(ensemble, volatility),
            confidence=np.where(total > 0, np.clip(1.0 - apart, 0.0, 1.0), 0.0),
            calibrated=self._calibrate(ensemble, standardized[:, -1, :], volatility),
        )

    def _calibrate(self, scaled: np.ndarray, rows: np.ndarray, volatility: np.ndarray) -> Calibrated | None:
        if self.calibration is None:
            return None
        lower, upper = self.calibration.interval(scaled)
        distance, furthest = self.calibration.outside(rows)
        return Calibrated(
            self.calibration.probability_up(scaled),
            unscale(lower, volatility),
            unscale(upper, volatility),
            distance,
            furthest,
        )
