-- forecast: one predicted horizon, as predict_now(), predict() and predict_range() return it.
--
-- Units    predicted_close, mamba_close, lgbm_close are log returns from reference_close; predicted_price is money;
--          confidence in [0, 1] says how far the two models agree. ensemble_id null: models of the server's paths.
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
    ensemble_id bigint
);
alter type forecast owner to candlecast_owner;
revoke all on type forecast from public;
grant usage on type forecast to candlecast_reader, candlecast_operator, candlecast_trainer;
