"""The day of a measurement: a whole UTC day that has begun."""

from datetime import UTC, date, datetime, timedelta

from candlecast.core.errors import DayNotBegun, DayUnreadable
from candlecast.core.times import DAY_SECONDS
from candlecast.server.session import Session


def resolve_day(session: Session, text: str | None) -> tuple[date, float, float]:
    """An ISO date (None: yesterday) -> the day, its start and its end (exclusive), in epoch seconds.

    Raises DayUnreadable, DayNotBegun.
    """
    now = datetime.fromtimestamp(session.now(), UTC)
    try:
        day = date.fromisoformat(text) if text is not None else now.date() - timedelta(days=1)
    except ValueError:
        raise DayUnreadable(text=text) from None
    if day < date(1970, 1, 1):
        raise DayUnreadable(text=text)
    if day > now.date():
        raise DayNotBegun(day=day.isoformat())
    start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return day, start, start + DAY_SECONDS
