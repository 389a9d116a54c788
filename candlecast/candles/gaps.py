"""Gaps: minutes without a candle in ``candles_1m``. The SQL function ``candle_gaps`` defines them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psycopg

from candlecast.core.times import MINUTE_US, ONE_MINUTE, describe_span, microseconds_of, moment

_GAPS = "select first_missing, last_missing from candle_gaps(%s, %s, %s)"

_NEIGHBORS = """
select
    (select max(open_time) from candles_1m where symbol = %(symbol)s and open_time < %(first)s),
    (select min(open_time) from candles_1m where symbol = %(symbol)s and open_time > %(last)s)
"""


@dataclass(frozen=True)
class Gap:
    """A range of missing minutes, first and last inclusive."""

    first: datetime
    last: datetime

    @property
    def minutes(self) -> int:
        """Number of missing minutes."""
        return (self.last - self.first) // ONE_MINUTE + 1

    def __str__(self) -> str:
        return f"{describe_span(self.first, self.last)} ({self.minutes:,} min)"


#: Limit of the gaps that a command prints for one symbol or file.
_MAX_SHOWN = 5


def describe_gaps(gaps: Sequence[Gap], before: str, after: str = "") -> list[str]:
    """One line ``before GAP after`` for each of the first gaps, and a line with the number of the others."""
    lines = [f"{before} {gap}{after}" for gap in gaps[:_MAX_SHOWN]]
    return [*lines, f"and {len(gaps) - _MAX_SHOWN:,} more gaps"] if len(gaps) > _MAX_SHOWN else lines


def find_gaps(connection: psycopg.Connection, symbol: str, start: datetime, end: datetime) -> list[Gap]:
    """Minutes of [start, end) without a candle."""
    return [Gap(first, last) for first, last in connection.execute(_GAPS, [symbol, start, end])]


def find_gaps_around(connection: psycopg.Connection, symbol: str, first: datetime, last: datetime) -> list[Gap]:
    """Gaps between two stored candles, and from them to their neighbors, if there are any."""
    row = connection.execute(_NEIGHBORS, {"symbol": symbol, "first": first, "last": last}).fetchone()
    before, after = row or (None, None)
    return find_gaps(connection, symbol, before or first, (after or last) + ONE_MINUTE)


def subtract_minutes(gaps: list[Gap], found: list[np.ndarray]) -> list[Gap]:
    """The gaps without these minutes (microseconds since the epoch)."""
    if not gaps or not found:
        return gaps
    minutes = np.concatenate(
        [np.arange(microseconds_of(gap.first), microseconds_of(gap.last) + MINUTE_US, MINUTE_US) for gap in gaps]
    )
    left = np.setdiff1d(minutes, np.concatenate(found))
    ranges = np.split(left, np.flatnonzero(np.diff(left) != MINUTE_US) + 1)
    return [Gap(moment(minutes[0]), moment(minutes[-1])) for minutes in ranges if len(minutes)]
