"""Reads candle files: the exchange's kline archives and what people saved of them.

    candles = read_candle_file("BTCUSDT-1m-2026-03.zip")
    candles.columns["close"], candles.open_time

Accepted: zip with one csv, csv.gz, csv, parquet; with a header (the names of ``ALIASES``, in any case) or
without (the archive's twelve columns); times in seconds, milliseconds, microseconds, nanoseconds or
ISO 8601 (naive ones are UTC); further columns are ignored.

This module says what a file's values are. Which values a candle may have is said once, by the CHECK
constraints of ``candles_1m``; ``candlecast.candles.load`` puts them to the rows and names the line that breaks one.
"""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from candlecast.candles.file_formats import Table, read_table
from candlecast.candles.upsert import NUMBERS
from candlecast.core.errors import FileRefused
from candlecast.core.text import shorten
from candlecast.core.times import MINUTE, describe_time, microseconds_of

REQUIRED = ("open_time", *NUMBERS, "number_of_trades")
#: The columns of an archive without a header, in its order. Older ones lack the last.
ARCHIVE_COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_asset_volume",
    "number_of_trades",
    "taker_buy_base_asset_volume",
    "taker_buy_quote_asset_volume",
    "ignore",
)
#: Header names of each column, lower-case letters and digits only; the first one present counts.
ALIASES = {
    "open_time": ("opentime", "timestamp", "datetime", "time", "date"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "baseassetvolume", "basevolume"),
    "close_time": ("closetime",),
    "quote_asset_volume": ("quoteassetvolume", "quotevolume"),
    "number_of_trades": ("numberoftrades", "tradecount", "count", "trades"),
    "taker_buy_base_asset_volume": (
        "takerbuybaseassetvolume",
        "takerbuybasevolume",
        "takerbuybase",
        "takerbuyvolume",
    ),
    "taker_buy_quote_asset_volume": (
        "takerbuyquoteassetvolume",
        "takerbuyquotevolume",
        "takerbuyquote",
    ),
    "spread_bps": ("spreadbps",),
    "symbol": ("symbol",),
    "interval": ("interval",),
}
_DAY_2001, _DAY_2100 = 978_307_200, 4_102_444_800
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_SYMBOL_IN_NAME = re.compile(r"(?:^|[-_])([A-Z0-9]{2,20})[-_](\d+(?:mo|[smhdwM]))(?=[-_.]|$)")
#: What the database takes as a symbol.
SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}")
_TIMES_HINT = "Every row must give seconds, milliseconds, microseconds, or ISO 8601."
_ONE_MINUTE = {"1m", "1min", "1t", "1", "60", "60s"}
_FULL_ARCHIVE = "Load the exchange's full kline archive: it has " + ", ".join(ARCHIVE_COLUMNS[:-1]) + "."


@dataclass(frozen=True)
class Candles:
    """One symbol's closed candles of one file, by ascending open_time, one a minute."""

    file: str
    symbol: str
    open_time: np.ndarray  #: (rows,) int64, microseconds since 1970-01-01 UTC
    columns: dict[str, np.ndarray]  #: NUMBERS float64, number_of_trades int64, spread_bps float64 (NaN: none)
    places: np.ndarray  #: (rows,) int64: line of the file, or row of a parquet file
    unit: str  #: what a place counts: 'line' or 'row'
    unclosed: int  #: candles left out because they end after ``now``
    duplicates: int  #: identical repetitions of a minute, merged

    def __len__(self) -> int:
        return len(self.open_time)


def read_candle_file(path: str | Path, symbol: str | None = None, now: float | None = None) -> Candles:
    """Read a file of one-minute candles.

    The symbol is the argument, else the file name's (BTCUSDT-1m-2026-03.zip), else the file's symbol column.
    Candles that end after ``now`` (epoch seconds, default: this machine's clock) are left out.
    Raises FileRefused with file, line and reason.
    """
    return parse_candles(read_table(Path(path)), symbol, now)


def parse_candles(table: Table, symbol: str | None = None, now: float | None = None) -> Candles:
    """The candles of a table, as ``read_candle_file`` has those of a file."""
    columns = _name_columns(table)
    if not len(table.places):
        raise FileRefused(table.file, "it has a header but no rows", "Check how the file was made.")
    open_time = _times(table, columns["open_time"], "open_time")
    _require_one_minute(table, columns, open_time)
    symbol = _symbol(table, columns, symbol)
    values = {name: _floats(table, columns[name], name) for name in NUMBERS}
    values["number_of_trades"] = _integers(table, columns["number_of_trades"], "number_of_trades")
    if "spread_bps" in columns:
        values["spread_bps"] = _floats(table, columns["spread_bps"], "spread_bps", optional=True)
    else:
        values["spread_bps"] = np.full(len(open_time), np.nan)

    now = time.time() if now is None else now
    closed = open_time + MINUTE <= int(now * 1e6)
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


