create or replace function aggregate_runs_hourly(from_hour timestamptz, to_hour timestamptz)
returns setof runs_hourly
language sql
stable parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
select
    symbol,
    ensemble_id,
    status,
    date_bin('1 hour', started_at, timestamptz '2000-01-01 00:00:00+00'),
    count(*)::integer,
    count(latency_ms)::integer,
    coalesce(sum(latency_ms), 0),
    (count(*) filter (where latency_ms <= 5))::integer,
    (count(*) filter (where latency_ms <= 10))::integer,
    (count(*) filter (where latency_ms <= 25))::integer,
    (count(*) filter (where latency_ms <= 50))::integer,
    (count(*) filter (where latency_ms <= 100))::integer,
    (count(*) filter (where latency_ms <= 250))::integer,
    (count(*) filter (where latency_ms <= 500))::integer,
    (count(*) filter (where latency_ms <= 1000))::integer,
    (count(*) filter (where latency_ms <= 5000))::integer
from public.inference_runs
where started_at >= from_hour and started_at < to_hour and status <> 'running'
group by 1, 2, 3, 4
$$;
alter function aggregate_runs_hourly(timestamptz, timestamptz) owner to candlecast_owner;
revoke all on function aggregate_runs_hourly(timestamptz, timestamptz) from public;
grant execute on function aggregate_runs_hourly(timestamptz, timestamptz)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function aggregate_runs_hourly(timestamptz, timestamptz) is
'The rows of runs_hourly for [from_hour, to_hour), computed from inference_runs as it is now,
without running runs.';
