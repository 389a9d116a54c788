"""The queries of the page, one per section. Each reads a bounded time range: its cost does not grow with the tables."""

#: Symbols that have candles or ensembles; symbols with an active ensemble first. The first one is the default symbol,
#: as in health(). candle_status is not used: a lock on feed_status would then block /api/live.
SYMBOLS = """
select
    known.symbol,
    exists (select from public.active_ensembles as one where one.symbol = known.symbol and one.is_active) as forecast
from (select symbol from public.candle_symbols union select symbol from public.active_ensembles) as known
order by forecast desc, known.symbol <> 'BTCUSDT', known.symbol
"""

#: Parameters of LIVE. A query of its own, because the planner has to see the times as constants: otherwise it expects a
#: hundredth of the table.
NEWEST = """
select
    (
        select max(open_time) from public.candles_1m
        where symbol = %(symbol)s and open_time <= now() - interval '1 minute'
    ) as newest,
    (select id from public.active_ensembles where symbol = %(symbol)s and is_active) as ensemble
"""

#: Four hours of candles, the newest forecast of the active ensemble, and two hours of its past forecasts with their
#: outcomes. The view prediction_outcomes has the same outcomes, but its join reads all candles while they are few.
LIVE = """
with recent as materialized (
    select open_time, open, high, low, close, volume
    from public.candles_1m
    where symbol = %(symbol)s and open_time <= %(newest)s and open_time > %(newest)s - interval '4 hours'
)
select
    extract(epoch from %(newest)s::timestamptz)::bigint as newest_candle,
    (
        select jsonb_agg(jsonb_build_array(
            extract(epoch from open_time)::bigint, open, high, low, close, volume
        ) order by open_time)
        from recent
    ) as candles,
    (
        select jsonb_agg(jsonb_build_object(
            'horizon', horizon, 'candle_time', extract(epoch from candle_time)::bigint,
            'target_time', extract(epoch from target_time)::bigint, 'created_at', extract(epoch from created_at),
            'ensemble_id', ensemble_id, 'reference_close', reference_close, 'predicted_price', predicted_price,
            'predicted_close', predicted_close, 'lower_price', lower_price, 'upper_price', upper_price,
            'probability_up', probability_up, 'confidence', confidence, 'abstained', abstained,
            'out_of_distribution', out_of_distribution, 'furthest_feature', furthest_feature
        ) order by horizon)
        from public.latest_predictions where symbol = %(symbol)s
    ) as forecast,
    (
        select jsonb_agg(jsonb_build_array(
            extract(epoch from candle_time)::bigint, horizon, reference_close, predicted_price, lower_price,
            upper_price, recent.close,
            case when recent.close <> reference_close
                then sign(predicted_close) = sign(recent.close - reference_close) end,
            abstained
        ) order by candle_time, horizon)
        from public.predictions
        left join recent on recent.open_time = target_time
        where symbol = %(symbol)s and ensemble_id = %(ensemble)s
            and candle_time > %(newest)s - interval '2 hours' and candle_time <= %(newest)s
    ) as past,
    %(ensemble)s::bigint as ensemble_id
"""

FEED = """
select oldest, newest, missing_24h, gaps_24h, feed_state, feed_error, feed_error_at
from public.candle_status where symbol = %(symbol)s
"""

#: Runs of the last 24 hours by status, with latency percentiles.
RUNS = """
select
    status, count(*) as runs, max(started_at) as last_at,
    percentile_cont(0.5) within group (order by latency_ms) as p50,
    percentile_cont(0.95) within group (order by latency_ms) as p95,
    percentile_cont(0.99) within group (order by latency_ms) as p99,
    max(latency_ms) as slowest
from public.inference_runs
where started_at > now() - interval '24 hours' and (symbol = %(symbol)s or symbol is null)
group by status order by count(*) desc, status
"""

