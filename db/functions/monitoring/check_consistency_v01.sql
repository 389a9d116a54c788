-- check_consistency: computes 60 minutes of a day's predictions again (UTC; null: yesterday), of each ensemble that predicted.
--
-- Returns the rows of consistency_checks that it stored, in place of what was there. The same day gives the same sample.
-- Cost     one reading of the day's features a symbol, and a loading of each ensemble's models.
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
