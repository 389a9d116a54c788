"""Converts the columns of a candle file to numbers and times; an error names the line."""

import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from candlecast.candles.file_formats import Table
from candlecast.core.errors import FileRefused
from candlecast.core.text import shorten
from candlecast.core.times import microseconds_of

_DAY_2001, _DAY_2100 = 978_307_200, 4_102_444_800
_UNITS_PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_TIMES_HINT = "Write all times in one format: seconds, milliseconds, microseconds, nanoseconds or ISO 8601."


def read_times(table: Table, column: pa.ChunkedArray, name: str) -> np.ndarray:
    """(rows,) int64 microseconds since the epoch."""
    if pa.types.is_timestamp(column.type):
        _refuse_empty(table, column, name)
        return np.asarray(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64()))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        _refuse_empty(table, column, name)
        if not re.fullmatch(r"[\d.eE+]+", column[0].as_py()):
            return _iso_times(table, column, name)
    numbers = read_integers(table, column, name)
    units = np.zeros(len(numbers), dtype=np.int64)  # units per second; 0: unknown
    for per_second in _UNITS_PER_SECOND.values():
        units[(numbers >= _DAY_2001 * per_second) & (numbers < _DAY_2100 * per_second)] = per_second
    wrong = np.flatnonzero((units == 0) | (units != units[0]))
    if len(wrong):
        index = wrong[0]
        words = {per_second: word for word, per_second in _UNITS_PER_SECOND.items()}
        if units[index] == 0:
            reason = f"{name} {numbers[index]} is not a time between 2001 and 2100"
        else:
            reason = (
                f"mixed units: {name} {numbers[index]} is in {words[units[index]]}, "
                f"earlier lines are in {words[units[0]]}"
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
            is_number = re.fullmatch(r"\d+", text)
            reason = "is a number, earlier lines have dates: mixed units" if is_number else _explain_no_time(text)
            raise FileRefused(table.file, f"{name} {shorten(text)} {reason}", _TIMES_HINT, table.place(index)) from None
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        times[index] = microseconds_of(parsed)
    return times


def _explain_no_time(text: str) -> str:
    """Why this text, which is not a number, is not accepted as a time."""
    try:
        datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError as error:
        if str(error).startswith("Invalid isoformat"):
            return "is not a time"
        return f"is not a valid date and time: {error}"  # day is out of range for month
    return "is a date, earlier lines have numbers: mixed units"


def read_floats(table: Table, column: pa.ChunkedArray, name: str, optional: bool = False) -> np.ndarray:
    """(rows,) float64. NaN and infinities pass: the table's CHECK constraints reject them."""
    if optional and pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if not optional:
        _refuse_empty(table, column, name)
    return np.asarray(_cast(table, column, name, pa.float64()))


def read_integers(table: Table, column: pa.ChunkedArray, name: str) -> np.ndarray:
    """(rows,) int64; whole numbers may be written as 12.0 or 1.2e1."""
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
        raise FileRefused(table.file, f"column {name} contains {column.type}, not numbers") from None
    except pa.ArrowInvalid:
        for index in range(len(column)):
            try:
                pc.cast(column[index], to)
            except pa.ArrowInvalid:
                value = column[index].as_py()
                reason, hint = "is not a number", "Write numbers with a decimal point: 67029.25."
                if name in ("open_time", "close_time"):
                    reason, hint = _explain_no_time(value), _TIMES_HINT
                raise FileRefused(table.file, f"{name} {shorten(value)} {reason}", hint, table.place(index)) from None
        raise


def _refuse_empty(table: Table, column: pa.ChunkedArray, name: str) -> None:
    empty = pc.is_null(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        empty = pc.or_(empty, pc.equal(pc.coalesce(column, pa.scalar("", column.type)), ""))
    where = np.flatnonzero(empty.to_numpy())
    if len(where):
        raise FileRefused(table.file, f"{name} is empty", "Fill in every value of the candle.", table.place(where[0]))
