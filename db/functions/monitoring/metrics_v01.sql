-- metrics(): what Prometheus is to know, a row per sample. /metrics writes it down in the exposition format.
--
-- Columns  type counter, gauge or histogram; a histogram comes as rows name_bucket (label le, cumulative), name_sum and
--          name_count. Units stand in the names: seconds, ms; shares are fractions. help is one text for a name.
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
