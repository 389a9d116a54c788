"""Writes one symbol's ``Candles`` into ``candles_1m``, all or nothing.

    with connection.transaction():
        inserted, changed = write_candles(connection, candles)

A range without stored candles is copied directly. Otherwise the rows are copied into a temporary table without
constraints. The CHECK constraints of ``candles_1m``, read from the catalog, are evaluated there, so that an error can
name the line and the rules are defined only once. Then one INSERT ... ON CONFLICT moves the rows.
"""

import re
from collections.abc import Callable

import numpy as np
import psycopg
from psycopg import sql

from candlecast.candles.files import Candles
from candlecast.candles.upsert import upsert_from
from candlecast.core.candle_columns import NUMBERS
from candlecast.core.errors import FileRefused, RowRefused
from candlecast.core.times import describe_time, moment

#: Progress callback: (rows copied, all rows).
Show = Callable[[int, int], None]
#: With these settings, times and the catalog's expressions survive the conversion to text and back.
PLAIN_SETTINGS = "set local timezone = 'UTC'; set local datestyle = 'ISO'"
_ROWS_PER_WRITE = 20_000
#: The epoch of PostgreSQL's timestamps, 2000-01-01, in microseconds since 1970-01-01.
_YEAR_2000_US = 946_684_800_000_000
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"

_CHECKS = """
select c.conname, pg_get_expr(c.conbin, c.conrelid), array_agg(a.attname::text order by a.attnum)
from pg_constraint as c
inner join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
where c.conrelid = 'candles_1m'::regclass and c.contype = 'c'
group by c.oid
order by c.conname
"""


def write_candles(
    connection: psycopg.Connection, candles: Candles, show: Show = lambda done, total: None
) -> tuple[int, int]:
    """Write the candles in one transaction, or in a savepoint of the open one. Returns (inserted, changed).

    A stored row changes where a value differs. A stored spread_bps is kept where the new candle has none.
    Needs select, insert and update on candles_1m and TEMP on the database.
    Raises FileRefused, with nothing written, and psycopg.Error.
    """
    if not len(candles):
        return 0, 0
    with connection.transaction():
        if _is_one_copy(candles) and not _are_any_stored(connection, candles):
            try:
                with connection.transaction():
                    copy_candles(connection, candles, "candles_1m", show)
                return len(candles), 0
            except (psycopg.IntegrityError, psycopg.DataError):
                pass  # an invalid row, or a concurrent writer: the staged path below finds out which
        stage_candles(connection, candles, show)
        refuse_broken_row(connection, candles)
        return upsert_staged(connection, candles)


def stage_candles(connection: psycopg.Connection, candles: Candles, show: Show = lambda done, total: None) -> None:
    """Copy the candles into the temporary table staged_candles, which exists until the transaction ends."""
    connection.execute("drop table if exists pg_temp.staged_candles")
    connection.execute("create temp table staged_candles (place bigint not null, like candles_1m) on commit drop")
    copy_candles(connection, candles, "staged_candles", show, place=candles.places)


def upsert_staged(connection: psycopg.Connection, candles: Candles) -> tuple[int, int]:
    """Move the staged rows into candles_1m. Returns (inserted, changed). Raises FileRefused."""
    try:
        return connection.execute(upsert_from("staged_candles")).fetchone() or (0, 0)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise FileRefused(candles.file, str(error.diag.message_primary), error.diag.message_detail) from error


def copy_candles(
    connection: psycopg.Connection, candles: Candles, table: str, show: Show, **further: np.ndarray
) -> None:
    """COPY the candles into a table, with ``further`` int64 columns. ``show`` reports the progress."""
    columns = {
        **further,
        "open_time": candles.open_time - _YEAR_2000_US,
        **{name: candles.columns[name] for name in (*NUMBERS, "number_of_trades")},
    }
    spread, done = candles.columns["spread_bps"], 0
    # NaN means no spread. These rows are copied first, without the column.
    for rows, more in ((np.isnan(spread), {}), (~np.isnan(spread), {"spread_bps": spread})):
        if not rows.any():
            continue
        records = _records(candles.symbol, {name: column[rows] for name, column in (columns | more).items()})
        command = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, ("symbol", *columns, *more)))
        )
        with connection.cursor().copy(command) as stream:
            stream.write(_HEADER)
            for start in range(0, len(records), _ROWS_PER_WRITE):
                part = records[start : start + _ROWS_PER_WRITE]
                stream.write(part.tobytes())
                done += len(part)
                show(done, len(candles))
            stream.write(_TRAILER)


def _records(symbol: str, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Rows in COPY's binary format: the number of fields, then length and value of each, big-endian."""
    text = symbol.encode()
    fields = [("fields", ">i2"), ("symbol length", ">i4"), ("symbol", f"S{len(text)}")]
    for name, column in columns.items():
        fields += [(f"{name} length", ">i4"), (name, ">f8" if column.dtype.kind == "f" else ">i8")]
    records = np.empty(len(columns["open_time"]), np.dtype(fields))
    records["fields"], records["symbol length"], records["symbol"] = len(columns) + 1, len(text), text
    for name, column in columns.items():
        records[f"{name} length"], records[name] = 8, column
    return records


def _is_one_copy(candles: Candles) -> bool:
    """Whether one COPY is enough. Then rows are locked in time order, and two writers cannot deadlock."""
    without = np.isnan(candles.columns["spread_bps"])
    return bool(without.all() or not without.any())


def _are_any_stored(connection: psycopg.Connection, candles: Candles) -> bool:
    """Whether the table has a candle between the first and the last of these."""
    found = connection.execute(
        "select exists (select from candles_1m where symbol = %s and open_time between %s and %s)",
        [candles.symbol, moment(candles.open_time[0]), moment(candles.open_time[-1])],
    ).fetchone()
    return found == (True,)


def refuse_broken_row(connection: psycopg.Connection, candles: Candles) -> None:
    """Raise RowRefused for the first staged row that violates a CHECK constraint of candles_1m."""
    connection.execute(PLAIN_SETTINGS)
    checks = {name: (text, used) for name, text, used in connection.execute(_CHECKS)}
    if not checks:
        return
    verdicts = sql.SQL(", ").join(
        sql.SQL("({}, ({}))").format(sql.Literal(name), sql.SQL(text)) for name, (text, _) in checks.items()
    )
    broken = connection.execute(
        sql.SQL(
            "select staged_candles.place, verdict.name from staged_candles "
            "cross join lateral (values {}) as verdict (name, holds) "
            "where not verdict.holds order by 1, 2 limit 1"
        ).format(verdicts)
    ).fetchone()
    if broken is None:
        return
    place, name = broken
    text, used = checks[name]
    index = int((candles.places == place).argmax())
    values = ", ".join(f"{column} {candles.columns[column][index]!s}" for column in used if column in candles.columns)
    raise RowRefused(
        index,
        candles.file,
        f"the candle of {describe_time(int(candles.open_time[index]))} violates {name}"
        + (f" ({values})" if values else ""),
        f"candles_1m accepts only rows where {format_check(text)}",
        f"{candles.unit} {place}",
    )


def format_check(check: str) -> str:
    """A constraint of the catalog in one line, without the casts of its numbers."""
    words = re.sub(r"::(double precision|numeric|bigint|text|interval|timestamp with time zone)", "", check)
    return re.sub(r"(?<!\w)(?:\('?|')(-?[\d.]+)(?:'?\)|')", r"\1", " ".join(words.split()))
