"""Why a stored prediction is not what comes out now: its candles were corrected, its rows changed, or other models.

Candles keep no history, but predictions keep each minute's close: a candle whose close is not the one that was
predicted from was corrected. Of its other columns nothing tells, but models that give other minutes exactly are right.
"""

from dataclasses import dataclass

import numpy as np

from candlecast.core.times import MINUTE_SECONDS, format_timestamp
from candlecast.core.windows import HORIZONS, LOOKBACK
from candlecast.server.consistency.predicted import COMPARED, MEMBERS, Compared
from candlecast.server.feature_windows import find_missing_candle
from candlecast.server.registry.test_vectors import TOLERANCE
from candlecast.server.session import Session

#: So many minutes at least, all of them off, accuse the models.
MANY = 10
#: The worst first: what an example is taken from.
CAUSES = ("models", "row", "unclear", "candle")

_CORRECTED = """
select distinct on (prediction.candle_time)
    extract(epoch from prediction.candle_time)::float8 as minute, prediction.reference_close, candle.close
from public.predictions as prediction
join public.candles_1m as candle
    on prediction.symbol = candle.symbol and prediction.candle_time = candle.open_time
where prediction.symbol = $1 and prediction.candle_time >= to_timestamp($2)
    and prediction.candle_time < to_timestamp($3) and prediction.reference_close <> candle.close
order by prediction.candle_time"""


@dataclass(frozen=True)
class Mismatch:
    """A minute (epoch seconds) that comes out otherwise, one of CAUSES, and what is known in a sentence."""

    time: float
    cause: str
    text: str


def mismatches(session: Session, symbol: str, compared: Compared, missing: np.ndarray) -> list[Mismatch]:
    """The minutes that are off, and the missing ones (m,), which have no window any more; the worst causes first."""
    found = [
        Mismatch(time, "candle", f"it cannot be computed again: {find_missing_candle(session, symbol, time).message}")
        for time in missing.tolist()
    ]
    off = (compared.apart() > TOLERANCE) | ~compared.there.all(axis=1)
    if off.any():
        corrected = _corrected(session, symbol, compared.times[off])
        members_off = compared.apart(MEMBERS) > TOLERANCE
        found += [_judge(compared, place, members_off, corrected) for place in np.flatnonzero(off).tolist()]
    return sorted(found, key=lambda one: (CAUSES.index(one.cause), one.time))


def _judge(
    compared: Compared, place: int, members_off: np.ndarray, corrected: dict[float, tuple[float, float]]
) -> Mismatch:
    """What is wrong with one minute; members_off (n,): whether a model gives something else, of each minute."""
    time = float(compared.times[place])
    if gone := [str(horizon) for horizon, there in zip(HORIZONS, compared.there[place], strict=True) if not there]:
        return Mismatch(time, "row", f"the row of horizon {', '.join(gone)} is gone: all five are stored together")
    worst = compared.off[place].max(axis=0)
    names = ", ".join(name for name, apart in zip(COMPARED, worst, strict=True) if apart > TOLERANCE)
    text = f"{names} off by up to {worst.max():.3g}"
    if not members_off[place]:
        return Mismatch(time, "row", f"{text}: both models give what they gave, so the stored row was changed")
    candles = [minute for minute in corrected if time - (LOOKBACK - 1) * MINUTE_SECONDS <= minute <= time]
    if candles:
        before, now = corrected[candles[-1]]
        changed = f"its close {before:.10g} is now {now:.10g}"
        candle = f"the candle at {format_timestamp(candles[-1])} was corrected since, {changed}"
        return Mismatch(time, "candle", f"{text}: {candle}")
    many = len(compared.times)
    if not members_off.all():
        same = f"{text}: every close is what it was and other minutes come out, so the models are the same"
        return Mismatch(
            time, "unclear", f"{same}; another column of one of its candles was corrected, or the row changed"
        )
    if many < MANY:
        return Mismatch(time, "unclear", f"{text}: every close is what it was; {many} minutes do not tell what is not")
    return Mismatch(time, "models", f"{text}, as are all {many} sampled minutes: other models or another runtime")


def _corrected(session: Session, symbol: str, times: np.ndarray) -> dict[float, tuple[float, float]]:
    """Minutes that these (ascending) read whose close is not the one that was predicted from: (then, now) by minute."""
    start, end = float(times[0]) - (LOOKBACK - 1) * MINUTE_SECONDS, float(times[-1]) + MINUTE_SECONDS
    rows = session.rows(_CORRECTED, ["text", "float8", "float8"], [symbol, start, end])
    return {row["minute"]: (row["reference_close"], row["close"]) for row in rows}
