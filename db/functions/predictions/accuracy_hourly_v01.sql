-- accuracy_hourly: how often each ensemble was right, hour by hour, of all that was ever predicted.
--
-- Grain    one row per symbol, ensemble, horizon and hour of candle_time: predictions_hourly, and what came since its newest.
--          Filter by hour; longer stretches are sums of predictions, moved, hits over it.
-- Units    accuracy, low and high are fractions of moved; [low, high] is wilson_interval's, of moved / horizon
--          trials. brier and rmse are means over their rows.
create or replace view accuracy_hourly as
with summed as (
    select * from public.predictions_hourly
    union all
    select fresh.*
    from public.predicted_symbols as predicted
    cross join lateral (
        select coalesce(max(done.hour) + interval '1 hour', predicted.first_candle_time) as since
        from public.predictions_hourly as done where done.symbol = predicted.symbol
    ) as newest
    cross join public.aggregate_predictions_hourly(
        predicted.symbol, newest.since, predicted.newest_candle_time + interval '1 minute'
    ) as fresh
    where predicted.symbol = fresh.symbol -- so that who asks for one symbol has one computed
)
select
    summed.symbol,
    summed.ensemble_id,
    summed.horizon,
    summed.hour,
    summed.predictions,
    summed.outcomes,
    summed.moved,
    summed.rose,
    summed.hits,
    score.accuracy,
    bounds.low,
    bounds.high,
    summed.abstained,
    summed.interval_rows,
    summed.interval_hits,
    summed.brier / nullif(summed.brier_rows, 0) as brier,
    sqrt(summed.squared_error / nullif(summed.outcomes, 0)) as rmse
from summed
cross join lateral (values (
    summed.hits / nullif(summed.moved, 0)::double precision, summed.moved / summed.horizon::double precision
)) as score (accuracy, trials)
cross join public.wilson_interval(score.accuracy, score.trials) as bounds;
alter view accuracy_hourly owner to candlecast_owner;
grant select on accuracy_hourly to candlecast_trainer, candlecast_operator, candlecast_reader;
