"""Compares the exchange's candles in staged_candles with the table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from candlecast.core.candle_columns import NUMBERS
from candlecast.core.times import describe_time

_VALUES = (*NUMBERS, "number_of_trades")
#: Without spread_bps, which archives and klines do not have.
_DIFFERENCES = f"""
select count(*) over (), kept.open_time, {", ".join(f"kept.{name}, fresh.{name}" for name in _VALUES)}
from staged_candles as fresh
inner join candles_1m as kept on fresh.symbol = kept.symbol and fresh.open_time = kept.open_time
where
    ({", ".join(f"kept.{name}" for name in _VALUES)})
    is distinct from ({", ".join(f"fresh.{name}" for name in _VALUES)})
order by kept.open_time
limit %s
"""
_MISSING = """
select count(*) from staged_candles as fresh
where not exists (select from candles_1m where symbol = fresh.symbol and open_time = fresh.open_time)
"""


@dataclass(frozen=True)
class Difference:
    """A stored candle that differs from the exchange's: column -> (stored value, value of the exchange)."""

    open_time: datetime
    values: dict[str, tuple[Any, Any]]

    def __str__(self) -> str:
        changes = ", ".join(f"{name} {old!r} -> {new!r}" for name, (old, new) in self.values.items())
        return f"{describe_time(self.open_time)}: {changes}"


@dataclass(frozen=True)
class Differences:
    """Numbers of staged candles that are missing in the table and that differ, and the first differing ones."""

    missing: int
    differing: int
    examples: list[Difference]


def find_differences(connection: psycopg.Connection, max_examples: int) -> Differences:
    """Compare staged_candles with candles_1m. ``max_examples`` must be at least 1."""
    rows = connection.execute(_DIFFERENCES, [max_examples]).fetchall()
    examples = []
    for _, open_time, *values in rows:
        pairs = zip(_VALUES, values[::2], values[1::2], strict=True)
        examples.append(Difference(open_time, {name: (old, new) for name, old, new in pairs if old != new}))
    (missing,) = connection.execute(_MISSING).fetchone() or (0,)
    return Differences(missing, rows[0][0] if rows else 0, examples)