def _name_columns(table: Table) -> dict[str, pa.ChunkedArray]:
    if table.names is None:
        if len(table.columns) not in (len(ARCHIVE_COLUMNS) - 1, len(ARCHIVE_COLUMNS)):
            raise FileRefused(
                table.file,
                f"it has no header and {len(table.columns)} columns, where an archive has "
                f"{len(ARCHIVE_COLUMNS)}: not a candle file",
                _FULL_ARCHIVE,
                table.place(0),
            )
        return dict(zip(ARCHIVE_COLUMNS, table.columns, strict=False))
    squashed = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in table.names]
    place = "line 1" if table.unit == "line" else None
    columns = {}
    for column, aliases in ALIASES.items():
        alias = next((alias for alias in aliases if alias in squashed), None)
        if alias is None:
            continue
        if squashed.count(alias) > 1:
            raise FileRefused(
                table.file,
                f"two columns are called {table.names[squashed.index(alias)]}",
                "Keep the one that holds the candle's value.",
                place,
            )
        columns[column] = table.columns[squashed.index(alias)]
    missing = [name for name in REQUIRED if name not in columns]
    if not missing:
        return columns
    if {"open", "high", "low", "close"} <= set(missing):
        what = "it holds quotes (bid and ask)" if any("bid" in s for s in squashed) else "not a candle file"
        some = ", ".join(name[:40] for name in table.names[:8]) + (", ..." if len(table.names) > 8 else "")
        reason = f"{what}: there is no open, high, low or close among its columns ({some})"
    else:
        reason = f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    raise FileRefused(table.file, reason, _FULL_ARCHIVE, place)


def _symbol(table: Table, columns: dict[str, pa.ChunkedArray], argument: str | None) -> str:
    symbol = _symbol_said(table, columns, argument)
    if not SYMBOL.fullmatch(symbol):
        raise FileRefused(
            table.file,
            f"{shorten(symbol)} is no symbol: up to 40 letters, digits and . _ : / - beginning with a letter or digit",
            "Name it: --symbol BTCUSDT.",
        )
    return symbol


def _symbol_said(table: Table, columns: dict[str, pa.ChunkedArray], symbol: str | None) -> str:
    inside: list[str] = []
    if "symbol" in columns:
        inside = [str(value) for value in columns["symbol"].unique().to_pylist()]
        if len(inside) > 1:
            raise FileRefused(
                table.file,
                f"it holds several symbols: {', '.join(one[:40] for one in sorted(inside)[:5])}",
                "Split it into a file for each symbol.",
            )
    if symbol is not None:
        if not symbol.strip():
            raise FileRefused(table.file, "the symbol is empty", "Name it: --symbol BTCUSDT.")
        return symbol.strip()
    in_name = _SYMBOL_IN_NAME.search(Path(table.file).name)
    if in_name and inside and in_name[1] != inside[0]:
        raise FileRefused(
            table.file,
            f"its name says {in_name[1]}, its symbol column {inside[0][:40]}",
            f"Say which is right: --symbol {inside[0]}.",
        )
    if in_name or inside:
        return in_name[1] if in_name else inside[0]
    raise FileRefused(table.file, "neither its name nor a column says which symbol it holds", "Add --symbol BTCUSDT.")


def _require_one_minute(table: Table, columns: dict[str, pa.ChunkedArray], open_time: np.ndarray) -> None:
    hint = "Load one-minute klines: BTCUSDT-1m-2026-03.zip."
    if "close_time" in columns:
        lasts = _times(table, columns["close_time"], "close_time") - open_time
        # The last instant of the minute at the file's resolution, or the next minute's first.
        other = np.flatnonzero((lasts < MINUTE - 1_000_000) | (lasts > MINUTE))
        if len(other):
            seconds = round(float(lasts[other[0]]) / 1e6)
            reason = f"the candle lasts {seconds} s from open_time to close_time, not a minute"
            raise FileRefused(table.file, reason, hint, table.place(other[0]))
    if "interval" in columns:
        for index, value in enumerate(columns["interval"].to_pylist()):
            if str(value).lower() not in _ONE_MINUTE or str(value) == "1M":
                reason = f"its interval is {str(value)[:40]}, not 1m"
                raise FileRefused(table.file, reason, hint, table.place(index))
    in_name = _SYMBOL_IN_NAME.search(Path(table.file).name)
    if in_name and in_name[2] != "1m" and "close_time" not in columns:
        raise FileRefused(table.file, f"its name says {in_name[2]} candles, not 1m", hint)


