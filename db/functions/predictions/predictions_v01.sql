-- predictions: what was forecast, when, by which ensemble.
--
-- Grain    one row per symbol, candle_time, horizon and ensemble.
-- Units    predicted_close, mamba_close and lgbm_close are log returns from reference_close to the close of the candle
--          named target_time; predicted_price is in money; confidence in [0, 1] says how far both models agree.
--          latency_ms: from the candle seen (or the call) to the rows written. forecast_v01.sql has the meanings of
--          probability_up to furthest_feature: what a calibrated ensemble says beside its forecast.
-- Limits   ensemble_id is null where models came from the server's environment paths. What an uncalibrated ensemble
--          predicted has nulls, and did not abstain.
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
