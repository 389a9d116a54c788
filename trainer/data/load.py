"""Writes candle files into ``candles_1m``; ``candlecast load`` prints what this reports.

    with connect() as connection:
        report = load_file(connection, "BTCUSDT-1m-2026-03.zip")

A file goes by COPY into a temporary table without constraints. There the CHECK constraints of
``candles_1m``, read from the catalog, look for a row that breaks one, so that the refusal names its line
while the rules stand in one place. Then one INSERT ... ON CONFLICT moves the rows; all in one transaction.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from trainer.data.candles import Candles, read_candle_file
from trainer.data.times import describe_time, moment
from trainer.data.upsert import NUMBERS, upsert_from
from trainer.database import connect, explain
from trainer.display import cell, console, plain
from trainer.errors import FileRefused, print_error

_COPY_ROWS = 20_000
_GAPS_SHOWN = 5

_GAPS = """
with edges as (
    select
        coalesce(max(open_time) filter (where open_time < %(first)s), %(first)s) as earliest,
        coalesce(min(open_time) filter (where open_time > %(last)s), %(last)s) as latest
    from (
        (select open_time from candles_1m where symbol = %(symbol)s and open_time < %(first)s
        order by open_time desc limit 1)
        union all
        (select open_time from candles_1m where symbol = %(symbol)s and open_time > %(last)s
        order by open_time limit 1)
    ) as neighbours
),

pairs as (
    select open_time, lead(open_time) over (order by open_time) as next_open_time
    from candles_1m
    where
        symbol = %(symbol)s
        and open_time between (select earliest from edges) and (select latest from edges)
)

