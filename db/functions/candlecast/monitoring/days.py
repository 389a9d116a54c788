"""The day that a measurement is of: whole, in UTC, and begun."""

from datetime import UTC, date, datetime, timedelta

from candlecast.errors import CandlecastError, TimeUnreadable
from candlecast.monitoring.distribution import DAY
from candlecast.session import Session

_NOW = "select extract(epoch from clock_timestamp())::float8 as now"


class DayNotBegun(CandlecastError):
    """{day} has not begun, so nothing of it can be measured"""

    sqlstate = "CC025"
    hint = "Leave the day out for yesterday (UTC), or name one that has begun."


def day_of(session: Session, text: str | None) -> tuple[date, float, float]:
    """The day of an ISO date, None: yesterday, and its first second and the first after it, epoch seconds.

    Raises TimeUnreadable, DayNotBegun.
    """
    now = datetime.fromtimestamp(session.rows(_NOW)[0]["now"], UTC)
    try:
        day = date.fromisoformat(text) if text is not None else now.date() - timedelta(days=1)
    except ValueError:
        raise TimeUnreadable(text=text) from None
    if day < date(1970, 1, 1):
        raise TimeUnreadable(text=text)
    if day > now.date():
        raise DayNotBegun(day=day.isoformat())
    start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return day, start, start + DAY
