"""Minutes as the candles name them: microseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime, timedelta

MINUTE_SECONDS = 60
MINUTE = 60_000_000
ONE_MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Microseconds since the epoch as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=int(microseconds))


def microseconds_of(time: datetime) -> int:
    """The way back: an aware datetime as microseconds since the epoch."""
    return (time - EPOCH) // timedelta(microseconds=1)


def describe_time(time: int | datetime) -> str:
    """For people, of microseconds or an aware datetime: 2026-03-01 00:04 UTC; seconds only where there are any."""
    time = time.astimezone(UTC) if isinstance(time, datetime) else moment(time)
    whole = not time.second and not time.microsecond
    return time.strftime("%Y-%m-%d %H:%M UTC" if whole else "%Y-%m-%d %H:%M:%S.%f UTC")


def describe_span(first: datetime, last: datetime) -> str:
    """For people, of two aware datetimes on the minute: 2026-03-01 00:04 to 2026-03-01 00:09."""
    return " to ".join(f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in (first, last))
