create or replace function check_consistency(day date default null)
returns setof public.consistency_checks
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set timezone = 'UTC'
rows 3
as $$
from candlecast.server.consistency.check import check_consistency
return check_consistency(plpy, GD, day)
$$;
alter function check_consistency(date) owner to candlecast_owner;
revoke all on function check_consistency(date) from public;
grant execute on function check_consistency(date) to candlecast_cron, candlecast_operator;
comment on function check_consistency(date) is
'Recomputes 60 minutes of a day''s predictions (UTC; null: yesterday) for each ensemble that
predicted; returns the rows of consistency_checks that it stored or replaced. It reads the
features of the day once per symbol and loads the models.';
