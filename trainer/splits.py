"""Training, validation and test rows: in time order, with nothing shared across a border.

A row of candle_time t reads candles from t - 208 minutes on (60 rows of 150 candles) and is labelled by
the candle at t + 5 minutes. So the rows before a border end where their last label lies more than
208 minutes before the next part's first candle_time (purge and embargo): no candle is read by both sides.
"""

from dataclasses import dataclass

import numpy as np

from candlecast.features import HORIZONS, SEQUENCE_LENGTH, WINDOW
from trainer.errors import CandlecastUserError

#: Minutes before candle_time that a prediction reads: 208.
HISTORY = SEQUENCE_LENGTH + WINDOW - 2
#: Rows below which a part teaches or tells nothing.
LEAST_TRAINING, LEAST_VALIDATION, LEAST_TEST = 2_000, 500, 500
MINUTE = 60


@dataclass(frozen=True)
class Split:
    """Positions into the candle times that were split: (n,) int64 each, in time order."""

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_by_time(candle_time: np.ndarray, validation_from: int, test_from: int) -> Split:
    """Split rows by their candle times (n,), epoch seconds, ascending.

    Parts are [.., validation_from - purge), [validation_from, test_from - purge) and [test_from, ..).
    Raises CandlecastUserError where a part is left with too few rows.
    """
    purge = (HISTORY + max(HORIZONS)) * MINUTE
    split = Split(
        training=np.flatnonzero(candle_time < validation_from - purge),
        validation=np.flatnonzero((candle_time >= validation_from) & (candle_time < test_from - purge)),
        test=np.flatnonzero(candle_time >= test_from),
    )
    for name, least in (
        ("training", LEAST_TRAINING),
        ("validation", LEAST_VALIDATION),
        ("test", LEAST_TEST),
    ):
        rows = len(getattr(split, name))
        if rows < least:
            raise CandlecastUserError(
                f"the {name} part has {rows:,} rows; it needs at least {least:,}",
                f"Load more candles, widen --from and --to, or move --test-from. At each border "
                f"{purge // MINUTE} minutes are left out, so that no candle is on both sides.",
            )
    return split


def default_borders(
    candle_time: np.ndarray,
    test_from: int | None = None,
    validation_share: float = 0.15,
    test_share: float = 0.2,
) -> tuple[int, int]:
    """(validation_from, test_from), epoch seconds: shares of the rows, the last ones for the test.

    ``validation_share`` is of the rows before the test. A given ``test_from`` is kept.
    """
    if test_from is None:
        test_from = int(candle_time[int(len(candle_time) * (1 - test_share))])
    before = candle_time[candle_time < test_from]
    if not len(before):
        raise CandlecastUserError(
            "no training row lies before the test part", "Move --test-from later or --from earlier."
        )
    return int(before[int(len(before) * (1 - validation_share))]), test_from
