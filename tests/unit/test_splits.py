"""Time splits: what lies on which side of a border, and what is left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import CandlecastUserError
from trainer.splits import HISTORY, MINUTE, default_borders, split_by_time
from trainer.train import LEAST_WINDOWS

MINUTES = np.arange(20_000, dtype=np.int64)
VALIDATION_FROM, TEST_FROM = 10_000, 15_000


def split(minutes=MINUTES, validation_from=VALIDATION_FROM, test_from=TEST_FROM):
    return split_by_time(minutes * MINUTE, validation_from * MINUTE, test_from * MINUTE)


def test_a_prediction_reads_208_minutes_before_its_own():
    assert HISTORY == 208


@pytest.mark.parametrize(
    ("minute", "part"),
    [
        (0, "training"),
        # 9,786 + 5 = 9,791 lies before 10,000 - 208 = 9,792; the next minute's target does not.
        (9_786, "training"),
        (9_787, None),
        (9_999, None),
        (10_000, "validation"),
        (14_786, "validation"),
        (14_787, None),
        (14_999, None),
        (15_000, "test"),
        (19_999, "test"),
    ],
)
def test_which_part_a_minute_is_in(minute, part):
    given = split()
    parts = [name for name in ("training", "validation", "test") if minute in MINUTES[getattr(given, name)]]
    assert parts == ([part] if part else [])


@given(
    gaps=st.lists(st.tuples(st.integers(0, 19_000), st.integers(1, 400)), max_size=5),
    validation_from=st.integers(6_000, 9_000),
    test_from=st.integers(12_000, 16_000),
)
def test_no_candle_is_read_on_both_sides_of_a_border(gaps, validation_from, test_from):
    minutes = MINUTES[~np.any([(a <= MINUTES) & (a + n > MINUTES) for a, n in gaps] or [MINUTES < 0], axis=0)]
    given = split(minutes, validation_from, test_from)
    for earlier, later in ((given.training, given.validation), (given.validation, given.test)):
        last_target = minutes[earlier].max() + 5
        assert last_target < minutes[later].min() - 208
    assert (np.diff(np.concatenate([given.training, given.validation, given.test])) > 0).all()


@pytest.mark.parametrize(
    ("validation_from", "test_from", "message"),
    [
        (2_000, 15_000, "the training part has 1,787 rows; it needs at least 2,000"),
        (14_500, 15_000, "the validation part has 287 rows; it needs at least 500"),
        (10_000, 19_600, "the test part has 400 rows; it needs at least 500"),
    ],
)
def test_a_part_too_small_is_named_with_its_remedy(validation_from, test_from, message):
    with pytest.raises(CandlecastUserError, match=message) as error:
        split(validation_from=validation_from, test_from=test_from)
    assert "213 minutes are left out" in error.value.hint


def test_default_borders_keep_the_last_fifth_for_the_test():
    times = MINUTES * MINUTE
    assert default_borders(times) == (13_600 * MINUTE, 16_000 * MINUTE)
    assert default_borders(times, test_from=10_000 * MINUTE) == (8_500 * MINUTE, 10_000 * MINUTE)


def test_a_test_that_begins_before_all_rows_is_refused():
    with pytest.raises(CandlecastUserError, match="no training row lies before the test part"):
        default_borders(MINUTES * MINUTE, test_from=-1)


def test_the_least_that_train_accepts_is_enough_for_the_default_borders():
    times = np.arange(LEAST_WINDOWS, dtype=np.int64) * MINUTE
    given = split_by_time(times, *default_borders(times))
    assert len(given.validation) < 600, "the limit is higher than it need be"
