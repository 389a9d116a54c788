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
comment on table runs_hourly is
'Hourly sums of inference_runs, kept when the runs are pruned: one row per symbol, ensemble,
status and hour of started_at. Written by aggregate_hours().';
comment on column runs_hourly.symbol is 'Market. Null if there was nothing to run.';
comment on column runs_hourly.ensemble_id is 'Ensemble, active_ensembles.id.';
comment on column runs_hourly.status is 'Status of the runs, see inference_runs.';
comment on column runs_hourly.hour is 'Start of the hour of started_at.';
comment on column runs_hourly.runs is 'Number of runs.';
comment on column runs_hourly.timed is 'Runs that have a latency_ms.';
comment on column runs_hourly.latency_ms is 'Sum of latency_ms, in milliseconds.';
comment on column runs_hourly.within_5 is 'Runs with a latency of at most 5 ms.';
comment on column runs_hourly.within_10 is 'Runs with a latency of at most 10 ms.';
comment on column runs_hourly.within_25 is 'Runs with a latency of at most 25 ms.';
comment on column runs_hourly.within_50 is 'Runs with a latency of at most 50 ms.';
comment on column runs_hourly.within_100 is 'Runs with a latency of at most 100 ms.';
comment on column runs_hourly.within_250 is 'Runs with a latency of at most 250 ms.';
comment on column runs_hourly.within_500 is 'Runs with a latency of at most 500 ms.';
comment on column runs_hourly.within_1000 is 'Runs with a latency of at most 1000 ms.';
comment on column runs_hourly.within_5000 is 'Runs with a latency of at most 5000 ms.';
