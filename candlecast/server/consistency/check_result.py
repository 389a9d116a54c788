"""The result of a check: how many minutes differ, by how much, and one of them as an example.

Candles have no history, but predictions store the close of their candle. A candle whose close differs from it was
corrected. Other causes are not identified.
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
    """Columns of consistency_checks. All but ``sampled`` and ``reason`` are None where nothing could be recomputed.

    corrected: mismatches whose candles were corrected or deleted later. cause: 'candle' if the example is one of those,
    else 'unclear'. reason: the difference of the example.
    """

    sampled: int
    mismatches: int | None = None
    corrected: int | None = None
    worst: float | None = None
    example_time: float | None = None
    cause: str | None = None
    reason: str | None = None


def build_result(session: Session, symbol: str, deviations: Deviations, missing: np.ndarray) -> CheckResult:
    """The result for the recomputed minutes of a sample and the missing ones (m,), which no longer have a window."""
    times, whole = deviations.times, deviations.stored.all(axis=1)
    off = (deviations.largest() > TOLERANCE) | ~whole
    candles = np.full(len(times), -np.inf)
    candles[off], closes = _find_corrected(session, symbol, times[off])
    # A corrected candle changes the model outputs. Where both are unchanged, the cause is another.
    corrected = off & whole & (deviations.largest(MEMBERS) > TOLERANCE) & np.isfinite(candles)
    sampled, mismatches = len(times) + len(missing), int(off.sum()) + len(missing)
    worst = float(deviations.largest().max()) if len(times) else None
    figures = sampled, mismatches, int(corrected.sum()) + len(missing), worst
    if (off & ~corrected).any():
        place = int((off & ~corrected).argmax())
        return CheckResult(*figures, float(times[place]), "unclear", _describe(deviations, place))
    if len(missing):
        time = float(missing[0])
        reason = f"it cannot be recomputed: {find_missing_candle(session, symbol, time).message}"
        return CheckResult(*figures, time, "candle", reason)
    if corrected.any():
        place = int(corrected.argmax())
        before, now = closes[candles[place]]
        change = f"was corrected later, from close {before:.10g} to {now:.10g}"
        reason = f"{_describe(deviations, place)}: the candle at {format_timestamp(candles[place])} {change}"
        return CheckResult(*figures, float(times[place]), "candle", reason)
    return CheckResult(*figures)


def _find_corrected(
    session: Session, symbol: str, times: np.ndarray
) -> tuple[np.ndarray, dict[float, tuple[float, float]]]:
    """(n,): the last corrected candle that each of these ascending minutes (n,) reads; -inf: none.

    And for each corrected candle its close at the time of the prediction and its close now.
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
    """The largest difference of one minute, and the columns that differ."""
    stored = zip(HORIZONS, deviations.stored[place], strict=True)
    if missing := [str(horizon) for horizon, is_stored in stored if not is_stored]:
        return f"the row of horizon {', '.join(missing)} is missing: all five are stored together"
    worst = deviations.apart[place].max(axis=0)
    names = ", ".join(name for name, apart in zip(COMPARED, worst, strict=True) if apart > TOLERANCE)
    return f"{names} off by up to {worst.max():.3g}"
