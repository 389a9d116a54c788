"""`candlecast load`: writes candle files into ``candles_1m`` and prints a report.

    with connect() as connection:
        report = load_file(connection, "BTCUSDT-1m-2026-03.zip")

Each file in one transaction, by ``candlecast.candles.bulk_upsert``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from candlecast.candles.bulk_upsert import PLAIN_SETTINGS, write_candles
from candlecast.candles.files import read_candle_file
from candlecast.candles.gaps import Gap, describe_gaps, find_gaps_around
from candlecast.client.database import connect, explain
from candlecast.client.display import cell, console, print_error
from candlecast.core.errors import FileRefused
from candlecast.core.text import plain
from candlecast.core.times import moment


@dataclass(frozen=True)
class LoadReport:
    """The result of loading one file."""

    file: str
    symbol: str
    rows: int  #: closed candles of the file, duplicates merged
    inserted: int
    changed: int
    unclosed: int  #: skipped because they end after now
    duplicates: int  #: identical repetitions inside the file, merged
    gaps: list[Gap] = field(default_factory=list)  #: within the file's range and at its edges

    @property
    def unchanged(self) -> int:
        """Rows that were stored before with the same values."""
        return self.rows - self.inserted - self.changed


def load_files(files: list[Path], symbol: str | None = None, url: str | None = None) -> bool:
    """Load each file and print a report. Returns False if a file was rejected; the others are still loaded."""
    out, err = console(), console(stderr=True)
    table = Table("file", "symbol", "rows", "inserted", "changed", "unchanged", "skipped", "merged", "gaps")
    reports: list[LoadReport] = []
    refused: list[FileRefused] = []
    try:
        with connect(url) as connection:
            for file in files:
                try:
                    report = _load_with_bar(connection, file, symbol, err)
                except FileRefused as error:
                    refused.append(error)
                    table.add_row(cell(file.name), "rejected", *[""] * 7)
                else:
                    reports.append(report)
                    table.add_row(cell(file.name), cell(report.symbol), *(f"{n:,}" for n in _counts(report)))
    except psycopg.Error as error:
        raise explain(error) from error
    finally:  # also after an error: print what was loaded
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
    """Load one file in one transaction; ``show(rows copied, all rows)`` reports the progress.

    A stored row changes where a value differs. A stored spread_bps is kept where the file has none. Needs the rights of
    candlecast_feeder.
    Raises FileRefused, with nothing written, and psycopg.Error.
    """
    with connection.transaction():
        connection.execute(PLAIN_SETTINGS)
        (now,) = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone() or (0,)
        candles = read_candle_file(path, symbol, now)
        if not len(candles):
            return LoadReport(candles.file, candles.symbol, 0, 0, 0, candles.unclosed, candles.duplicates)
        inserted, changed = write_candles(connection, candles, show)
        span = (moment(candles.open_time[0]), moment(candles.open_time[-1]))
        gaps = find_gaps_around(connection, candles.symbol, *span)
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
        candles = "1 candle that ends" if report.unclosed == 1 else f"{report.unclosed:,} candles that end"
        out.print(f"{name}: skipped {candles} after now", soft_wrap=True)
    for line in describe_gaps(report.gaps, f"{report.symbol} has no candles for"):
        out.print(f"{name}: {line}", soft_wrap=True)
