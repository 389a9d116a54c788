-- run_hours: what the inference runs of an hour came to, added up. It stays when inference_runs is pruned.
--
-- Grain    one row per symbol, ensemble, status and hour of started_at, written by summarise_hours() when it is over.
-- Columns  runs counts rows; timed those with a latency_ms, latency_ms their sum, within_* how many took at most so many
--          milliseconds: a histogram as Prometheus has it.
create table run_hours (
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
create index run_hours_by_hour on run_hours (hour);
alter table run_hours owner to candlecast_owner;
grant select on run_hours to candlecast_trainer, candlecast_operator, candlecast_reader;
grant select, insert, delete on run_hours to candlecast_cron;