#: The newest runs of the active ensemble, for the latency columns.
RECENT_RUNS = """
select extract(epoch from candle_time)::bigint as candle_time, status, latency_ms, wait_ms
from public.inference_runs
where symbol = %(symbol)s and started_at > now() - interval '6 hours'
    and ensemble_id is not distinct from coalesce(
        (select id from public.active_ensembles where symbol = %(symbol)s and is_active), ensemble_id
    )
order by id desc limit 60
"""

#: Failures and warnings of the last 24 hours, grouped, with counts.
TROUBLE = """
select max(started_at) as started_at, count(*) as runs, status, error, warning
from public.inference_runs
where started_at > now() - interval '24 hours' and (symbol = %(symbol)s or symbol is null)
    and (status in ('failed', 'lost') or warning is not null)
group by status, error, warning
order by max(id) desc limit 5
"""

LEADERBOARD = """
select time_window, horizon, place, ensemble_id, state, rows, hits, accuracy, low, high
from public.ensemble_leaderboard where symbol = %(symbol)s
"""

#: As the view accuracy_by_coverage, but only of the last seven days and the active ensemble.
COVERAGE = """
with ranked as (
    select
        horizon, direction_hit,
        row_number() over (partition by horizon order by abs(probability_up - 0.5) desc, candle_time) as place,
        count(*) over (partition by horizon) as total
    from public.prediction_outcomes
    where symbol = %(symbol)s and candle_time > now() - interval '7 days'
        and ensemble_id = (select id from public.active_ensembles where symbol = %(symbol)s and is_active)
        and direction_hit is not null and probability_up is not null
        and created_at < target_time + interval '1 minute'
),
kept as (
    select horizon, coverage, count(*) as rows, count(*) filter (where direction_hit) as hits
    from (values (100), (50), (20), (10), (5)) as coverages (coverage)
    join ranked on (place - 1) * 100 < total * coverage
    group by horizon, coverage
),
scored as (select *, hits / rows::double precision as accuracy from kept)
select horizon, coverage, rows, hits, accuracy, low, high
from scored cross join public.wilson_interval(accuracy, rows / horizon::double precision)
order by horizon, coverage desc
"""

TESTS = "select * from public.ab_status where symbol = %(symbol)s order by role desc, challenger_id"

ENSEMBLES = """
select
    ensemble.id, ensemble.state, ensemble.changed_at, ensemble.change_event, ensemble.change_reason,
    ensemble.mamba_weight, ensemble.calibration is not null as calibrated,
    mamba.version as mamba_version, lgbm.version as lgbm_version,
    greatest(mamba.trained_at, lgbm.trained_at) as trained_at,
    greatest(mamba.training_to, lgbm.training_to) as training_to
from public.active_ensembles as ensemble
join public.model_versions as mamba on mamba.id = ensemble.mamba_version_id
join public.model_versions as lgbm on lgbm.id = ensemble.lgbm_version_id
where ensemble.symbol = %(symbol)s and ensemble.state in ('active', 'test', 'shadow')
order by array_position(array['active', 'test', 'shadow'], ensemble.state), ensemble.id
"""

HISTORY = """
select ensemble_id, live_from, live_to, came_by, came_because, went_by
from public.ensemble_history where symbol = %(symbol)s order by live_from desc limit 8
"""


def _newest_day(table: str) -> str:
    """SQL: the newest complete day that the table has for the symbol."""
    return f"(select max(day) from public.{table} where symbol = %(symbol)s and day < (now() at time zone 'UTC')::date)"


#: Drift of the newest complete day. Per feature: the model with the higher PSI relative to its limit.
DRIFT = f"""
with worst as (
    select distinct on (feature) day, feature, rows, psi, ks, threshold, drifted, reason
    from public.feature_drift
    where symbol = %(symbol)s and day = {_newest_day("feature_drift")}
    order by feature, psi / threshold desc nulls last
)
select * from worst order by psi / threshold desc nulls last, feature
"""

CONSISTENCY = f"""
select day, ensemble_id, sampled, mismatches, corrected, example_time, cause, reason
from public.consistency_checks
where symbol = %(symbol)s and day = {_newest_day("consistency_checks")}
order by ensemble_id
"""
