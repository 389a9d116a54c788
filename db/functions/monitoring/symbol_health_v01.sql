-- It uses the stored data only: what a scheduler reports about itself proves nothing.
create or replace view symbol_health as
with newest as materialized (
    select
        active.symbol,
        active.id as ensemble_id,
        (
            select max(candle.open_time) from public.candles_1m as candle
            where candle.symbol = active.symbol and candle.open_time <= now() - interval '1 minute'
        ) as newest_candle,
        (
            select min(candle.open_time) from public.candles_1m as candle
            where candle.symbol = active.symbol and candle.open_time > now()
        ) as future_candle,
        (
            select max(prediction.candle_time) from public.predictions as prediction
            where prediction.symbol = active.symbol and prediction.ensemble_id = active.id
                and prediction.candle_time > now() - interval '7 days'
        ) as newest_predicted,
        (
            select max(run.id) from public.inference_runs as run
            where run.symbol = active.symbol and run.ensemble_id = active.id and run.status <> 'running'
                and run.started_at > now() - interval '1 hour'
        ) as last_run,
        (
            select min(model.trained_at) from public.model_versions as model
            where model.id in (active.mamba_version_id, active.lgbm_version_id)
        ) as trained_at
    from public.active_ensembles as active
    where active.is_active
),
measured as (
    select
        newest.*,
        prediction.created_at as last_prediction,
        extract(epoch from now() - newest.newest_candle)::double precision - 60 as candle_age,
        extract(epoch from now() - newest.newest_predicted)::double precision - 60 as prediction_age,
        extract(epoch from prediction.created_at - newest.newest_predicted)::double precision - 60 as prediction_lag,
        extract(epoch from now() - newest.trained_at)::double precision as model_age,
        run.status as last_run_status,
        run.error as last_error,
        score.rows as rows_24h,
        score.accuracy as accuracy_24h,
        score.low as accuracy_low,
        score.high as accuracy_high
    from newest
    left join public.predictions as prediction
        on
            newest.symbol = prediction.symbol
            and newest.newest_predicted = prediction.candle_time
            and newest.ensemble_id = prediction.ensemble_id
            and prediction.horizon = 1
    left join public.inference_runs as run on newest.last_run = run.id
    left join public.accuracy_24h as score -- only active ones: the others are not needed
        on newest.symbol = score.symbol and newest.ensemble_id = score.ensemble_id and score.horizon = 1 and score.state = 'active'
),
assessed as (
    select
        *,
        array_remove(array[
            case
                when newest_candle is null then 'there are no candles'
                when candle_age >= missing_seconds then 'no candle for ' || justify_hours(make_interval(secs => floor(candle_age)))
            end,
            case
                when newest_predicted is null then 'no prediction in 7 days'
                when prediction_age >= missing_seconds then 'no prediction for ' || justify_hours(make_interval(secs => floor(prediction_age)))
            end
        ], null) as failures,
        array_remove(array[
            case when candle_age >= late_seconds and candle_age < missing_seconds then 'the candle is late' end,
            case when prediction_age >= late_seconds and prediction_age < missing_seconds then 'the prediction is late' end,
            case
                when last_run_status in ('failed', 'lost')
                    then 'the last run ' || last_run_status || ': ' || case
                        when length(last_error) > 500 then left(last_error, 500) || ' ...' else last_error
                    end
            end,
            case
                when future_candle is not null
                    then 'a candle is in the future, at ' || to_char(future_candle at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
                        || ' UTC: its time is wrong, or the server''s clock is slow'
            end,
            case
                when rows_24h >= 300 and accuracy_high < 0.5
                    then 'direction accuracy ' || round(100 * accuracy_24h::numeric, 1) || ' % over 24 hours: worse than chance'
            end
        ], null) as doubts
    from measured
    cross join public.freshness_limits
)
select
    assessed.symbol,
    case when cardinality(assessed.failures) > 0 then 'down' when cardinality(assessed.doubts) > 0 then 'degraded' else 'ok' end
        as status,
    assessed.failures || assessed.doubts as reasons,
    assessed.ensemble_id,
    assessed.newest_candle,
    assessed.newest_predicted,
    assessed.last_prediction,
    assessed.candle_age,
    assessed.prediction_age,
    assessed.prediction_lag,
    assessed.model_age,
    assessed.rows_24h,
    assessed.accuracy_24h,
    assessed.accuracy_low,
    assessed.accuracy_high,
    assessed.last_run_status,
    assessed.last_error,
    runs.failed as failed_runs_1h,
    runs.skipped as skipped_runs_1h
from assessed
cross join lateral (
    select
        count(*) filter (where run.status in ('failed', 'lost')) as failed,
        count(*) filter (where run.status in ('no_candle', 'stale', 'disabled')) as skipped
    from public.inference_runs as run
    where
        run.started_at > now() - interval '1 hour'
        and (run.symbol is null or run.symbol = assessed.symbol and run.ensemble_id = assessed.ensemble_id)
) as runs;
alter view symbol_health owner to candlecast_owner;
grant select on symbol_health to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view symbol_health is
'Health of each symbol''s forecasts: one row per symbol with an active ensemble. health() combines
the rows. A candle or a prediction is late or missing by freshness_limits. Accuracy is checked
from 300 rows on.';
comment on column symbol_health.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column symbol_health.status is 'ok, degraded or down.';
comment on column symbol_health.reasons is 'Why the status is not ok.';
comment on column symbol_health.ensemble_id is 'Active ensemble, active_ensembles.id.';
comment on column symbol_health.newest_candle is 'open_time of the newest closed candle.';
comment on column symbol_health.newest_predicted is
'Newest candle_time that the active ensemble predicted from, within 7 days.';
comment on column symbol_health.last_prediction is 'When that prediction was written.';
comment on column symbol_health.candle_age is 'Seconds since the newest candle closed.';
comment on column symbol_health.prediction_age is 'Seconds since the candle of newest_predicted closed.';
comment on column symbol_health.prediction_lag is 'Seconds from the close of that candle to last_prediction.';
comment on column symbol_health.model_age is 'Seconds since the older of the two versions was trained.';
comment on column symbol_health.rows_24h is 'Predictions that accuracy_24h counts.';
comment on column symbol_health.accuracy_24h is 'Direction accuracy at horizon 1 over the last 24 hours, a fraction.';
comment on column symbol_health.accuracy_low is 'Lower end of its 95 % interval.';
comment on column symbol_health.accuracy_high is 'Upper end of its 95 % interval.';
comment on column symbol_health.last_run_status is 'Status of the last run of this hour.';
comment on column symbol_health.last_error is 'Error of that run.';
comment on column symbol_health.failed_runs_1h is 'Failed and lost runs in the last hour.';
comment on column symbol_health.skipped_runs_1h is 'Runs of the last hour with status no_candle, stale or disabled.';
