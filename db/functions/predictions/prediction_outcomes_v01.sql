-- prediction_outcomes: every prediction beside what came of it.
--
-- Grain    one row per prediction. The outcome is null until the candle named target_time is stored.
-- Units    actual_return and error are log returns; direction_hit compares signs and is null where the actual
--          return is 0: such rows do not count; interval_hit: the price came to lie within the interval;
--          forecast_v01.sql has the meanings of what a calibrated ensemble adds.
create or replace view prediction_outcomes as
select
    predictions.symbol,
    predictions.candle_time,
    predictions.target_time,
    predictions.horizon,
    predictions.ensemble_id,
    predictions.model_name,
    predictions.reference_close,
    predictions.predicted_price,
    target.close as actual_price,
    predictions.predicted_close,
    outcome.actual_return,
    predictions.predicted_close - outcome.actual_return as error,
    case when outcome.actual_return <> 0 then sign(predictions.predicted_close) = sign(outcome.actual_return) end
        as direction_hit,
    predictions.mamba_close,
    predictions.lgbm_close,
    predictions.confidence,
    predictions.created_at,
    predictions.latency_ms,
    predictions.probability_up,
    predictions.lower_price,
    predictions.upper_price,
    target.close between predictions.lower_price and predictions.upper_price as interval_hit,
    predictions.abstained,
    predictions.out_of_distribution,
    predictions.furthest_feature
from public.predictions
left join public.candles_1m as target
    on predictions.symbol = target.symbol and predictions.target_time = target.open_time
cross join lateral (values (ln(target.close / predictions.reference_close))) as outcome (actual_return);
alter view prediction_outcomes owner to candlecast_owner;
grant select on prediction_outcomes to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
