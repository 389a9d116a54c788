"""Rows for training and evaluation: features and scaled returns of one symbol, from the database or from arrays.

``read_dataset`` reads ``features_between`` and the closes by binary COPY, a month in about a second.
Windows are views of the rows. ``normalize_windows`` copies and normalizes one batch at a time, so memory stays
at 216 bytes per minute, the size of the rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg

from candlecast.candles.files import read_candle_file
from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.core.errors import CandlecastUserError
from candlecast.core.feature_names import CLOSE, FEATURES, VOLATILITY_30M
from candlecast.core.normalization import Normalization, normalize
from candlecast.core.returns import scale_of
from candlecast.core.times import MINUTE_SECONDS, describe_time
from candlecast.core.windows import HORIZONS, LOOKBACK, whole_windows, windows_at
from candlecast.trainer.features import compute_features

#: Binary COPY: an 11-byte signature, flags, extension length; at the end a field count of -1.
COPY_HEADER, COPY_TRAILER = 19, 2


@dataclass(frozen=True)
class Dataset:
    """Feature rows, and targets for the windows that are complete and labeled.

    rows: open_time (n,) int64 epoch seconds ascending, features (n, features) float64.
    windows: ends (m,) int64, the position of each window's last row; returns (m, 5), the log returns
    from candle_time to candle_time + 1..5 minutes; scaled (m, 5), the returns divided by ``scale_of``.
    """

    symbol: str
    open_time: np.ndarray
    features: np.ndarray
    ends: np.ndarray
    returns: np.ndarray
    scaled: np.ndarray

    @property
    def candle_time(self) -> np.ndarray:
        """open_time of each window's last row: (m,) int64 epoch seconds."""
        return self.open_time[self.ends]

    def windows(self, chosen: np.ndarray) -> np.ndarray:
        """Raw windows (batch, 60, features) float64 for positions (batch,) into ``ends``: a copy."""
        return windows_at(self.features, self.ends[chosen])


def normalize_windows(
    dataset: Dataset, chosen: np.ndarray, params: Normalization, batch: int = 128
) -> Iterator[np.ndarray]:
    """The chosen windows in order, normalized, in batches (batch, 60, features) float32."""
    for start in range(0, len(chosen), batch):
        yield normalize(dataset.windows(chosen[start : start + batch]), params)


def normalize_last_rows(dataset: Dataset, chosen: np.ndarray, params: Normalization) -> np.ndarray:
    """LightGBM's input for the chosen windows: the normalized last rows, (len(chosen), features) float32."""
    last = dataset.features[dataset.ends[chosen]][:, np.newaxis, :]
    return normalize(last, params)[:, -1, :]


def build_dataset(
    symbol: str, open_time: np.ndarray, features: np.ndarray, candle_time: np.ndarray, close: np.ndarray
) -> Dataset:
    """Index the complete, labeled windows of feature rows.

    open_time (n,) and features (n, features) are rows in time order; candle_time (k,) and close (k,) are all
    candles whose closes may be targets. A window is complete if its 60 rows are one minute apart. It is labeled if
    the candles 1 to 5 minutes after it exist.
    """
    ends = whole_windows(open_time)
    target = np.full((len(ends), len(HORIZONS)), np.nan)
    for column, horizon in enumerate(HORIZONS):
        wanted = open_time[ends] + horizon * MINUTE_SECONDS
        found = np.minimum(np.searchsorted(candle_time, wanted), len(candle_time) - 1)
        exists = candle_time[found] == wanted
        target[exists, column] = close[found[exists]]
    labeled = ~np.isnan(target).any(axis=1)
    ends, target = ends[labeled], target[labeled]
    returns = np.log(target / features[ends, CLOSE][:, np.newaxis])
    scaled = returns / scale_of(features[ends, VOLATILITY_30M])
    return Dataset(symbol, open_time, features, ends, returns, scaled)


