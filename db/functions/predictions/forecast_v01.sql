create type forecast as (
    symbol text,
    candle_time timestamptz,
    target_time timestamptz,
    horizon smallint,
    reference_close double precision,
    predicted_close double precision,
    predicted_price double precision,
    mamba_close double precision,
    lgbm_close double precision,
    confidence double precision,
    ensemble_id bigint,
    probability_up double precision,
    lower_price double precision,
    upper_price double precision,
    abstained boolean,
    out_of_distribution boolean,
    furthest_feature text
);
alter type forecast owner to candlecast_owner;
revoke all on type forecast from public;
grant usage on type forecast to candlecast_reader, candlecast_operator, candlecast_trainer;
comment on type forecast is
'One horizon of a forecast, as predict_now(), predict() and predict_range() return it. The
columns that need a calibration are null if the ensemble has none; abstained is then false.';
comment on column forecast.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column forecast.candle_time is 'open_time of the newest candle that the prediction used.';
comment on column forecast.target_time is 'candle_time + horizon: open_time of the candle whose close is predicted.';
comment on column forecast.horizon is 'Minutes ahead, 1 to 5.';
comment on column forecast.reference_close is 'Close at candle_time, in quote currency.';
comment on column forecast.predicted_close is 'Predicted log return from reference_close to the close at target_time.';
comment on column forecast.predicted_price is 'Predicted close at target_time, in quote currency.';
comment on column forecast.mamba_close is 'Log return that the Mamba version predicts.';
comment on column forecast.lgbm_close is 'Log return that the LightGBM version predicts.';
comment on column forecast.confidence is 'How much the two models agree, 0 to 1. Not a probability.';
comment on column forecast.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column forecast.probability_up is
'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';
comment on column forecast.lower_price is
'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column forecast.upper_price is
'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column forecast.abstained is 'True if |probability_up - 0.5| is below the setting min_confidence.';
comment on column forecast.out_of_distribution is
'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';
comment on column forecast.furthest_feature is
'Feature furthest outside its training range. Null unless out_of_distribution.';
