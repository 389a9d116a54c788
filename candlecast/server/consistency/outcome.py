"""What a check found, in figures: how many minutes come out otherwise, by how much, and one of them as an example.

Candles keep no history, but predictions keep each minute's close: a candle whose close is not the one that was
predicted from was corrected. Of other reasons nothing is said.
"""

from dataclasses import dataclass

import numpy as np

from candlecast.core.times import MINUTE_SECONDS, format_timestamp
from candlecast.core.windows import HORIZONS, LOOKBACK
from candlecast.server.consistency.differences import COMPARED, MEMBERS, Differences
from candlecast.server.feature_windows import find_missing_candle
from candlecast.server.registry.test_vectors import TOLERANCE
from candlecast.server.session import Session

_CORRECTED = """
select distinct extract(epoch from prediction.candle_time)::float8 as minute
from public.predictions as prediction
join public.candles_1m as candle
    on prediction.symbol = candle.symbol and prediction.candle_time = candle.open_time
where prediction.symbol = $1 and prediction.candle_time >= to_timestamp($2)
    and prediction.candle_time < to_timestamp($3) and prediction.reference_close <> candle.close
order by minute"""


@dataclass(frozen=True)
class Outcome:
    """Columns of consistency_checks. All but ``sampled`` and ``reason`` are None where nothing could be computed again.

    corrected: mismatches whose candles were corrected since, or are gone. cause: of the example, 'candle' where it is
    one of those, else 'unclear'. reason: by how much the example is off.
    """

    sampled: int
    mismatches: int | None = None
    corrected: int | None = None
    worst: float | None = None
    example_time: float | None = None
    cause: str | None = None
    reason: str | None = None


def build_outcome(session: Session, symbol: str, differences: Differences, missing: np.ndarray) -> Outcome:
    """Of a sample's minutes that were computed again, and of the missing ones (m,), which have no window any more."""
    times, whole = differences.times, differences.stored.all(axis=1)
    off = (differences.largest() > TOLERANCE) | ~whole
    candles = np.full(len(times), -np.inf)
    candles[off] = _find_corrected(session, symbol, times[off])
    # A candle changes what the models give: where both give what they gave, something else was changed.
    corrected = off & whole & (differences.largest(MEMBERS) > TOLERANCE) & np.isfinite(candles)
    sampled, mismatches = len(times) + len(missing), int(off.sum()) + len(missing)
    worst = float(differences.largest().max()) if len(times) else None
    figures = sampled, mismatches, int(corrected.sum()) + len(missing), worst
    if (off & ~corrected).any():
        place = int((off & ~corrected).argmax())
        return Outcome(*figures, float(times[place]), "unclear", _describe(differences, place))
    if len(missing):
        time = float(missing[0])
        reason = f"it cannot be computed again: {find_missing_candle(session, symbol, time).message}"
        return Outcome(*figures, time, "candle", reason)
    if corrected.any():
        place = int(corrected.argmax())
        reason = (
            f"{_describe(differences, place)}: the candle at {format_timestamp(candles[place])} was corrected since"
        )
        return Outcome(*figures, float(times[place]), "candle", reason)
    return Outcome(*figures)


def _find_corrected(session: Session, symbol: str, times: np.ndarray) -> np.ndarray:
    """(n,): the last corrected candle that each of these minutes (n,), ascending, reads; -inf: none of them."""
    if not len(times):
        return times
    start, end = float(times[0]) - (LOOKBACK - 1) * MINUTE_SECONDS, float(times[-1]) + MINUTE_SECONDS
    rows = session.rows(_CORRECTED, ["text", "float8", "float8"], [symbol, start, end])
    minutes = np.array([-np.inf, *(row["minute"] for row in rows)])
    last = minutes[np.searchsorted(minutes, times, side="right") - 1]
    return np.where(last >= times - (LOOKBACK - 1) * MINUTE_SECONDS, last, -np.inf)


def _describe(differences: Differences, place: int) -> str:
    """By how much one minute is off, and in which columns."""
    stored = zip(HORIZONS, differences.stored[place], strict=True)
    if gone := [str(horizon) for horizon, there in stored if not there]:
        return f"the row of horizon {', '.join(gone)} is gone: all five are stored together"
    worst = differences.apart[place].max(axis=0)
    names = ", ".join(name for name, apart in zip(COMPARED, worst, strict=True) if apart > TOLERANCE)
    return f"{names} off by up to {worst.max():.3g}"