def dataset_from_files(paths: Sequence[Path], symbol: str | None = None, to_time: datetime | None = None) -> Dataset:
    """A dataset from candle files, without a database. The NumPy reference computes the features.

    Files may overlap if they agree. ``to_time`` is exclusive. Raises CandlecastUserError.
    """
    parts = [read_candle_file(path, symbol) for path in paths]
    symbols = {part.symbol for part in parts}
    if len(symbols) != 1:
        raise CandlecastUserError(
            f"the files hold {len(symbols)} symbols: {', '.join(sorted(symbols))}", "Name files of one symbol."
        )
    open_time, first = np.unique(np.concatenate([part.open_time for part in parts]) // 1_000_000, return_index=True)
    columns = {
        name: np.concatenate([np.asarray(part.columns[name], np.float64) for part in parts])[first]
        for name in RAW_COLUMNS
    }
    if to_time is not None:
        keep = open_time < to_time.timestamp()
        open_time, columns = open_time[keep], {name: values[keep] for name, values in columns.items()}
    rows, features = compute_features({"open_time": open_time, **columns})
    return build_dataset(symbols.pop(), rows, features, open_time, columns["close"])


def read_dataset(
    connection: psycopg.Connection,
    symbol: str,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
) -> Dataset:
    """Read a symbol's rows with open_time in [from_time, to_time), by default all, and their targets.

    No candle at or after ``to_time`` is read, not even as a target. Both queries use one snapshot.
    Raises CandlecastUserError if there is nothing to read.
    """
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        first, last = connection.execute(
            "select min(open_time), max(open_time) from candles_1m where symbol = %s", (symbol,)
        ).fetchone() or (None, None)
        if first is None:
            raise CandlecastUserError(
                f"there are no candles of {symbol}",
                f"Load some: candlecast load FILE... --symbol {symbol}",
            )
        _check_range(symbol, first, last, from_time, to_time)
        start = max(first, from_time) if from_time else first
        stop = to_time or datetime.fromtimestamp(last.timestamp() + MINUTE_SECONDS, UTC)
        candles = copy_binary(
            connection,
            """
            select extract(epoch from open_time)::double precision, close
            from candles_1m
            where symbol = %s and open_time >= %s and open_time < %s
            order by open_time
            """,
            (symbol, start, stop),
            columns=2,
        )
        rows = copy_binary(
            connection,
            f"""
            select extract(epoch from open_time)::double precision, {", ".join(FEATURES)}
            from features_between(%s, %s, %s)
            order by open_time
            """,
            (symbol, start, stop),
            columns=1 + len(FEATURES),
        )
    dataset = build_dataset(
        symbol,
        rows[:, 0].astype(np.int64),
        np.ascontiguousarray(rows[:, 1:]),
        candles[:, 0].astype(np.int64),
        candles[:, 1],
    )
    if not len(dataset.ends):
        raise CandlecastUserError(
            f"{symbol} has {len(candles):,} candles from {describe_time(start)} to {describe_time(stop)} (exclusive), "
            "and none of them ends a complete window",
            f"A window is {LOOKBACK} candles without a gap, and {max(HORIZONS)} more are its targets. "
            f"Load more: candlecast load FILE... --symbol {symbol}",
        )
    return dataset


def _check_range(
    symbol: str, first: datetime, last: datetime, from_time: datetime | None, to_time: datetime | None
) -> None:
    """Raise CandlecastUserError if [from_time, to_time) cannot hold a candle from ``first`` to ``last``."""
    if from_time and from_time > last:
        reason = f"--from {describe_time(from_time)} is after the newest candle of {symbol}, {describe_time(last)}"
    elif to_time and to_time <= first:
        reason = f"--to {describe_time(to_time)} is not after the oldest candle of {symbol}, {describe_time(first)}"
    elif from_time and to_time and from_time >= to_time:
        reason = f"--from {describe_time(from_time)} is not before --to {describe_time(to_time)}"
    else:
        return
    available = f"from {describe_time(first)} to {describe_time(last)}"
    raise CandlecastUserError(reason, f"The candles of {symbol} go {available}: choose a time range within them.")


def copy_binary(connection: psycopg.Connection, query: str, parameters: tuple[object, ...], columns: int) -> np.ndarray:
    """Run a query whose columns are all double precision and not null: (rows, columns) float64."""
    with connection.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout (format binary)", parameters) as copy:
        content = b"".join(copy)
    # Each row is a 2-byte count of fields, then for each field a 4-byte length and an 8-byte value.
    row = np.dtype([("fields", ">i2"), ("cells", [("length", ">i4"), ("value", ">f8")], (columns,))])
    body = memoryview(content)[COPY_HEADER : len(content) - COPY_TRAILER]
    if len(body) % row.itemsize:
        raise CandlecastUserError(
            "the database returned null for a feature or a close",
            "Upgrade the database's functions to this version: alembic upgrade head",
        )
    table = np.frombuffer(body, dtype=row)
    return table["cells"]["value"].astype(np.float64)
