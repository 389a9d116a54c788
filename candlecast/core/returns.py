"""Conversion between scaled returns and log returns."""

import numpy as np

from candlecast.core.windows import HORIZONS

#: The smallest volatility that is used: in a flat market it is 0.
VOLATILITY_FLOOR = 1e-6
_SQRT_HORIZONS = np.sqrt(np.array(HORIZONS, dtype=np.float64))


def scale_of(volatility_30m: np.ndarray) -> np.ndarray:
    """The log return of one unit of scaled return: (batch,) -> (batch, 5).

    max(volatility_30m at candle_time, 1e-6) * sqrt(horizon), both in log returns.
    """
    volatility = np.maximum(np.asarray(volatility_30m, dtype=np.float64), VOLATILITY_FLOOR)
    return volatility[..., np.newaxis] * _SQRT_HORIZONS


def unscale(scaled_returns: np.ndarray, volatility_30m: np.ndarray) -> np.ndarray:
    """Scaled returns (batch, 5) and volatility_30m (batch,) -> log returns (batch, 5), float64."""
    return np.asarray(scaled_returns, dtype=np.float64) * scale_of(volatility_30m)
