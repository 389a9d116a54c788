create table predictions (
    id bigint generated always as identity primary key,
    model_name text not null default 'mamba_lgbm_ensemble',
    symbol text not null,
    ensemble_id bigint references active_ensembles (id),
    candle_time timestamptz not null,
    target_time timestamptz not null,
    horizon smallint not null check (horizon between 1 and 5),
    predicted_close double precision not null,
    predicted_price double precision not null,
    reference_close double precision not null,
    mamba_close double precision not null,
    lgbm_close double precision not null,
    confidence double precision not null check (confidence between 0 and 1),
    probability_up double precision check (probability_up between 0 and 1),
    lower_price double precision,
    upper_price double precision,
    abstained boolean not null default false,
    out_of_distribution boolean,
    furthest_feature text,
    created_at timestamptz not null default clock_timestamp(),
    latency_ms double precision,
    unique nulls not distinct (symbol, candle_time, horizon, ensemble_id),
    check (target_time = candle_time + horizon * interval '1 minute'),
    constraint predictions_interval_around_the_price check (predicted_price between lower_price and upper_price),
    constraint predictions_calibrated_or_not check (
        num_nulls(probability_up, lower_price, upper_price, out_of_distribution) in (0, 4)
    ),
    constraint predictions_abstained_by_probability check (probability_up is not null or not abstained),
    constraint predictions_furthest_feature_where_out check (
        (furthest_feature is not null) = coalesce(out_of_distribution, false)
    )
);
create index predictions_by_target on predictions (symbol, target_time);
alter table predictions owner to candlecast_owner;
grant select on predictions to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
grant insert, delete on predictions to candlecast_cron;
comment on table predictions is 'Stored predictions: one row per symbol, candle_time, horizon and ensemble.';
comment on column predictions.id is 'Primary key.';
comment on column predictions.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column predictions.candle_time is 'open_time of the newest candle that the prediction used.';
comment on column predictions.target_time is 'candle_time + horizon: open_time of the candle whose close is predicted.';
comment on column predictions.horizon is 'Minutes ahead, 1 to 5.';
comment on column predictions.reference_close is 'Close at candle_time, in quote currency.';
comment on column predictions.predicted_close is
'Predicted log return from reference_close to the close at target_time.';
comment on column predictions.predicted_price is 'Predicted close at target_time, in quote currency.';
comment on column predictions.mamba_close is 'Log return that the Mamba version predicts.';
comment on column predictions.lgbm_close is 'Log return that the LightGBM version predicts.';
comment on column predictions.confidence is 'How much the two models agree, 0 to 1. Not a probability.';
comment on column predictions.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column predictions.probability_up is
'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';
comment on column predictions.lower_price is
'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column predictions.upper_price is
'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';
comment on column predictions.abstained is 'True if |probability_up - 0.5| is below the setting min_confidence.';
comment on column predictions.out_of_distribution is
'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';
comment on column predictions.furthest_feature is
'Feature furthest outside its training range. Null unless out_of_distribution.';
comment on column predictions.model_name is 'Name of the model family, mamba_lgbm_ensemble by default.';
comment on column predictions.created_at is 'When the row was written (server clock).';
comment on column predictions.latency_ms is
'Milliseconds from the detected candle, or from the call, to the written rows.';
