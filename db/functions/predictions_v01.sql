-- predictions: what was forecast, when, by which ensemble.
--
-- Grain    one row per symbol, candle_time, horizon and ensemble.
-- Units    predicted_close, mamba_close and lgbm_close are log returns from reference_close to the close of the candle
--          named target_time; predicted_price is in money; confidence in [0, 1] says how far both models agree.
--          latency_ms: from the candle seen (or the call) to the rows written.
-- Limits   ensemble_id is null where models came from the server's environment paths.
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
    created_at timestamptz not null default clock_timestamp(),
    latency_ms double precision,
    unique nulls not distinct (symbol, candle_time, horizon, ensemble_id),
    check (target_time = candle_time + horizon * interval '1 minute')
);
create index predictions_by_target on predictions (symbol, target_time);
alter table predictions owner to candlecast_owner;
grant select on predictions to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
grant insert on predictions to candlecast_cron;
