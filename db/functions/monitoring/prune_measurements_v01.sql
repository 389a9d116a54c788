create or replace function prune_measurements()
returns bigint
language sql
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
with kept as (
    select (clock_timestamp() - nullif(public.ml_setting('keep_measurements'), 'none')::interval) at time zone 'UTC' as since
),
drift as (
    delete from public.feature_drift where day + 1 <= (select kept.since from kept) returning 1
),
checks as (
    delete from public.consistency_checks where day + 1 <= (select kept.since from kept) returning 1
)
select (select count(*) from drift) + (select count(*) from checks)
$$;
alter function prune_measurements() owner to candlecast_owner;
revoke all on function prune_measurements() from public;
grant execute on function prune_measurements() to candlecast_cron, candlecast_operator;
comment on function prune_measurements() is
'Deletes rows of feature_drift and consistency_checks that are older than the setting
keep_measurements (none: keeps all); returns how many. pg_cron calls it daily.';
