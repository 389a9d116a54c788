"""Units of time, and times as text: for PostgreSQL and for people.

Times of the database are epoch seconds (float). Times of candle files and feeds are epoch microseconds (int).
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
    """An aware datetime as microseconds since the epoch: the inverse of ``moment``."""
    return (time - EPOCH) // timedelta(microseconds=1)


def describe_time(time: int | datetime) -> str:
    """For people, from microseconds or an aware datetime: 2026-03-01 00:04 UTC. Seconds only if not 0."""
    time = time.astimezone(UTC) if isinstance(time, datetime) else moment(time)
    seconds = ":%S.%f" if time.microsecond else ":%S" if time.second else ""
    return time.strftime(f"%Y-%m-%d %H:%M{seconds} UTC")


def describe_span(first: datetime, last: datetime) -> str:
    """For people, from two aware datetimes on the minute: 2026-03-01 00:04 to 2026-03-01 00:09."""
    return " to ".join(f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in (first, last))


def format_timestamp(epoch: float) -> str:
    """Epoch seconds as text that PostgreSQL reads under any DateStyle: 2026-04-30 23:59:00+00."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S+00")


@overload
def parse_timestamp(text: str) -> float: ...
@overload
def parse_timestamp(text: None) -> None: ...
def parse_timestamp(text: str | None) -> float | None:
    """Epoch seconds of a timestamptz that PL/Python passes as text. Raises TimeUnreadable where DateStyle is not ISO.

    Functions set DateStyle; a procedure cannot. Other styles write time zones as ambiguous abbreviations.
    """
    if text is None:
        return None
    if text.lstrip("-") == "infinity":
        return float("-inf") if text.startswith("-") else float("inf")
    if text.endswith(" BC"):
        return float("-inf")
    if not text[4:5] == "-":  # a year of five or more digits
        raise TimeUnreadable(text=text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise TimeUnreadable(text=text) from None
    return time.timestamp()
