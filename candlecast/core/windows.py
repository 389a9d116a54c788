"""The lengths that predictions are made of, and the windows: stretches of feature rows that lie a minute apart."""

import numpy as np

from candlecast.core.times import MINUTE_SECONDS

#: Minutes ahead that are predicted.
HORIZONS = (1, 2, 3, 4, 5)
#: Feature rows that a prediction reads, a minute apart.
SEQUENCE_LENGTH = 60
#: Candles that one feature row reads, its own included.
FEATURE_WINDOW = 150
#: Candles that a prediction reads, 209: the one of candle_time, and those of the 208 minutes before it.
LOOKBACK = SEQUENCE_LENGTH - 1 + FEATURE_WINDOW


def whole_windows(times: np.ndarray, length: int = SEQUENCE_LENGTH) -> np.ndarray:
    """Positions of the rows that end a whole window: ``length`` rows, a minute apart.

    times (n,) are the rows' epoch seconds, ascending -> (k,) int64.
    """
    before = length - 1
    ends = np.arange(before, len(times))
    return ends[times[before:] - times[: len(ends)] == before * MINUTE_SECONDS]


def windows_at(rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Rows (n, features) -> the windows that end at these positions, (len(ends), 60, features): a copy."""
    return rows[ends[:, np.newaxis] + np.arange(1 - SEQUENCE_LENGTH, 1)]
