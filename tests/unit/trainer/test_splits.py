"""Time splits: which rows are on which side of a border, and which are purged."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.core.errors import CandlecastUserError
from candlecast.core.times import DAY_SECONDS, MINUTE_SECONDS
from candlecast.core.windows import LOOKBACK
from candlecast.trainer.data.splits import choose_borders, split_by_time, split_walk_forward
from candlecast.trainer.train import MIN_WINDOWS

MINUTES = np.arange(20_000, dtype=np.int64)
VALIDATION_FROM, TEST_FROM = 10_000, 15_000


def split(minutes=MINUTES, validation_from=VALIDATION_FROM, test_from=TEST_FROM):
    return split_by_time(minutes * MINUTE_SECONDS, validation_from * MINUTE_SECONDS, test_from * MINUTE_SECONDS)


def test_a_prediction_reads_209_candles():
    assert LOOKBACK == 209


@pytest.mark.parametrize(
    ("minute", "part"),
    [
        (0, "training"),
        # 9,786 + 5 = 9,791 is before 10,000 - 208 = 9,792; the target of the next minute is not.
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
def test_each_minute_is_in_one_part_or_purged(minute, part):
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
def test_a_part_with_too_few_rows_raises_an_error(validation_from, test_from, message):
    with pytest.raises(CandlecastUserError, match=message) as error:
        split(validation_from=validation_from, test_from=test_from)
    assert "213 minutes are left out" in error.value.hint


def test_default_borders_keep_the_last_fifth_for_the_test():
    times = MINUTES * MINUTE_SECONDS
    assert choose_borders(times) == (13_600 * MINUTE_SECONDS, 16_000 * MINUTE_SECONDS)
    assert choose_borders(times, test_from=10_000 * MINUTE_SECONDS) == (8_500 * MINUTE_SECONDS, 10_000 * MINUTE_SECONDS)


def test_a_test_part_before_all_rows_raises_an_error():
    with pytest.raises(CandlecastUserError, match="there is no training row before the test part"):
        choose_borders(MINUTES * MINUTE_SECONDS, test_from=-1)


def test_the_minimum_of_train_fits_the_default_borders():
    times = np.arange(MIN_WINDOWS, dtype=np.int64) * MINUTE_SECONDS
    given = split_by_time(times, *choose_borders(times))
    assert len(given.validation) < 600, "MIN_WINDOWS is too high"


#: Labeled rows of March and April 2026: the first complete window ends at 03:28, the last label at 23:59.
MARCH, APRIL, MAY = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (3, 4, 5))
TWO_MONTHS = np.arange(MARCH + (LOOKBACK - 1) * MINUTE_SECONDS, MAY - 5 * MINUTE_SECONDS, MINUTE_SECONDS)


def first_days(splits, times=TWO_MONTHS):
    return [datetime.fromtimestamp(times[one.test[0]], UTC).strftime("%d %B %H:%M") for one in splits]


def test_four_folds_from_22_march_are_ten_days_each():
    splits = split_walk_forward(TWO_MONTHS, test_from=MARCH + 21 * DAY_SECONDS)
    assert first_days(splits) == ["22 March 00:00", "01 April 00:00", "11 April 00:00", "21 April 00:00"]
    assert [len(one.test) for one in splits] == [14_400, 14_400, 14_400, 14_395]  # the last five have no label
    assert [one.training[0] for one in splits] == [0, 0, 0, 0]


def test_the_first_third_is_not_tested_by_default():
    splits = split_walk_forward(TWO_MONTHS)
    assert len(splits) == 4
    assert splits[0].test[0] == len(TWO_MONTHS) // 3
    tested = np.concatenate([one.test for one in splits])
    assert np.array_equal(tested, np.arange(len(TWO_MONTHS) // 3, len(TWO_MONTHS)))


def test_train_days_limits_the_training_range():
    for one in split_walk_forward(TWO_MONTHS, test_from=APRIL, train_days=14):
        assert TWO_MONTHS[one.test[0]] - TWO_MONTHS[one.training[0]] == 14 * DAY_SECONDS


@given(
    gaps=st.lists(st.tuples(st.integers(0, 19_000), st.integers(1, 400)), max_size=5),
    folds=st.integers(1, 5),
    train_days=st.none() | st.floats(4.5, 6),
)
def test_no_fold_reads_a_candle_on_both_sides_of_a_border(gaps, folds, train_days):
    minutes = MINUTES[~np.any([(a <= MINUTES) & (a + n > MINUTES) for a, n in gaps] or [MINUTES < 0], axis=0)]
    splits = split_walk_forward(minutes * MINUTE_SECONDS, folds, 9_000 * MINUTE_SECONDS, train_days)
    assert len(splits) == folds
    for one in splits:
        for earlier, later in ((one.training, one.validation), (one.validation, one.test)):
            assert minutes[earlier].max() + 5 < minutes[later].min() - 208
    tested = np.concatenate([one.test for one in splits])
    assert np.array_equal(minutes[tested], minutes[minutes >= 9_000])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": 40}, "fold 1 of 40: the test part has 33[0-9] rows"),
        ({"test_from": 2_000 * MINUTE_SECONDS}, "fold 1 of 4: the training part has 1,487 rows"),
        ({"train_days": 1}, "fold 1 of 4: the training part has 1,011 rows"),
        ({"test_from": -1}, "fold 1 of 4: there is no training row before the test part"),
    ],
)
def test_a_fold_with_too_few_rows_raises_an_error(arguments, message):
    with pytest.raises(CandlecastUserError, match=message):
        split_walk_forward(MINUTES * MINUTE_SECONDS, **arguments)
