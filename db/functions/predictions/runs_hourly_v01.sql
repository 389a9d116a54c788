-- runs_hourly: what the inference runs of an hour came to, added up. It stays when inference_runs is pruned.
--
-- Grain    one row per symbol, ensemble, status and hour of started_at, written by aggregate_hours() when it is over.
-- Columns  runs counts rows; timed those with a latency_ms, latency_ms their sum, within_* how many took at most so many
--          milliseconds: a histogram as Prometheus has it.
create table runs_hourly (
    symbol text,
    ensemble_id bigint references active_ensembles (id),
    status text not null,
    hour timestamptz not null,
    runs integer not null,
    timed integer not null,
    latency_ms double precision not null,
    within_5 integer not null,
    within_10 integer not null,
    within_25 integer not null,
    within_50 integer not null,
    within_100 integer not null,
    within_250 integer not null,
    within_500 integer not null,
    within_1000 integer not null,
    within_5000 integer not null,
    unique nulls not distinct (symbol, ensemble_id, status, hour)
);
create index runs_hourly_by_hour on runs_hourly (hour);
alter table runs_hourly owner to candlecast_owner;
grant select on runs_hourly to candlecast_trainer, candlecast_operator, candlecast_reader;
grant select, insert, delete on runs_hourly to candlecast_cron;
