"""Horizons, window lengths, and windows: runs of feature rows without a missing minute."""

import numpy as np

from candlecast.core.times import MINUTE_SECONDS

#: Minutes ahead.
HORIZONS = (1, 2, 3, 4, 5)
#: Feature rows of a window, one per minute.
SEQUENCE_LENGTH = 60
#: Candles of one feature row, its own included.
FEATURE_WINDOW = 150
#: Candles of a prediction, 209: the one at candle_time and the 208 before it.
LOOKBACK = SEQUENCE_LENGTH - 1 + FEATURE_WINDOW


def whole_windows(times: np.ndarray, length: int = SEQUENCE_LENGTH) -> np.ndarray:
    """Positions of the rows that end a whole window: ``length`` rows without a missing minute.

    times (n,) are the rows' epoch seconds, ascending -> (k,) int64.
    """
    before = length - 1
    ends = np.arange(before, len(times))
    return ends[times[before:] - times[: len(ends)] == before * MINUTE_SECONDS]


def windows_at(rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Rows (n, features) -> a copy of the windows that end at these positions, (len(ends), 60, features)."""
    return rows[ends[:, np.newaxis] + np.arange(1 - SEQUENCE_LENGTH, 1)]
