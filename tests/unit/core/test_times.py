"""Times as text for PostgreSQL and for people, and parsing them."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from candlecast.core.errors import TimeUnreadable
from candlecast.core.forecast_rows import format_timestamps
from candlecast.core.times import (
    MINUTE_SECONDS,
    MINUTE_US,
    ONE_MINUTE,
    describe_time,
    format_timestamp,
    microseconds_of,
    moment,
    parse_timestamp,
)

TIME = datetime(2026, 4, 30, 23, 59, tzinfo=UTC)


def test_a_minute_is_equal_in_every_unit():
    assert timedelta(seconds=MINUTE_SECONDS) == timedelta(microseconds=MINUTE_US) == ONE_MINUTE


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (TIME, "2026-04-30 23:59 UTC"),
        (TIME.astimezone(timezone(timedelta(hours=2))), "2026-04-30 23:59 UTC"),
        (microseconds_of(TIME), "2026-04-30 23:59 UTC"),
        (microseconds_of(TIME) + 1_500_000, "2026-04-30 23:59:01.500000 UTC"),
        (0, "1970-01-01 00:00 UTC"),
    ],
)
def test_describe_time_is_utc_with_seconds_only_if_not_0(time, text):
    assert describe_time(time) == text


def test_both_formats_for_postgresql_are_parsed():
    epochs = np.array([0.0, TIME.timestamp(), TIME.timestamp() + 60])
    for epoch, text in zip(epochs.tolist(), format_timestamps(epochs), strict=True):
        assert parse_timestamp(text) == parse_timestamp(format_timestamp(epoch)) == epoch
    assert format_timestamp(TIME.timestamp()) == "2026-04-30 23:59:00+00"
    assert moment(microseconds_of(TIME)) == TIME


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        (None, None),
        ("infinity", float("inf")),
        ("-infinity", float("-inf")),
        ("0044-03-15 12:00:00+00 BC", float("-inf")),
        ("2026-05-01 01:59:00+02", TIME.timestamp()),
    ],
)
def test_a_timestamptz_of_postgresql_is_parsed(text, epoch):
    assert parse_timestamp(text) == epoch


@pytest.mark.parametrize(
    "text", ["30/04/2026 23:59:00 UTC", "20260-04-30 23:59:00+00", "2026-13-01 00:00:00+00", "now"]
)
def test_another_datestyle_is_rejected(text):
    with pytest.raises(TimeUnreadable):
        parse_timestamp(text)
