"""What the table has of a symbol, and which archives it was loaded from.

Every function takes a connection whose session reads and writes times in UTC: `runner.py` makes one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import psycopg

from candlecast.candles.files import Candles
from candlecast.candles.load import Gap
from candlecast.core.times import MINUTE, microseconds_of, moment
from candlecast.exchanges.base import Archive

_DAY = timedelta(days=1)

_UNSETTLED = """
with days as (
    select generate_series(%(first)s::timestamp, %(last)s::timestamp, interval '1 day')::date as day
),

counted as (
    select (open_time at time zone 'UTC')::date as day, count(*) as candles
    from candles_1m
    where
        symbol = %(symbol)s
        and open_time >= %(first)s::timestamp at time zone 'UTC'
        and open_time < (%(last)s::timestamp + interval '1 day') at time zone 'UTC'
    group by 1
),

whole as (  -- archives whose candles the table still has
    select
        (archive.first_open_time at time zone 'UTC')::date as first_day,
        (archive.last_open_time at time zone 'UTC')::date as last_day
    from loaded_archives as archive
    where
        archive.symbol = %(symbol)s
        and archive.last_open_time >= %(first)s::timestamp at time zone 'UTC'
        and archive.candles <= (
            select count(*) from candles_1m
            where symbol = archive.symbol and open_time between archive.first_open_time and archive.last_open_time
        )
)

select days.day
from days
left join counted on days.day = counted.day
where
    coalesce(counted.candles, 0) < 1440
    and not exists (select from whole where days.day between whole.first_day and whole.last_day)
order by days.day
"""

_RECORD = """
insert into loaded_archives (symbol, name, sha256, candles, first_open_time, last_open_time)
values (%s, %s, %s, %s, %s, %s)
on conflict (symbol, name) do update set
    sha256 = excluded.sha256, candles = excluded.candles, loaded_at = clock_timestamp(),
    first_open_time = excluded.first_open_time, last_open_time = excluded.last_open_time
"""


@dataclass(frozen=True)
class Days:
    """Whole days in a row, UTC."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + number * _DAY for number in range((self.last - self.first).days + 1))

    @property
    def start(self) -> datetime:
        """Midnight at the first day's beginning."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """Midnight at the last day's end."""
        return datetime.combine(self.last, time(), UTC) + _DAY


def runs(days: Iterable[date]) -> list[Days]:
    """Ascending days as stretches without a hole."""
    found: list[Days] = []
    for day in days:
        if found and found[-1].last + _DAY == day:
            found[-1] = Days(found[-1].first, day)
        else:
            found.append(Days(day, day))
    return found


def unsettled_days(connection: psycopg.Connection, symbol: str, days: Days) -> list[date]:
    """Those of the days that the table lacks minutes of and that no archive settles.

    A loaded archive whose candles are all still there settles its days: what is missing in it the exchange has not.
    """
    asked = {"symbol": symbol, "first": days.first, "last": days.last}
    return [day for (day,) in connection.execute(_UNSETTLED, asked)]


def gaps(connection: psycopg.Connection, symbol: str, start: datetime, end: datetime) -> list[Gap]:
    """Minutes of [start, end) without a candle."""
    rows = connection.execute("select first_missing, last_missing from candle_gaps(%s, %s, %s)", [symbol, start, end])
    return [Gap(first, last) for first, last in rows]


def oldest(connection: psycopg.Connection, symbol: str) -> datetime | None:
    """open_time of the oldest candle."""
    row = connection.execute("select min(open_time) from candles_1m where symbol = %s", [symbol]).fetchone()
    return row[0] if row else None


def has_any(connection: psycopg.Connection, symbol: str, start: datetime, end: datetime) -> bool:
    """Whether there is a candle in [start, end)."""
    return connection.execute(
        "select exists (select from candles_1m where symbol = %s and open_time >= %s and open_time < %s)",
        [symbol, start, end],
    ).fetchone() == (True,)


def record(connection: psycopg.Connection, archive: Archive, sha256: str, candles: Candles) -> None:
    """Remember that an archive's candles are in the table; in the transaction that puts them there."""
    span = [moment(candles.open_time[0]), moment(candles.open_time[-1])]
    connection.execute(_RECORD, [archive.symbol, archive.name, sha256, len(candles), *span])


def without(missing: list[Gap], found: list[np.ndarray]) -> list[Gap]:
    """The gaps that are left where these minutes, microseconds since the epoch, are taken out."""
    if not missing or not found:
        return missing
    minutes = np.concatenate(
        [np.arange(microseconds_of(gap.first), microseconds_of(gap.last) + MINUTE, MINUTE) for gap in missing]
    )
    left = np.setdiff1d(minutes, np.concatenate(found))
    stretches = np.split(left, np.flatnonzero(np.diff(left) != MINUTE) + 1)
    return [Gap(moment(minutes[0]), moment(minutes[-1])) for minutes in stretches if len(minutes)]
