"""Candles for feature tests, generated or real (../shared/data): inserts them and reads their features."""

import math
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from candlecast.candles.files import read_candle_file
from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.core.feature_names import FEATURES
from tests.support.paths import SHARED_DATA

START = 1_767_225_600  # 2026-01-01 00:00 UTC
MINUTE = 60

Candles = dict[str, np.ndarray]


def candles_of(close, *, start: int = START, **columns) -> Candles:
    """One candle per minute with these closes. `columns`: a value or one value per candle; the others have defaults."""
    close = np.asarray(close, np.float64)
    given = {name: np.broadcast_to(np.asarray(values, np.float64), close.shape) for name, values in columns.items()}
    volume = given.get("volume", np.full_like(close, 1.0))
    plain = {
        "open": close,
        "high": close,
        "low": close,
        "close": close,
        "volume": volume,
        "quote_asset_volume": volume * close,
        "taker_buy_base_asset_volume": volume / 2,
        "taker_buy_quote_asset_volume": volume * close / 2,
        "number_of_trades": np.ones_like(close),
        "spread_bps": np.full_like(close, np.nan),
    }
    return {"open_time": start + MINUTE * np.arange(len(close)), **plain, **given}


def random_candles(
    rows: int, seed: int, *, price: float = 60_000.0, tick: float = 0.01, volatility: float = 5e-4, quiet: float = 0.1
) -> Candles:
    """A random walk on a grid of ``tick``. A share ``quiet`` of the minutes has no trades and an unchanged price."""
    random = np.random.default_rng(seed)
    trades = random.random(rows) >= quiet
    steps = np.where(trades, random.normal(0, volatility, rows), 0)
    close = np.maximum(np.round(price * np.exp(np.cumsum(steps)) / tick), 1) * tick
    close = close[np.maximum.accumulate(np.where(trades, np.arange(rows), 0))]
    open_ = np.concatenate([close[:1], close[:-1]])
    volume = np.where(trades, random.exponential(10, rows), 0)
    taker_share = random.random(rows)
    high = np.maximum(open_, close) * (1 + random.exponential(volatility, rows) * trades)
    low = np.minimum(open_, close) / (1 + random.exponential(volatility, rows) * trades)
    quotes = volume * (low + (high - low) * random.random(rows))
    return candles_of(
        close,
        open=open_,
        high=high,
        low=low,
        volume=volume,
        quote_asset_volume=quotes,
        taker_buy_base_asset_volume=volume * taker_share,
        taker_buy_quote_asset_volume=quotes * taker_share,
        number_of_trades=np.where(trades, random.integers(1, 5000, rows), 0),
    )


def real_candles(*names: str) -> Candles:
    """The candles of files in ../shared/data, concatenated. Skips the test if they are missing."""
    parts = []
    for name in names:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"real candles are missing: {path}")
        file = read_candle_file(path)
        parts.append({"open_time": file.open_time // 1_000_000, **file.columns})
    return {name: np.concatenate([part[name] for part in parts]) for name in ("open_time", *RAW_COLUMNS)}


def sliced(candles: Candles, rows) -> Candles:
    """The candles that ``rows`` (a slice, a mask, indices) selects."""
    return {name: values[rows] for name, values in candles.items()}


def insert(db: psycopg.Connection, symbol: str, candles: Candles) -> None:
    """Write candles by binary COPY."""
    names = ("open_time", *RAW_COLUMNS)
    trades = RAW_COLUMNS.index("number_of_trades")
    with (
        db.cursor() as cursor,
        cursor.copy(f"copy candles_1m (symbol, {', '.join(names)}) from stdin (format binary)") as copy,
    ):
        copy.set_types(["text", "timestamptz", *["int8" if n == "number_of_trades" else "float8" for n in RAW_COLUMNS]])
        for time, *values in zip(*(candles[name].tolist() for name in names), strict=True):
            row = [None if math.isnan(value) else value for value in values]
            row[trades] = int(row[trades])
            copy.write_row([symbol, datetime.fromtimestamp(time, UTC), *row])


def features(
    db: psycopg.Connection, symbol: str, from_time: int | None = None, to_time: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """open_time (n,) and features (n, features) in time order: of features_between with bounds, else of the view."""
    columns = f"extract(epoch from open_time)::float8, {', '.join(FEATURES)}"
    if from_time is None or to_time is None:
        query, values = f"select {columns} from features_1m where symbol = %s order by open_time", [symbol]
    else:
        query = f"select {columns} from features_between(%s, to_timestamp(%s), to_timestamp(%s)) order by open_time"
        values = [symbol, from_time, to_time]
    rows = np.array(db.execute(query, values, binary=True).fetchall(), dtype=np.float64).reshape(-1, 1 + len(FEATURES))
    return rows[:, 0].astype(np.int64), rows[:, 1:]