select open_time + interval '1 minute', next_open_time - interval '1 minute'
from pairs
where next_open_time > open_time + interval '1 minute'
order by open_time
"""

_CHECKS = """
select c.conname, pg_get_expr(c.conbin, c.conrelid), array_agg(a.attname::text order by a.attnum)
from pg_constraint as c
inner join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
where c.conrelid = 'candles_1m'::regclass and c.contype = 'c'
group by c.oid
order by c.conname
"""


@dataclass(frozen=True)
class Gap:
    """Minutes that the table lacks, from the first missing one to the last."""

    first: datetime
    last: datetime

    @property
    def minutes(self) -> int:
        """How many minutes are missing."""
        return (self.last - self.first) // timedelta(minutes=1) + 1

    def __str__(self) -> str:
        return f"{self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} ({self.minutes:,} min)"


@dataclass(frozen=True)
class LoadReport:
    """What one file did to the table."""

    file: str
    symbol: str
    rows: int  #: closed candles of the file, duplicates merged
    inserted: int
    changed: int
    unclosed: int  #: left out, because they end after now
    duplicates: int  #: identical repetitions inside the file, merged
    gaps: list[Gap] = field(default_factory=list)  #: within the file's span and at its edges

    @property
    def unchanged(self) -> int:
        """Rows that the table had already, with the same values."""
        return self.rows - self.inserted - self.changed


def load_files(files: list[Path], symbol: str | None = None, url: str | None = None) -> bool:
    """Load each file, print what happened; False where one was refused. The others still load."""
    out, err = console(), console(stderr=True)
    table = Table("file", "symbol", "rows", "inserted", "changed", "unchanged", "left out", "merged", "gaps")
    reports: list[LoadReport] = []
    refused: list[FileRefused] = []
    try:
        with connect(url) as connection:
            for file in files:
                try:
                    report = _load_with_bar(connection, file, symbol, err)
                except FileRefused as error:
                    refused.append(error)
                    table.add_row(cell(file.name), "refused", *[""] * 7)
                else:
                    reports.append(report)
                    table.add_row(cell(file.name), cell(report.symbol), *(f"{n:,}" for n in _counts(report)))
    except psycopg.Error as error:
        raise explain(error) from error
    finally:  # whatever stopped it: say what is loaded
        if table.row_count:
            out.print(table)
        for report in reports:
            _print_details(out, report)
        for refusal in refused:
            print_error(refusal)
    return not refused


def load_file(
    connection: psycopg.Connection,
    path: str | Path,
    symbol: str | None = None,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> LoadReport:
    """Load one file in one transaction; ``show(rows copied, rows)`` is called as it goes.

    A row that is there already is changed where a value differs; a known spread_bps stays where the file
    has none. Needs select, insert and update on candles_1m and TEMP on the database.
    Raises FileRefused, with nothing written, and psycopg.Error.
    """
    with connection.transaction():
        # The catalog's expressions come as text and are read again: in these settings, nothing is lost.
        connection.execute("set local timezone = 'UTC'; set local datestyle = 'ISO'")
        (now,) = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone() or (0,)
        candles = read_candle_file(path, symbol, now)
        if not len(candles):
            return LoadReport(candles.file, candles.symbol, 0, 0, 0, candles.unclosed, candles.duplicates)
        _stage(connection, candles, show)
        _refuse_broken_row(connection, candles)
        try:
            inserted, changed = connection.execute(upsert_from("staged_candles")).fetchone() or (0, 0)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise FileRefused(candles.file, str(error.diag.message_primary), error.diag.message_detail) from error
        gaps = _gaps(connection, candles)
        connection.execute("drop table pg_temp.staged_candles")
    return LoadReport(
        file=candles.file,
        symbol=candles.symbol,
        rows=len(candles),
        inserted=inserted,
        changed=changed,
        unclosed=candles.unclosed,
        duplicates=candles.duplicates,
        gaps=gaps,
    )


def _stage(connection: psycopg.Connection, candles: Candles, show: Callable[[int, int], None]) -> None:
    connection.execute("drop table if exists pg_temp.staged_candles")
    connection.execute("create temp table staged_candles (place bigint not null, like candles_1m) on commit drop")
    spread = candles.columns["spread_bps"]
    rows = pa.table(
        {
            "place": candles.places,
            "symbol": pa.repeat(candles.symbol, len(candles)),
            "open_time": pa.array(candles.open_time, pa.timestamp("us", "UTC")),
            **{name: candles.columns[name] for name in (*NUMBERS, "number_of_trades")},
            "spread_bps": pa.array(spread, from_pandas=True),  # NaN: the file has none
        }
    )
    copy_command = sql.SQL("copy staged_candles ({}) from stdin (format csv)").format(
        sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
    )
    options = pyarrow.csv.WriteOptions(include_header=False)
    with connection.cursor().copy(copy_command) as copy:
        for start in range(0, len(candles), _COPY_ROWS):
            buffer = io.BytesIO()
            pyarrow.csv.write_csv(rows.slice(start, _COPY_ROWS), buffer, options)
            copy.write(buffer.getvalue())
            show(min(start + _COPY_ROWS, len(candles)), len(candles))


def _refuse_broken_row(connection: psycopg.Connection, candles: Candles) -> None:
    """Raise FileRefused for the first line that a CHECK constraint of candles_1m says no to."""
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
    raise FileRefused(
        candles.file,
        f"the candle of {describe_time(int(candles.open_time[index]))} breaks {name}"
        + (f" ({values})" if values else ""),
        f"candles_1m takes only rows where {readable(text)}",
        f"{candles.unit} {place}",
    )


def readable(check: str) -> str:
    """A constraint as the catalog writes it, in one line, without the casts of its numbers."""
    words = re.sub(r"::(double precision|numeric|bigint|text|interval|timestamp with time zone)", "", check)
    return re.sub(r"(?<!\w)(?:\('?|')(-?[\d.]+)(?:'?\)|')", r"\1", " ".join(words.split()))


def _gaps(connection: psycopg.Connection, candles: Candles) -> list[Gap]:
    rows = connection.execute(
        _GAPS,
        {
            "symbol": candles.symbol,
            "first": moment(candles.open_time[0]),
            "last": moment(candles.open_time[-1]),
        },
    )
    return [Gap(start, end) for start, end in rows]


def _load_with_bar(connection: psycopg.Connection, file: Path, symbol: str | None, err: Console) -> LoadReport:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(plain(file.name), total=None)
        return load_file(
            connection, file, symbol, lambda done, total: progress.update(task, completed=done, total=total)
        )


def _counts(report: LoadReport) -> tuple[int, ...]:
    return (
        report.rows,
        report.inserted,
        report.changed,
        report.unchanged,
        report.unclosed,
        report.duplicates,
        len(report.gaps),
    )


def _print_details(out: Console, report: LoadReport) -> None:
    name = plain(Path(report.file).name)
    if report.unclosed:
        out.print(f"{name}: {report.unclosed:,} candles end after now and were left out", soft_wrap=True)
    for gap in report.gaps[:_GAPS_SHOWN]:
        out.print(f"{name}: {report.symbol} lacks {gap}", soft_wrap=True)
    if len(report.gaps) > _GAPS_SHOWN:
        out.print(f"{name}: and {len(report.gaps) - _GAPS_SHOWN:,} more gaps", soft_wrap=True)
