create or replace view latest_predictions as
select
    predictions.symbol,
    predictions.candle_time,
    predictions.target_time,
    predictions.horizon,
    predictions.reference_close,
    predictions.predicted_close,
    predictions.predicted_price,
    predictions.mamba_close,
    predictions.lgbm_close,
    predictions.confidence,
    predictions.ensemble_id,
    predictions.created_at,
    predictions.probability_up,
    predictions.lower_price,
    predictions.upper_price,
    predictions.abstained,
    predictions.out_of_distribution,
    predictions.furthest_feature
from public.active_ensembles
cross join lateral (
    select newest.candle_time
    from public.predictions as newest
    where newest.symbol = active_ensembles.symbol and newest.ensemble_id = active_ensembles.id
    order by newest.candle_time desc
    limit 1
) as latest
inner join public.predictions
    on
        active_ensembles.symbol = predictions.symbol
        and active_ensembles.id = predictions.ensemble_id
        and latest.candle_time = predictions.candle_time
where active_ensembles.is_active;
alter view latest_predictions owner to candlecast_owner;
grant select on latest_predictions to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view latest_predictions is
'The newest stored forecast of each symbol''s active ensemble: one row per symbol and horizon. It
reads what is stored; predict_now() also predicts.';
comment on column latest_predictions.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column latest_predictions.candle_time is 'open_time of the newest candle that the prediction used.';
comment on column latest_predictions.target_time is
'candle_time + horizon: open_time of the candle whose close is predicted.';
comment on column latest_predictions.horizon is 'Minutes ahead, 1 to 5.';
comment on column latest_predictions.reference_close is 'Close at candle_time, in quote currency.';
comment on column latest_predictions.predicted_close is
'Predicted log return from reference_close to the close at target_time.';
comment on column latest_predictions.predicted_price is 'Predicted close at target_time, in quote currency.';
comment on column latest_predictions.mamba_close is 'Log return that the Mamba version predicts.';
comment on column latest_predictions.lgbm_close is 'Log return that the LightGBM version predicts.';
comment on column latest_predictions.confidence is 'How much the two models agree, 0 to 1. Not a probability.';
comment on column latest_predictions.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column latest_predictions.probability_up is
'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';
comment on column latest_predictions.lower_price is
'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column latest_predictions.upper_price is
'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column latest_predictions.abstained is 'True if |probability_up - 0.5| is below the setting min_confidence.';
comment on column latest_predictions.out_of_distribution is
'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';
comment on column latest_predictions.furthest_feature is
'Feature furthest outside its training range. Null unless out_of_distribution.';
comment on column latest_predictions.created_at is 'When the row was written (server clock).';