def _times(table: Table, column: pa.ChunkedArray, name: str) -> np.ndarray:
    """(rows,) int64 microseconds since the epoch."""
    if pa.types.is_timestamp(column.type):
        _refuse_empty(table, column, name)
        return np.asarray(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64()))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        _refuse_empty(table, column, name)
        if not re.fullmatch(r"[\d.eE+]+", column[0].as_py()):
            return _iso_times(table, column, name)
    numbers = _integers(table, column, name)
    units = np.zeros(len(numbers), dtype=np.int64)  # units per second; 0: none fits
    for per_second in _UNITS.values():
        units[(numbers >= _DAY_2001 * per_second) & (numbers < _DAY_2100 * per_second)] = per_second
    wrong = np.flatnonzero((units == 0) | (units != units[0]))
    if len(wrong):
        index = wrong[0]
        words = {per_second: word for word, per_second in _UNITS.items()}
        if units[index] == 0:
            reason = f"{name} {numbers[index]} is not a time between 2001 and 2100"
        else:
            reason = (
                f"{name} {numbers[index]} is in {words[units[index]]}, "
                f"the lines before it are in {words[units[0]]}: mixed units"
            )
        raise FileRefused(table.file, reason, _TIMES_HINT, table.place(index))
    per_second = int(units[0])
    return numbers * (10**6 // per_second) if per_second <= 10**6 else numbers // (per_second // 10**6)


def _iso_times(table: Table, column: pa.ChunkedArray, name: str) -> np.ndarray:
    times = np.empty(len(column), dtype=np.int64)
    for index, text in enumerate(column.to_pylist()):
        try:
            parsed = datetime.fromisoformat(text.removesuffix(" UTC"))
        except ValueError:
            reason = "is mixed units" if re.fullmatch(r"\d+", text) else _no_time(text)
            raise FileRefused(table.file, f"{name} {shorten(text)} {reason}", _TIMES_HINT, table.place(index)) from None
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        times[index] = microseconds_of(parsed)
    return times


def _no_time(text: str) -> str:
    """Why a text that is no number is no time either, or does not fit the numbers before it."""
    try:
        datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError as error:
        if str(error).startswith("Invalid isoformat"):
            return "is not a time"
        return f"is no date and time: {error}"  # day is out of range for month
    return "is a date, the lines before it have numbers: mixed units"


def _floats(table: Table, column: pa.ChunkedArray, name: str, optional: bool = False) -> np.ndarray:
    """(rows,) float64. NaN and infinities pass: the table's CHECK constraints say no to them."""
    if optional and pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if not optional:
        _refuse_empty(table, column, name)
    return np.asarray(_cast(table, column, name, pa.float64()))


def _integers(table: Table, column: pa.ChunkedArray, name: str) -> np.ndarray:
    """(rows,) int64; whole numbers written as 12.0 or 1.2e1 count."""
    _refuse_empty(table, column, name)
    try:
        return np.asarray(pc.cast(column, pa.int64()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        numbers = np.asarray(_cast(table, column, name, pa.float64()))
    broken = np.flatnonzero(~(np.abs(numbers) < 2**63) | (numbers != np.floor(numbers)))
    if len(broken):
        value, number = column[int(broken[0])].as_py(), numbers[broken[0]]
        reason = "is out of range" if abs(number) >= 2**63 and np.isfinite(number) else "is not a whole number"
        raise FileRefused(table.file, f"{name} {shorten(value)} {reason}", None, table.place(broken[0]))
    return numbers.astype(np.int64)


def _cast(table: Table, column: pa.ChunkedArray, name: str, to: pa.DataType) -> pa.ChunkedArray:
    try:
        return pc.cast(column, to, safe=False)
    except pa.ArrowNotImplementedError:
        raise FileRefused(table.file, f"column {name} holds {column.type}, not numbers") from None
    except pa.ArrowInvalid:
        for index in range(len(column)):
            try:
                pc.cast(column[index], to)
            except pa.ArrowInvalid:
                value = column[index].as_py()
                reason, hint = "is not a number", "Numbers are written with a decimal point: 67029.25."
                if name in ("open_time", "close_time"):
                    reason, hint = _no_time(value), _TIMES_HINT
                raise FileRefused(table.file, f"{name} {shorten(value)} {reason}", hint, table.place(index)) from None
        raise


def _refuse_empty(table: Table, column: pa.ChunkedArray, name: str) -> None:
    empty = pc.is_null(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        empty = pc.or_(empty, pc.equal(pc.coalesce(column, pa.scalar("", column.type)), ""))
    where = np.flatnonzero(empty.to_numpy())
    if len(where):
        raise FileRefused(table.file, f"{name} is empty", "Every candle needs every value.", table.place(where[0]))


def _merge_duplicates(
    table: Table, order: np.ndarray, open_time: np.ndarray, values: dict[str, np.ndarray]
) -> np.ndarray:
    """Indexes of the rows to keep: the first of each minute. Rows that contradict it are refused."""
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
                f"{table.place(one)} and this one are both {describe_time(open_time[one])} "
                f"but differ: {name} {column[one]!s} and {column[other]!s}",
                "Keep the row that the exchange published last.",
                table.place(other),
            )
    return order[~repeats]
