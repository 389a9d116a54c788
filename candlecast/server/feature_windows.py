"""Reads feature windows from the database, and names the missing candle where there is no window."""

from collections.abc import Iterator

import numpy as np

from candlecast.core.errors import CandleMissing, GapInCandles
from candlecast.core.feature_names import FEATURES
from candlecast.core.times import MINUTE_SECONDS, format_timestamp
from candlecast.core.windows import LOOKBACK, SEQUENCE_LENGTH, whole_windows, windows_at
from candlecast.server.session import Session

#: Candle times that predict_range reads at once, and the batch size of the models. Small batches need little memory,
#: and a window takes less than half of the time that it takes in batches of a thousand.
BATCH = 1440
MODEL_BATCH = 128

_ROWS = f"""
select array_agg(array[{", ".join(FEATURES)}] order by open_time) as rows
from public.features_between($1, to_timestamp($2), to_timestamp($3))"""
_STRETCH = f"""
select
    array_agg(array[{", ".join(FEATURES)}] order by open_time) as rows,
    array_agg(extract(epoch from open_time)::float8 order by open_time) as times
from public.features_between($1, to_timestamp($2), to_timestamp($3))"""
_FIRST_MISSING = """
select extract(epoch from minute)::float8 as minute
from generate_series(to_timestamp($2), to_timestamp($3), interval '1 minute') as minute
where not exists (select from public.candles_1m where symbol = $1 and open_time = minute)
order by minute
limit 1"""


def read_window(session: Session, symbol: str, candle_time: float) -> np.ndarray:
    """The raw window (1, 60, features) that ends at candle_time (epoch seconds).

    Raises GapInCandles with the first missing minute, CandleMissing where candle_time itself is not stored.
    """
    end = candle_time + MINUTE_SECONDS
    rows = read_rows(session, symbol, end - SEQUENCE_LENGTH * MINUTE_SECONDS, end)
    if len(rows) < SEQUENCE_LENGTH:
        raise find_missing_candle(session, symbol, candle_time)
    return rows[np.newaxis]


def read_rows(session: Session, symbol: str, from_time: float, to_time: float) -> np.ndarray:
    """Raw feature rows (n, features) float64 with open_time in [from_time, to_time), in time order."""
    rows = session.rows(_ROWS, ["text", "float8", "float8"], [symbol, from_time, to_time])[0]["rows"]
    return np.array(rows or [], dtype=np.float64).reshape(-1, len(FEATURES))


def find_missing_candle(session: Session, symbol: str, candle_time: float) -> CandleMissing | GapInCandles:
    """The error with the first missing minute of the 209 that end at candle_time."""
    start = candle_time - (LOOKBACK - 1) * MINUTE_SECONDS
    types = ["text", "float8", "float8"]
    if len(session.rows(_FIRST_MISSING, types, [symbol, candle_time, candle_time])):
        return CandleMissing(symbol=symbol, minute=format_timestamp(candle_time))
    missing = session.rows(_FIRST_MISSING, types, [symbol, start, candle_time])
    return GapInCandles(
        f"A prediction reads {LOOKBACK} candles: {format_timestamp(start)} to {format_timestamp(candle_time)}.",
        symbol=symbol,
        minute=format_timestamp(missing[0]["minute"]) if len(missing) else "a minute of its window",
        candle_time=format_timestamp(candle_time),
        lookback=LOOKBACK,
    )


def read_windows(
    session: Session, symbol: str, from_time: float, to_time: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of (candle_times (n,), windows (n, 60, features)) with candle_time in [from_time, to_time).

    Minutes without a whole window are skipped.
    """
    before = (SEQUENCE_LENGTH - 1) * MINUTE_SECONDS
    for start in np.arange(from_time, to_time, BATCH * MINUTE_SECONDS):
        end = min(start + BATCH * MINUTE_SECONDS, to_time)
        batch = session.rows(_STRETCH, ["text", "float8", "float8"], [symbol, float(start) - before, float(end)])[0]
        if batch["rows"] is None or len(batch["rows"]) < SEQUENCE_LENGTH:
            continue
        times, rows = np.array(batch["times"]), np.array(batch["rows"])
        ends = whole_windows(times)
        for first in range(0, len(ends), MODEL_BATCH):
            some = ends[first : first + MODEL_BATCH]
            yield times[some], windows_at(rows, some)
