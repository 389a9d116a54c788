"""What a check found, in figures: how many minutes come out otherwise, by how much, and one of them as an example.

Candles keep no history, but predictions keep each minute's close: a candle whose close is not the one that was
predicted from was corrected. Of other reasons nothing is said.
"""

from dataclasses import dataclass

import numpy as np

from candlecast.core.times import MINUTE_SECONDS, format_timestamp
from candlecast.core.windows import HORIZONS, LOOKBACK
from candlecast.server.consistency.deviations import COMPARED, MEMBERS, Deviations
from candlecast.server.feature_windows import find_missing_candle
from candlecast.server.registry.test_vectors import TOLERANCE
from candlecast.server.session import Session

_CORRECTED = """
select distinct on (prediction.candle_time)
    extract(epoch from prediction.candle_time)::float8 as minute,
    prediction.reference_close as predicted_from, candle.close
from public.predictions as prediction
join public.candles_1m as candle
    on prediction.symbol = candle.symbol and prediction.candle_time = candle.open_time
where prediction.symbol = $1 and prediction.candle_time >= to_timestamp($2)
    and prediction.candle_time < to_timestamp($3) and prediction.reference_close <> candle.close
order by prediction.candle_time"""


@dataclass(frozen=True)
class CheckResult:
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


def build_result(session: Session, symbol: str, deviations: Deviations, missing: np.ndarray) -> CheckResult:
    """Of a sample's minutes that were computed again, and of the missing ones (m,), which have no window any more."""
    times, whole = deviations.times, deviations.stored.all(axis=1)
    off = (deviations.largest() > TOLERANCE) | ~whole
    candles = np.full(len(times), -np.inf)
    candles[off], closes = _find_corrected(session, symbol, times[off])
    # A candle changes what the models give: where both give what they gave, something else was changed.
    corrected = off & whole & (deviations.largest(MEMBERS) > TOLERANCE) & np.isfinite(candles)
    sampled, mismatches = len(times) + len(missing), int(off.sum()) + len(missing)
    worst = float(deviations.largest().max()) if len(times) else None
    figures = sampled, mismatches, int(corrected.sum()) + len(missing), worst
    if (off & ~corrected).any():
        place = int((off & ~corrected).argmax())
        return CheckResult(*figures, float(times[place]), "unclear", _describe(deviations, place))
    if len(missing):
        time = float(missing[0])
        reason = f"it cannot be computed again: {find_missing_candle(session, symbol, time).message}"
        return CheckResult(*figures, time, "candle", reason)
    if corrected.any():
        place = int(corrected.argmax())
        before, now = closes[candles[place]]
        corrected_since = f"was corrected since, its close {before:.10g} is now {now:.10g}"
        reason = f"{_describe(deviations, place)}: the candle at {format_timestamp(candles[place])} {corrected_since}"
        return CheckResult(*figures, float(times[place]), "candle", reason)
    return CheckResult(*figures)


def _find_corrected(
    session: Session, symbol: str, times: np.ndarray
) -> tuple[np.ndarray, dict[float, tuple[float, float]]]:
    """(n,): the last corrected candle that each of these minutes (n,), ascending, reads; -inf: none of them.

    And of each corrected candle its close as it was predicted from, and as it is.
    """
    if not len(times):
        return times, {}
    start, end = float(times[0]) - (LOOKBACK - 1) * MINUTE_SECONDS, float(times[-1]) + MINUTE_SECONDS
    rows = session.rows(_CORRECTED, ["text", "float8", "float8"], [symbol, start, end])
    closes = {row["minute"]: (row["predicted_from"], row["close"]) for row in rows}
    minutes = np.array([-np.inf, *closes])
    last = minutes[np.searchsorted(minutes, times, side="right") - 1]
    return np.where(last >= times - (LOOKBACK - 1) * MINUTE_SECONDS, last, -np.inf), closes


def _describe(deviations: Deviations, place: int) -> str:
    """By how much one minute is off, and in which columns."""
    stored = zip(HORIZONS, deviations.stored[place], strict=True)
    if gone := [str(horizon) for horizon, there in stored if not there]:
        return f"the row of horizon {', '.join(gone)} is gone: all five are stored together"
    worst = deviations.apart[place].max(axis=0)
    names = ", ".join(name for name, apart in zip(COMPARED, worst, strict=True) if apart > TOLERANCE)
    return f"{names} off by up to {worst.max():.3g}"
