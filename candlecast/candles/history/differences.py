"""What the exchange's candles, staged, would change in the table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from candlecast.core.candle_columns import NUMBERS
from candlecast.core.times import describe_time

_VALUES = (*NUMBERS, "number_of_trades")
#: A spread is none of it: archives and klines have none, and a known one stays.
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
    """A stored candle that the exchange has otherwise: column -> (stored, the exchange's)."""

    open_time: datetime
    values: dict[str, tuple[Any, Any]]

    def __str__(self) -> str:
        told = ", ".join(f"{name} {old!r} -> {new!r}" for name, (old, new) in self.values.items())
        return f"{describe_time(self.open_time)}: {told}"


@dataclass(frozen=True)
class Differences:
    """Of the staged candles: how many the table lacks, how many it has otherwise, the first of these."""

    missing: int
    differing: int
    examples: list[Difference]


def find_differences(connection: psycopg.Connection, max_examples: int) -> Differences:
    """Hold staged_candles to candles_1m; at most so many examples (one at least)."""
    rows = connection.execute(_DIFFERENCES, [max_examples]).fetchall()
    examples = []
    for _, open_time, *values in rows:
        pairs = zip(_VALUES, values[::2], values[1::2], strict=True)
        examples.append(Difference(open_time, {name: (old, new) for name, old, new in pairs if old != new}))
    (missing,) = connection.execute(_MISSING).fetchone() or (0,)
    return Differences(missing, rows[0][0] if rows else 0, examples)
