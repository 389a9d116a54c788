create or replace function inference_metrics()
returns table (name text, labels jsonb, value double precision, type text, help text)
language sql
stable parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
with runs as (
    select done.* from public.runs_hourly as done
    union all
    select fresh.* from public.aggregate_runs_hourly((
        select coalesce(
            max(done.hour) + interval '1 hour', (select min(run.started_at) from public.inference_runs as run)
        )
        from public.runs_hourly as done
    ), now() + interval '1 hour') as fresh
),
latency as (
    select
        runs.symbol,
        sum(runs.timed) as timed,
        sum(runs.latency_ms) as spent,
        array[
            sum(runs.within_5), sum(runs.within_10), sum(runs.within_25), sum(runs.within_50), sum(runs.within_100),
            sum(runs.within_250), sum(runs.within_500), sum(runs.within_1000), sum(runs.within_5000), sum(runs.timed)
        ] as buckets
    from runs where runs.symbol is not null group by runs.symbol
),
predicted as (
    select
        hourly.symbol,
        hourly.ensemble_id,
        hourly.horizon,
        sum(hourly.predictions) as predictions,
        sum(hourly.abstained) as abstained
    from public.accuracy_hourly as hourly
    left join public.active_ensembles as ensemble on hourly.ensemble_id = ensemble.id
    where coalesce(ensemble.state, 'active') <> 'retired'
    group by hourly.symbol, hourly.ensemble_id, hourly.horizon
),
health as materialized (
    select public.health() as found
),
symbols as (
    select each_symbol.value as found
    from health cross join lateral jsonb_array_elements(health.found -> 'symbols') as each_symbol
),
figures as (
    select figure.*
    from symbols
    cross join lateral (values
        ('ml_candle_age_seconds', symbols.found -> 'candle_age', 'seconds since the newest candle closed'),
        ('ml_prediction_age_seconds', symbols.found -> 'prediction_age', 'seconds since the newest candle with a prediction closed'),
        ('ml_prediction_lag_seconds', symbols.found -> 'prediction_lag', 'seconds from the close of the newest candle with a prediction to that prediction'),
        ('ml_model_age_seconds', symbols.found -> 'model_age', 'seconds since the older of the two active versions was trained'),
        ('ml_model_version_current', symbols.found -> 'ensemble_id', 'id of the active ensemble'),
        ('ml_inference_failed_1h', symbols.found -> 'failed_runs_1h', 'failed and lost runs in the last hour'),
        ('ml_inference_skipped_1h', symbols.found -> 'skipped_runs_1h', 'runs in the last hour without a new candle or with inference disabled'),
        ('ml_health', case symbols.found ->> 'status' when 'ok' then '1' when 'degraded' then '0.5' else '0' end::jsonb,
        '1 ok, 0.5 degraded, 0 down')
    ) as found (name, value, help)
    cross join lateral (
        select found.name, jsonb_build_object('symbol', symbols.found ->> 'symbol') as labels, found.value, found.help
    ) as figure
)
select 'ml_inference_latency_ms_bucket', jsonb_build_object('symbol', latency.symbol, 'le', bound.le), bucket.total,
    'histogram', 'milliseconds from the detected candle to the written predictions'
from latency
cross join lateral unnest(latency.buckets) with ordinality as bucket (total, place)
inner join unnest(array['5', '10', '25', '50', '100', '250', '500', '1000', '5000', '+Inf'])
    with ordinality as bound (le, place) on bucket.place = bound.place
union all
select 'ml_inference_latency_ms_sum', jsonb_build_object('symbol', latency.symbol), latency.spent,
    'histogram', 'milliseconds from the detected candle to the written predictions'
from latency
union all
select 'ml_inference_latency_ms_count', jsonb_build_object('symbol', latency.symbol), latency.timed,
    'histogram', 'milliseconds from the detected candle to the written predictions'
from latency
union all
select 'ml_inference_runs_total', jsonb_build_object('symbol', coalesce(runs.symbol, ''), 'status', runs.status),
    sum(runs.runs), 'counter', 'inference runs by status'
from runs group by runs.symbol, runs.status
union all
select counted.name, jsonb_build_object(
        'symbol', predicted.symbol, 'horizon', predicted.horizon::text,
        'ensemble', coalesce(predicted.ensemble_id::text, 'files')
    ), counted.total, 'counter', counted.help
from predicted
cross join lateral (values
    ('ml_predictions_total', predicted.predictions, 'stored predictions of ensembles that are not retired'),
    ('ml_predictions_abstained_total', predicted.abstained, 'predictions that abstained')
) as counted (name, total, help)
union all
select scored.name, jsonb_build_object(
        'symbol', score.symbol, 'horizon', score.horizon::text, 'ensemble', score.ensemble_id::text, 'state', score.state
    ), scored.value, 'gauge', scored.help
from public.accuracy_24h as score
cross join lateral (values
    ('ml_inference_accuracy_24h', score.accuracy, 'direction accuracy over the last 24 hours, a fraction'),
    ('ml_inference_accuracy_24h_low', score.low, 'lower end of the 95 % interval of ml_inference_accuracy_24h'),
    ('ml_inference_accuracy_24h_high', score.high, 'upper end of the 95 % interval of ml_inference_accuracy_24h'),
    ('ml_inference_accuracy_24h_rows', score.rows, 'predictions that ml_inference_accuracy_24h counts')
) as scored (name, value, help)
union all
select figures.name, figures.labels, (figures.value #>> '{}')::double precision, 'gauge', figures.help
from figures where figures.value <> 'null'
union all
select 'ml_run_age_seconds', '{}', (health.found -> 'scheduler' ->> 'seconds_ago')::double precision, 'gauge',
    'seconds since run_inference() last started'
from health where health.found -> 'scheduler' ->> 'seconds_ago' is not null
union all
select 'ml_model_expiry_seconds', '{}', (health.found ->> 'model_expiry_seconds')::double precision, 'gauge',
    'the setting model_expiry in seconds: older models cause a warning'
from health where health.found ->> 'model_expiry_seconds' is not null
union all
select 'ml_inference_enabled', '{}', (health.found ->> 'ml_inference_enabled')::boolean::integer, 'gauge',
    '1 if the setting enabled is true, else 0; absent if the settings cannot be read'
from health where health.found ->> 'ml_inference_enabled' is not null
$$;
alter function inference_metrics() owner to candlecast_owner;
revoke all on function inference_metrics() from public;
grant execute on function inference_metrics() to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function inference_metrics() is
'The metrics of runs, predictions and models, a part of metrics(). Counters are the sums of
predictions_hourly and runs_hourly plus newer rows, so pruning does not lower them. Retired
ensembles are left out.';
