"""Minutes as the candles name them: microseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime, timedelta

MINUTE = 60_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Microseconds since the epoch as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=int(microseconds))


def microseconds_of(time: datetime) -> int:
    """The way back: an aware datetime as microseconds since the epoch."""
    return (time - EPOCH) // timedelta(microseconds=1)


def describe_time(microseconds: int) -> str:
    """2026-03-01 00:04 UTC; seconds only where there are any."""
    whole = microseconds % MINUTE == 0
    return moment(microseconds).strftime("%Y-%m-%d %H:%M UTC" if whole else "%Y-%m-%d %H:%M:%S.%f UTC")
