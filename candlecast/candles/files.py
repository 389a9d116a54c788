"""Reads candle files: the exchange's kline archives and exports of them.

    candles = read_candle_file("BTCUSDT-1m-2026-03.zip")
    candles.columns["close"], candles.open_time

Accepted: zip with one csv, csv.gz, csv, parquet; with a header (the names of ``file_columns.ALIASES``, in any case) or
without (the archive's twelve columns); times in seconds, milliseconds, microseconds, nanoseconds or
ISO 8601 (naive times are UTC). Other columns are ignored.

This module converts values. The CHECK constraints of ``candles_1m`` define which values are valid; ``bulk_upsert``
evaluates them and names the line that violates one.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from candlecast.candles.file_columns import name_columns
from candlecast.candles.file_formats import Table, read_table
from candlecast.candles.file_values import read_floats, read_integers, read_times
from candlecast.core.candle_columns import NUMBERS
from candlecast.core.errors import FileRefused
from candlecast.core.text import shorten
from candlecast.core.times import MINUTE_US, describe_time

_SYMBOL_IN_NAME = re.compile(r"(?:^|[-_])([A-Z0-9]{2,20})[-_](\d+(?:mo|[smhdwM]))(?=[-_.]|$)")
#: Symbols that the database accepts.
SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}")
_ONE_MINUTE_NAMES = {"1m", "1min", "1t", "1", "60", "60s"}


@dataclass(frozen=True)
class Candles:
    """One symbol's closed candles of one file, by ascending open_time, at most one per minute."""

    file: str
    symbol: str
    open_time: np.ndarray  #: (rows,) int64, microseconds since 1970-01-01 UTC
    columns: dict[str, np.ndarray]  #: NUMBERS float64, number_of_trades int64, spread_bps float64 (NaN: none)
    places: np.ndarray  #: (rows,) int64: line of the file, or row of a parquet file
    unit: str  #: unit of places: 'line' or 'row'
    unclosed: int  #: candles skipped because they end after ``now``
    duplicates: int  #: identical repetitions of a minute, merged

    def __len__(self) -> int:
        return len(self.open_time)


def read_candle_file(path: str | Path, symbol: str | None = None, now: float | None = None) -> Candles:
    """Read a file of one-minute candles.

    The symbol comes from the argument, else from the file name (BTCUSDT-1m-2026-03.zip), else from the symbol column.
    Candles that end after ``now`` (epoch seconds, default: this machine's clock) are skipped.
    Raises FileRefused with file, line and reason.
    """
    return parse_candles(read_table(Path(path)), symbol, now)


def parse_candles(table: Table, symbol: str | None = None, now: float | None = None) -> Candles:
    """The candles of a table. Arguments and errors as in ``read_candle_file``."""
    columns = name_columns(table)
    if not len(table.places):
        raise FileRefused(table.file, "a header but no rows", "Check how the file was created.")
    open_time = read_times(table, columns["open_time"], "open_time")
    _require_one_minute(table, columns, open_time)
    symbol = _require_symbol(table, columns, symbol)
    values = {name: read_floats(table, columns[name], name) for name in NUMBERS}
    values["number_of_trades"] = read_integers(table, columns["number_of_trades"], "number_of_trades")
    if "spread_bps" in columns:
        values["spread_bps"] = read_floats(table, columns["spread_bps"], "spread_bps", optional=True)
    else:
        values["spread_bps"] = np.full(len(open_time), np.nan)

    now = time.time() if now is None else now
    closed = open_time + MINUTE_US <= int(now * 1e6)
    order = np.flatnonzero(closed)
    order = order[np.argsort(open_time[order], kind="stable")]
    kept = _merge_duplicates(table, order, open_time, values)
    return Candles(
        file=table.file,
        symbol=symbol,
        open_time=open_time[kept],
        columns={name: column[kept] for name, column in values.items()},
        places=table.places[kept],
        unit=table.unit,
        unclosed=int((~closed).sum()),
        duplicates=len(order) - len(kept),
    )


