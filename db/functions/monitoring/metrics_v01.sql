create or replace function metrics()
returns table (name text, labels jsonb, value double precision, type text, help text)
language sql
stable parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
select * from public.inference_metrics()
union all
select * from public.data_metrics()
union all
select * from public.monitoring_metrics()
$$;
alter function metrics() owner to candlecast_owner;
revoke all on function metrics() from public;
grant execute on function metrics() to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function metrics() is
'All metrics for Prometheus: one row per sample. /metrics serves them in the exposition format.
type is counter, gauge or histogram. A histogram has the rows name_bucket (label le,
cumulative), name_sum and name_count. Names contain the unit; shares are fractions.';
