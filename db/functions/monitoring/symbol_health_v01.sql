-- symbol_health: of each symbol with an active ensemble, whether its forecasts are alive, fresh and worth anything.
--
-- Judged by the data alone: what a scheduler says of itself proves nothing. health() makes one verdict of these rows.
-- Grain    one row per symbol with an active ensemble.
-- Columns  status ok, degraded or down, with reasons. Seconds: candle_age since the newest closed candle's end,
--          prediction_age since the end of the newest candle that the active ensemble predicted from, prediction_lag from
--          that end to the prediction's created_at, model_age since its older model was trained. A candle or a prediction
--          is late or missing by freshness_limits. failed_runs_1h counts failed and lost runs, skipped_runs_1h
--          no_candle, stale and disabled ones; the last run is of this hour, the newest prediction of 7 days. accuracy_24h is
--          of one minute ahead; under 300 rows it is not judged. A candle of the future is a doubt, and no newest candle.
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
    left join public.accuracy_24h as score -- of the active ones alone: tests would be counted in vain
        on newest.symbol = score.symbol and newest.ensemble_id = score.ensemble_id and score.horizon = 1 and score.state = 'active'
),
judged as (
    select
        *,
        array_remove(array[
            case
                when newest_candle is null then 'there is no candle'
                when candle_age >= missing_seconds then 'no candle for ' || justify_hours(make_interval(secs => floor(candle_age)))
            end,
            case
                when newest_predicted is null then 'nothing was predicted in 7 days'
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
                    then 'a candle lies in the future, at ' || to_char(future_candle at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
                        || ' UTC: its time is wrong, or the server''s clock is slow'
            end,
            case
                when rows_24h >= 300 and accuracy_high < 0.5
                    then 'right in ' || round(100 * accuracy_24h::numeric, 1) || ' % of 24 hours: worse than chance'
            end
        ], null) as doubts
    from measured
    cross join public.freshness_limits
)
select
    judged.symbol,
    case when cardinality(judged.failures) > 0 then 'down' when cardinality(judged.doubts) > 0 then 'degraded' else 'ok' end
        as status,
    judged.failures || judged.doubts as reasons,
    judged.ensemble_id,
    judged.newest_candle,
    judged.newest_predicted,
    judged.last_prediction,
    judged.candle_age,
    judged.prediction_age,
    judged.prediction_lag,
    judged.model_age,
    judged.rows_24h,
    judged.accuracy_24h,
    judged.accuracy_low,
    judged.accuracy_high,
    judged.last_run_status,
    judged.last_error,
    runs.failed as failed_runs_1h,
    runs.skipped as skipped_runs_1h
from judged
cross join lateral (
    select
        count(*) filter (where run.status in ('failed', 'lost')) as failed,
        count(*) filter (where run.status in ('no_candle', 'stale', 'disabled')) as skipped
    from public.inference_runs as run
    where
        run.started_at > now() - interval '1 hour'
        and (run.symbol is null or run.symbol = judged.symbol and run.ensemble_id = judged.ensemble_id)
) as runs;
alter view symbol_health owner to candlecast_owner;
grant select on symbol_health to candlecast_trainer, candlecast_operator, candlecast_reader;
