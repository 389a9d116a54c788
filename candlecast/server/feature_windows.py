"""Feature windows from the database: what the models read, and why there is none where a candle is missing."""

from collections.abc import Iterator

import numpy as np

from candlecast.core.errors import CandleMissing, GapInCandles
from candlecast.core.feature_names import FEATURES, SEQUENCE_LENGTH, WINDOW
from candlecast.server.session import Session, minute_text

MINUTE = 60
#: Minutes before candle_time that a prediction reads: 59 more feature rows, each with 149 candles before it.
LOOKBACK = SEQUENCE_LENGTH - 1 + WINDOW - 1
#: Candle times that predict_range reads at once, and the ones that the models get at once: their memory stays small,
#: and a window costs less than half of what it costs in batches of a thousand.
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


def sequence(session: Session, symbol: str, candle_time: float) -> np.ndarray:
    """The raw window (1, 60, features) that ends at candle_time (epoch seconds).

    Raises GapInCandles with the first missing minute, CandleMissing where candle_time itself is not stored.
    """
    rows = rows_between(session, symbol, candle_time - (SEQUENCE_LENGTH - 1) * MINUTE, candle_time + MINUTE)
    if len(rows) < SEQUENCE_LENGTH:
        raise missing_candle(session, symbol, candle_time)
    return rows[np.newaxis]


def rows_between(session: Session, symbol: str, from_time: float, to_time: float) -> np.ndarray:
    """Raw feature rows (n, features) float64 with open_time in [from_time, to_time), in time order."""
    rows = session.rows(_ROWS, ["text", "float8", "float8"], [symbol, from_time, to_time])[0]["rows"]
    return np.array(rows or [], dtype=np.float64).reshape(-1, len(FEATURES))


def missing_candle(session: Session, symbol: str, candle_time: float) -> CandleMissing | GapInCandles:
    """The error that names the first minute missing among the 209 that end at candle_time."""
    start = candle_time - LOOKBACK * MINUTE
    types = ["text", "float8", "float8"]
    if len(session.rows(_FIRST_MISSING, types, [symbol, candle_time, candle_time])):
        return CandleMissing(symbol=symbol, minute=minute_text(candle_time))
    missing = session.rows(_FIRST_MISSING, types, [symbol, start, candle_time])
    return GapInCandles(
        f"A prediction reads {LOOKBACK + 1} whole candles: {minute_text(start)} to {minute_text(candle_time)}.",
        symbol=symbol,
        minute=minute_text(missing[0]["minute"]) if len(missing) else "some minute of its window",
        candle_time=minute_text(candle_time),
    )


def windows_between(
    session: Session, symbol: str, from_time: float, to_time: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of (candle_times (n,), windows (n, 60, features)) with candle_time in [from_time, to_time).

    Minutes without a whole window are skipped.
    """
    before = (SEQUENCE_LENGTH - 1) * MINUTE
    for start in np.arange(from_time, to_time, BATCH * MINUTE):
        end = min(start + BATCH * MINUTE, to_time)
        batch = session.rows(_STRETCH, ["text", "float8", "float8"], [symbol, float(start) - before, float(end)])[0]
        if batch["rows"] is None or len(batch["rows"]) < SEQUENCE_LENGTH:
            continue
        times = np.array(batch["times"])
        views = np.lib.stride_tricks.sliding_window_view(np.array(batch["rows"]), SEQUENCE_LENGTH, axis=0)
        views = views.transpose(0, 2, 1)
        last = times[SEQUENCE_LENGTH - 1 :]
        whole = (last - times[: len(last)]) == before
        positions = np.flatnonzero(whole)
        for first in range(0, len(positions), MODEL_BATCH):
            some = positions[first : first + MODEL_BATCH]
            yield last[some], views[some]