def _require_symbol(table: Table, columns: dict[str, pa.ChunkedArray], argument: str | None) -> str:
    symbol = _find_symbol(table, columns, argument)
    if not SYMBOL.fullmatch(symbol):
        raise FileRefused(
            table.file,
            f"{shorten(symbol)} is not a symbol: up to 40 letters, digits and . _ : / -, first a letter or digit",
            "Set the symbol: --symbol BTCUSDT.",
        )
    return symbol


def _find_symbol(table: Table, columns: dict[str, pa.ChunkedArray], symbol: str | None) -> str:
    inside: list[str] = []
    if "symbol" in columns:
        inside = [str(value) for value in columns["symbol"].unique().to_pylist()]
        if len(inside) > 1:
            raise FileRefused(
                table.file,
                f"contains several symbols: {', '.join(one[:40] for one in sorted(inside)[:5])}",
                "Split it into one file per symbol.",
            )
    if symbol is not None:
        if not symbol.strip():
            raise FileRefused(table.file, "the symbol is empty", "Set the symbol: --symbol BTCUSDT.")
        return symbol.strip()
    in_name = _SYMBOL_IN_NAME.search(Path(table.file).name)
    if in_name and inside and in_name[1] != inside[0]:
        raise FileRefused(
            table.file,
            f"the file name says {in_name[1]}, the symbol column {inside[0][:40]}",
            f"Set the right one: --symbol {inside[0]}.",
        )
    if in_name or inside:
        return in_name[1] if in_name else inside[0]
    raise FileRefused(table.file, "no symbol in the file name or in a column", "Set the symbol: --symbol BTCUSDT.")


def _require_one_minute(table: Table, columns: dict[str, pa.ChunkedArray], open_time: np.ndarray) -> None:
    hint = "Load one-minute klines: BTCUSDT-1m-2026-03.zip."
    if "close_time" in columns:
        lasts = read_times(table, columns["close_time"], "close_time") - open_time
        # close_time is the last instant of the minute at the file's resolution, or the start of the next minute.
        other = np.flatnonzero((lasts < MINUTE_US - 1_000_000) | (lasts > MINUTE_US))
        if len(other):
            seconds = round(float(lasts[other[0]]) / 1e6)
            reason = f"the candle lasts {seconds} s from open_time to close_time, not 60 s"
            raise FileRefused(table.file, reason, hint, table.place(other[0]))
    if "interval" in columns:
        for index, value in enumerate(columns["interval"].to_pylist()):
            if str(value).lower() not in _ONE_MINUTE_NAMES or str(value) == "1M":
                reason = f"the interval is {str(value)[:40]}, not 1m"
                raise FileRefused(table.file, reason, hint, table.place(index))
    in_name = _SYMBOL_IN_NAME.search(Path(table.file).name)
    if in_name and in_name[2] != "1m" and "close_time" not in columns:
        raise FileRefused(table.file, f"the file name says {in_name[2]} candles, not 1m", hint)


def _merge_duplicates(
    table: Table, order: np.ndarray, open_time: np.ndarray, values: dict[str, np.ndarray]
) -> np.ndarray:
    """Indexes of the rows to keep: the first of each minute. Raises FileRefused if a repetition differs."""
    if not len(order):
        return order
    repeats = np.concatenate(([False], np.diff(open_time[order]) == 0))
    first_of = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(order))))
    again, first = order[repeats], order[first_of[repeats]]
    for name, column in values.items():
        both_missing = np.isnan(column[again]) & np.isnan(column[first])
        differs = np.flatnonzero((column[again] != column[first]) & ~both_missing)
        if len(differs):
            one, other = first[differs[0]], again[differs[0]]
            raise FileRefused(
                table.file,
                f"differs from {table.place(one)} of the same minute {describe_time(open_time[one])}: "
                f"{name} {column[other]!s} instead of {column[one]!s}",
                "Keep the row that the exchange published last.",
                table.place(other),
            )
    return order[~repeats]
