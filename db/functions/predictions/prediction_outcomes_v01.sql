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
comment on view prediction_outcomes is
'Predictions with their outcomes: one row per prediction. The outcome is null until the candle of
target_time is stored.';
comment on column prediction_outcomes.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column prediction_outcomes.candle_time is 'open_time of the newest candle that the prediction used.';
comment on column prediction_outcomes.target_time is
'candle_time + horizon: open_time of the candle whose close is predicted.';
comment on column prediction_outcomes.horizon is 'Minutes ahead, 1 to 5.';
comment on column prediction_outcomes.reference_close is 'Close at candle_time, in quote currency.';
comment on column prediction_outcomes.predicted_close is
'Predicted log return from reference_close to the close at target_time.';
comment on column prediction_outcomes.predicted_price is 'Predicted close at target_time, in quote currency.';
comment on column prediction_outcomes.mamba_close is 'Log return that the Mamba version predicts.';
comment on column prediction_outcomes.lgbm_close is 'Log return that the LightGBM version predicts.';
comment on column prediction_outcomes.confidence is 'How much the two models agree, 0 to 1. Not a probability.';
comment on column prediction_outcomes.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column prediction_outcomes.probability_up is
'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';
comment on column prediction_outcomes.lower_price is
'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column prediction_outcomes.upper_price is
'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column prediction_outcomes.abstained is
'True if |probability_up - 0.5| is below the setting min_confidence.';
comment on column prediction_outcomes.out_of_distribution is
'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';
comment on column prediction_outcomes.furthest_feature is
'Feature furthest outside its training range. Null unless out_of_distribution.';
comment on column prediction_outcomes.model_name is 'Name of the model family, mamba_lgbm_ensemble by default.';
comment on column prediction_outcomes.actual_price is
'Close at target_time, in quote currency. Null until that candle is stored.';
comment on column prediction_outcomes.actual_return is 'Log return from reference_close to actual_price.';
comment on column prediction_outcomes.error is 'predicted_close - actual_return, a log return.';
comment on column prediction_outcomes.direction_hit is
'True if the predicted direction was right. Null if actual_return is 0 or unknown.';
comment on column prediction_outcomes.interval_hit is 'True if actual_price is within lower_price and upper_price.';
comment on column prediction_outcomes.created_at is 'When the prediction was written (server clock).';
comment on column prediction_outcomes.latency_ms is
'Milliseconds from the detected candle, or from the call, to the written rows.';
