"""Positions and contents of whole windows."""

import numpy as np
import pytest

from candlecast.core.times import MINUTE_SECONDS
from candlecast.core.windows import LOOKBACK, SEQUENCE_LENGTH, whole_windows, windows_at


@pytest.mark.parametrize(
    ("minutes", "length", "expected"),
    [
        ([], 3, []),
        ([0, 1], 3, []),
        ([0, 1, 2], 3, [2]),
        ([0, 1, 2, 3], 3, [2, 3]),
        ([0, 1, 3, 4, 5], 3, [4]),
        ([0, 2, 4], 3, []),
        ([7], 1, [0]),
    ],
)
def test_a_whole_window_has_a_row_for_every_minute(minutes, length, expected):
    times = np.array(minutes, dtype=np.int64) * MINUTE_SECONDS
    assert whole_windows(times, length).tolist() == expected
    assert whole_windows(times.astype(np.float64), length).tolist() == expected


def test_a_window_ends_at_its_row():
    rows = np.arange(70.0).reshape(70, 1)
    ends = whole_windows(np.arange(70) * MINUTE_SECONDS)
    windows = windows_at(rows, ends)
    assert windows.shape == (70 - SEQUENCE_LENGTH + 1, SEQUENCE_LENGTH, 1)
    assert windows[0, :, 0].tolist() == list(range(60))
    assert windows[-1, -1, 0] == 69


def test_a_prediction_reads_209_candles():
    assert LOOKBACK == 209
