"""Training, validation and test rows: in time order, with no candle shared across a border.

A row of candle_time t reads candles from t - 208 minutes on (60 rows of 150 candles), and the candle at t + 5 minutes
is its last label. So the last label of a part is more than 208 minutes before the first candle_time of the next part
(purge and embargo). No candle is read on both sides.
Borders are times, not row numbers. They apply to all symbols alike, so no symbol's future leaks into another's past.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from candlecast.core.errors import CandlecastUserError
from candlecast.core.times import DAY_SECONDS, MINUTE_SECONDS
from candlecast.core.windows import HORIZONS, LOOKBACK

#: Minutes to leave out before the first row of the next part: history and labels, 213.
PURGE = LOOKBACK - 1 + max(HORIZONS)
#: Share of the rows before the test part that are the validation part: the last ones.
VALIDATION_SHARE = 0.15
FOLDS = 4
#: A part with fewer rows is too small to train or measure on.
MIN_TRAINING_ROWS, MIN_VALIDATION_ROWS, MIN_TEST_ROWS = 2_000, 500, 500


@dataclass(frozen=True)
class Split:
    """Positions into the candle times: (n,) int64 each, in time order."""

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_by_time(
    candle_time: np.ndarray,
    validation_from: int,
    test_from: int,
    training_from: int | None = None,
    test_to: int | None = None,
) -> Split:
    """Split rows by their candle times (n,), epoch seconds, ascending.

    Parts are [training_from, validation_from - purge), [validation_from, test_from - purge) and [test_from, test_to).
    The outer borders default to the first and last row. Raises CandlecastUserError if a part has too few rows.
    """
    purge = PURGE * MINUTE_SECONDS
    first = candle_time[0] if training_from is None else training_from
    end = candle_time[-1] + MINUTE_SECONDS if test_to is None else test_to
    split = Split(
        training=np.flatnonzero((candle_time >= first) & (candle_time < validation_from - purge)),
        validation=np.flatnonzero((candle_time >= validation_from) & (candle_time < test_from - purge)),
        test=np.flatnonzero((candle_time >= test_from) & (candle_time < end)),
    )
    for name, least in (
        ("training", MIN_TRAINING_ROWS),
        ("validation", MIN_VALIDATION_ROWS),
        ("test", MIN_TEST_ROWS),
    ):
        rows = len(getattr(split, name))
        if rows < least:
            raise CandlecastUserError(
                f"the {name} part has {rows:,} rows; it needs at least {least:,}",
                f"Load more candles, widen --from and --to, or move --test-from. "
                f"{PURGE} minutes are left out at each border, so that no candle is used on both sides.",
            )
    return split


def choose_borders(
    candle_time: np.ndarray,
    test_from: int | None = None,
    validation_share: float = VALIDATION_SHARE,
    test_share: float = 0.2,
) -> tuple[int, int]:
    """(validation_from, test_from), epoch seconds, from shares of the rows. The last rows are the test part.

    ``validation_share`` is a share of the rows before the test part. ``test_from`` overrides ``test_share``.
    """
    if test_from is None:
        test_from = int(candle_time[int(len(candle_time) * (1 - test_share))])
    before = candle_time[candle_time < test_from]
    if not len(before):
        raise CandlecastUserError(
            "there is no training row before the test part", "Move --test-from later or --from earlier."
        )
    return int(before[int(len(before) * (1 - validation_share))]), test_from


def split_walk_forward(
    candle_time: np.ndarray,
    folds: int = FOLDS,
    test_from: int | None = None,
    train_days: float | None = None,
    validation_share: float = VALIDATION_SHARE,
) -> list[Split]:
    """Folds in time order: consecutive test parts of equal length, each with all rows before it for training.

    candle_time (n,) epoch seconds, ascending. The first test part begins at ``test_from``, by default
    after the first third of the rows; the last one ends with the last candle that a label reads. With
    ``train_days``, training and validation rows are limited to that number of days before the test part. The last
    ``validation_share`` of the rows before a test part are its validation part. Raises CandlecastUserError.
    """
    if not len(candle_time):
        raise CandlecastUserError("there are no rows to split", "Load more candles.")
    start = int(candle_time[len(candle_time) // 3]) if test_from is None else test_from
    end = int(candle_time[-1]) + (max(HORIZONS) + 1) * MINUTE_SECONDS
    minutes = [(end - start) * fold // folds // MINUTE_SECONDS for fold in range(folds)]
    borders = [*(start + minute * MINUTE_SECONDS for minute in minutes), end]
    splits = []
    for number, (fold_from, fold_to) in enumerate(pairwise(borders), start=1):
        training_from = int(candle_time[0]) if train_days is None else int(fold_from - train_days * DAY_SECONDS)
        try:
            validation_from, _ = choose_borders(candle_time[candle_time >= training_from], fold_from, validation_share)
            splits.append(split_by_time(candle_time, validation_from, fold_from, training_from, fold_to))
        except CandlecastUserError as error:
            raise CandlecastUserError(f"fold {number} of {folds}: {error.message}", error.hint) from None
    return splits
