"""Finds which candles of a symbol are stored, and from which archives.

Every function needs a connection with the time zone UTC, as `runner.py` opens it.
"""

from datetime import date, datetime

import psycopg

from candlecast.candles.files import Candles
from candlecast.candles.history.days import Days
from candlecast.core.times import moment
from candlecast.exchanges.base import Archive

_UNSETTLED_DAYS = """
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

whole as (  -- archives whose candles are all still stored
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

_RECORD_ARCHIVE = """
insert into loaded_archives (symbol, name, sha256, candles, first_open_time, last_open_time)
values (%s, %s, %s, %s, %s, %s)
on conflict (symbol, name) do update set
    sha256 = excluded.sha256, candles = excluded.candles, loaded_at = clock_timestamp(),
    first_open_time = excluded.first_open_time, last_open_time = excluded.last_open_time
"""


def find_unsettled_days(connection: psycopg.Connection, symbol: str, days: Days) -> list[date]:
    """The days with missing minutes that no loaded archive covers.

    An archive covers its days while all its candles are stored: the exchange does not have the other minutes.
    """
    values = {"symbol": symbol, "first": days.first, "last": days.last}
    return [day for (day,) in connection.execute(_UNSETTLED_DAYS, values)]


def find_oldest_candle(connection: psycopg.Connection, symbol: str) -> datetime | None:
    """open_time of the oldest candle."""
    row = connection.execute("select min(open_time) from candles_1m where symbol = %s", [symbol]).fetchone()
    return row[0] if row else None


def has_candles(connection: psycopg.Connection, symbol: str, start: datetime, end: datetime) -> bool:
    """Whether there is a candle in [start, end)."""
    return connection.execute(
        "select exists (select from candles_1m where symbol = %s and open_time >= %s and open_time < %s)",
        [symbol, start, end],
    ).fetchone() == (True,)


def record_archive(connection: psycopg.Connection, archive: Archive, sha256: str, candles: Candles) -> None:
    """Record a loaded archive. Call it in the transaction that writes the candles."""
    span = [moment(candles.open_time[0]), moment(candles.open_time[-1])]
    connection.execute(_RECORD_ARCHIVE, [archive.symbol, archive.name, sha256, len(candles), *span])
