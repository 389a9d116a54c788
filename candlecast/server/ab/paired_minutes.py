"""The minutes that both the active ensemble and its challenger predicted, with their outcomes.

Ranges are in candle_time. They include outcomes known at at_time: the target candle had closed. When a row was written
does not matter, so a replay with run_inference(at_time) leads to the same decisions as the live days.
"""

from dataclasses import dataclass

import numpy as np

from candlecast.core.times import DAY_SECONDS, MINUTE_SECONDS
from candlecast.core.windows import HORIZONS
from candlecast.server.ab.challenges import Challenge
from candlecast.server.ab.confidence_sequence import ConfidenceSequence
from candlecast.server.session import Session

# $1 symbol, $2 active id, $3 challenger id, $4 start, $5 the time at which outcomes are known, $6 horizons. Grouped
# instead of self-joined: with outdated planner statistics a self-join of predictions takes seconds per day.
_PAIRED = """
with paired as (
    select
        candle_time,
        horizon,
        max(actual_return) as actual_return,
        bool_or(direction_hit) filter (where ensemble_id = $2) as active_hit,
        bool_or(direction_hit) filter (where ensemble_id = $3) as challenger_hit,
        max(predicted_close) filter (where ensemble_id = $2) as active_close,
        max(predicted_close) filter (where ensemble_id = $3) as challenger_close,
        max(probability_up) filter (where ensemble_id = $2) as active_probability,
        max(probability_up) filter (where ensemble_id = $3) as challenger_probability
    from public.prediction_outcomes
    where symbol = $1 and ensemble_id in ($2, $3) and candle_time >= to_timestamp($4) and candle_time < to_timestamp($5)
        and target_time <= to_timestamp($5 - 60) and horizon = any($6) and actual_price is not null
    group by candle_time, horizon
    having count(*) = 2 and min(reference_close) = max(reference_close)
)"""
_TYPES = ["text", "bigint", "bigint", "float8", "float8", "smallint[]"]
_ARRAYS = {
    "active_hits": "active_hit::integer::float8",
    "challenger_hits": "challenger_hit::integer::float8",
    "active_probability": "active_probability",
    "challenger_probability": "challenger_probability",
    "active_error": "active_close - actual_return",
    "challenger_error": "challenger_close - actual_return",
    "up": "(actual_return > 0)::integer::float8",
}
_DAY = f"""
{_PAIRED}
select
    coalesce(array_agg((extract(epoch from candle_time) - $4)::bigint / 60), '{{}}') as minute,
    coalesce(array_agg(horizon - 1), '{{}}') as horizon,
    {", ".join(f"coalesce(array_agg({value}), '{{}}') as {name}" for name, value in _ARRAYS.items())}
from paired"""
_SINCE = f"""
{_PAIRED}
select
    extract(epoch from min(candle_time))::float8 as first,
    count(active_hit) as minutes,
    coalesce(sum(challenger_hit::integer - active_hit::integer), 0) as hits_more,
    count(*) filter (where active_hit is not null and sign(active_close) <> sign(challenger_close)) as disagreements
from paired"""


@dataclass(frozen=True)
class PairedMinutes:
    """Every minute in time order, one column per horizon: all (minutes, 5), NaN where a minute is not paired.

    hits: 1 right, 0 wrong; also NaN where the price did not change. probability: of a higher price; also NaN where
    there is none. error: predicted minus actual log return. up: 1 for a higher price, else 0.
    """

    active_hits: np.ndarray
    challenger_hits: np.ndarray
    active_probability: np.ndarray
    challenger_probability: np.ndarray
    active_error: np.ndarray
    challenger_error: np.ndarray
    up: np.ndarray


def load_day(session: Session, challenge: Challenge, at: float) -> PairedMinutes:
    """The 24 hours before ``at``, without the minutes before the challenge began."""
    start = at - DAY_SECONDS
    rows = session.rows(_DAY, _TYPES, _parameters(challenge, start, at, HORIZONS))[0]
    minute, horizon = np.array(rows["minute"], dtype=np.intp), np.array(rows["horizon"], dtype=np.intp)
    counts = minute * MINUTE_SECONDS + start >= challenge.began
    arrays = {}
    for name in _ARRAYS:
        arrays[name] = np.full((DAY_SECONDS // MINUTE_SECONDS, len(HORIZONS)), np.nan)
        values = np.array(rows[name], dtype=np.float64)  # None becomes NaN
        arrays[name][minute[counts], horizon[counts]] = values[counts]
    return PairedMinutes(**arrays)


def load_sequence(session: Session, challenge: Challenge, at: float) -> tuple[float | None, ConfidenceSequence]:
    """The first minute that both predicted since the challenge began (None: none yet), and the sequence since then."""
    row = session.rows(_SINCE, _TYPES, _parameters(challenge, challenge.began, at, (1,)))[0]
    return row["first"], ConfidenceSequence(row["minutes"], row["disagreements"], row["hits_more"])


def _parameters(challenge: Challenge, start: float, at: float, horizons: tuple[int, ...]) -> list:
    return [challenge.symbol, challenge.active_id, challenge.challenger_id, start, at, list(horizons)]
