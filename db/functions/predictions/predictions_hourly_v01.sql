-- predictions_hourly: what the predictions of an hour came to, added up. It stays when the predictions themselves go.
--
-- Grain    one row per symbol, ensemble, horizon and hour of candle_time, written by aggregate_hours() when the hour is
--          over and its outcomes are known; accuracy_hourly has the present hour too.
-- Columns  predictions and abstained count rows, outcomes those whose target candle is stored; of these moved had a
--          return that is not 0, rose one above 0, hits the predicted sign; interval_rows have a prediction interval,
--          interval_hits prices inside it. squared_error and squared_return are sums over outcomes (log returns
--          squared); brier_rows counts moved rows with a probability, brier is their sum of (probability - rose)^2.
create table predictions_hourly (
    symbol text not null,
    ensemble_id bigint references active_ensembles (id),
    horizon smallint not null,
    hour timestamptz not null,
    predictions integer not null,
    abstained integer not null,
    outcomes integer not null,
    moved integer not null,
    rose integer not null,
    hits integer not null,
    interval_rows integer not null,
    interval_hits integer not null,
    squared_error double precision not null,
    squared_return double precision not null,
    brier_rows integer not null,
    brier double precision not null,
    unique nulls not distinct (symbol, ensemble_id, horizon, hour)
);
create index predictions_hourly_by_hour on predictions_hourly (hour);
alter table predictions_hourly owner to candlecast_owner;
grant select on predictions_hourly to candlecast_trainer, candlecast_operator, candlecast_reader;
grant select, insert, delete on predictions_hourly to candlecast_cron;
