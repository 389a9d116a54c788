"""Minutes as the candles name them, in each unit once, and times as text: for PostgreSQL and for people.

The database's times are epoch seconds (float), those of candle files and feeds microseconds (int), since 1970 UTC.
"""

from datetime import UTC, datetime, timedelta
from typing import overload

from candlecast.core.errors import TimeUnreadable

MINUTE_SECONDS = 60
MINUTE_US = 60_000_000
ONE_MINUTE = timedelta(minutes=1)
DAY_SECONDS = 86_400
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
    seconds = ":%S.%f" if time.microsecond else ":%S" if time.second else ""
    return time.strftime(f"%Y-%m-%d %H:%M{seconds} UTC")


def describe_span(first: datetime, last: datetime) -> str:
    """For people, of two aware datetimes on the minute: 2026-03-01 00:04 to 2026-03-01 00:09."""
    return " to ".join(f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in (first, last))


def format_timestamp(epoch: float) -> str:
    """Epoch seconds as PostgreSQL reads them whatever the session's DateStyle: 2026-04-30 23:59:00+00."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S+00")


@overload
def parse_timestamp(text: str) -> float: ...
@overload
def parse_timestamp(text: None) -> None: ...
def parse_timestamp(text: str | None) -> float | None:
    """Epoch seconds of a timestamptz that arrived as text. Raises TimeUnreadable where DateStyle is not ISO.

    The functions set it, a procedure cannot, and other styles name time zones by ambiguous letters.
    """
    if text is None:
        return None
    if text.lstrip("-") == "infinity":
        return float("-inf") if text.startswith("-") else float("inf")
    if text.endswith(" BC"):
        return float("-inf")
    if not text[4:5] == "-":  # five digits and more of a year
        raise TimeUnreadable(text=text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise TimeUnreadable(text=text) from None
    return time.timestamp()
