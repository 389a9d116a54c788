"""Which ensembles are compared, and the minutes that both predicted.

Windows go by candle_time and end where at_time knew the outcome: the target's candle had closed. Nothing goes by when a
row was written, so that a replay with run_inference(at_time) is judged as the days themselves would have been.
"""

from dataclasses import dataclass

import numpy as np

from candlecast.core.feature_names import HORIZONS
from candlecast.server.ab.confidence_sequence import Sequence
from candlecast.server.ab.figures import Window
from candlecast.server.feature_windows import MINUTE
from candlecast.server.session import Session

DAY = 86_400
_MINUTES = DAY // MINUTE


@dataclass(frozen=True)
class Comparison:
    """An ensemble on test or in shadow, and its symbol's active one; times in epoch seconds.

    began: when this comparison could begin: both in their states, no model fitted on what comes after. together_since:
    since when both are in their states; active_since: the active one. Both None where at_time did not know of it yet.
    changed_later: when either of them came into its state, or an evaluation changed what is live, after at_time.
    """

    symbol: str
    active_id: int | None
    challenger_id: int
    role: str
    began: float
    together_since: float | None
    active_since: float | None
    changed_later: float | None


# $1 is at_time, a whole minute. Changes after it are left out; those within it are known: evaluate_ab() without a time
# may come seconds after them. Where at_time lies before an ensemble was created it is a replay, and the first
# pair begins the test; else a change after at_time stands, an operator's too.
_COMPARISONS = """
select
    challenger.symbol, active.id as active_id, challenger.id as challenger_id, challenger.state as role,
    extract(epoch from greatest(
        public.out_of_sample_from(challenger.id), public.out_of_sample_from(active.id),
        known.challenger_since, known.active_since
    ))::float8 as began,
    extract(epoch from case
        when known.challenger_since is not null then greatest(known.challenger_since, known.active_since)
    end)::float8 as together_since,
    extract(epoch from known.active_since)::float8 as active_since,
    extract(epoch from greatest(
        (
            select max(at_time) from public.ensemble_events
            where symbol = challenger.symbol and evaluation_id is not null and 'active' in (from_state, to_state)
                and at_time > to_timestamp($1)
        ),
        case
            when greatest(challenger.created_at, active.created_at) > to_timestamp($1) then null
            when known.challenger_since is null then challenger.changed_at
            when known.active_since is null then active.changed_at
        end
    ))::float8 as changed_later
from public.active_ensembles as challenger
left join public.active_ensembles as active on active.symbol = challenger.symbol and active.is_active
cross join lateral (values (
    case when date_trunc('minute', challenger.changed_at) <= to_timestamp($1) then challenger.changed_at end,
    case when date_trunc('minute', active.changed_at) <= to_timestamp($1) then active.changed_at end
)) as known (challenger_since, active_since)
where challenger.is_test or challenger.is_shadow
order by challenger.symbol, challenger.is_test, challenger.id"""

# $1 symbol, $2 the active one, $3 the challenger, from $4 on, outcomes known at $5, horizons $6. Grouped, not joined:
# predictions joined with themselves take seconds a day where the planner's statistics are behind.
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
_WINDOW = {
    "active_hits": "active_hit::integer::float8",
    "challenger_hits": "challenger_hit::integer::float8",
    "active_probability": "active_probability",
    "challenger_probability": "challenger_probability",
    "active_error": "active_close - actual_return",
    "challenger_error": "challenger_close - actual_return",
    "up": "(actual_return > 0)::integer::float8",
}
_ROWS = f"""
{_PAIRED}
select
    coalesce(array_agg((extract(epoch from candle_time) - $4)::bigint / 60), '{{}}') as minute,
    coalesce(array_agg(horizon - 1), '{{}}') as horizon,
    {", ".join(f"coalesce(array_agg({value}), '{{}}') as {name}" for name, value in _WINDOW.items())}
from paired"""
_SINCE = f"""
{_PAIRED}
select
    extract(epoch from min(candle_time))::float8 as first,
    count(active_hit) as minutes,
    coalesce(sum(challenger_hit::integer - active_hit::integer), 0) as hits_more,
    count(*) filter (where active_hit is not null and sign(active_close) <> sign(challenger_close)) as disagreements
from paired"""


def comparisons(session: Session, at: float) -> list[Comparison]:
    """What is to be compared at ``at`` (epoch seconds): by symbol, the shadow first."""
    return [Comparison(**row) for row in session.rows(_COMPARISONS, ["float8"], [at])]


def window(session: Session, comparison: Comparison, at: float) -> Window:
    """The 24 hours before ``at``, from where the comparison began."""
    start = at - DAY
    rows = session.rows(_ROWS, _TYPES, _arguments(comparison, start, at, HORIZONS))[0]
    minute, horizon = np.array(rows["minute"], dtype=np.intp), np.array(rows["horizon"], dtype=np.intp)
    seen = minute * MINUTE + start >= comparison.began
    columns = {}
    for name in _WINDOW:
        columns[name] = np.full((_MINUTES, len(HORIZONS)), np.nan)
        values = np.array(rows[name], dtype=np.float64)  # None becomes NaN
        columns[name][minute[seen], horizon[seen]] = values[seen]
    return Window(**columns)


def since(session: Session, comparison: Comparison, at: float) -> tuple[float | None, Sequence]:
    """The first minute that both predicted since the comparison began (None: none yet), and the sequence from there."""
    row = session.rows(_SINCE, _TYPES, _arguments(comparison, comparison.began, at, (1,)))[0]
    return row["first"], Sequence(row["minutes"], row["disagreements"], row["hits_more"])


def _arguments(comparison: Comparison, start: float, at: float, horizons: tuple[int, ...]) -> list:
    return [comparison.symbol, comparison.active_id, comparison.challenger_id, start, at, list(horizons)]
