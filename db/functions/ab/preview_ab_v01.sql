-- Parallel unsafe: PL/Python's queries open subtransactions, which parallel plans do not allow.
create or replace function preview_ab(at_time timestamptz default null)
returns setof public.ab_evaluations
language plpython3u
stable parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set timezone = 'UTC'
rows 3
as $$
from candlecast.server.ab.evaluate_ab import preview_ab
return preview_ab(plpy, GD, at_time)
$$;
alter function preview_ab(timestamptz) owner to candlecast_owner;
revoke all on function preview_ab(timestamptz) from public;
grant execute on function preview_ab(timestamptz)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function preview_ab(timestamptz) is
'What evaluate_ab(at_time) would decide, without writing anything. id and evaluated_at are null.
It does not check the test vectors of a winner.';
