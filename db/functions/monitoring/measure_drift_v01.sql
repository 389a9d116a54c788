-- measure_drift: how far a day's features (UTC; null: yesterday) lie from those that the active models were trained on.
--
-- Of every symbol with an active ensemble; returns the rows of feature_drift that it stored, in place of what was there.
-- Cost     one reading of the day's features a symbol; no model is loaded.
create or replace function measure_drift(day date default null)
returns setof public.feature_drift
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set timezone = 'UTC'
rows 27
as $$
from candlecast.server.drift.measure import measure_drift
return measure_drift(plpy, GD, day)
$$;
alter function measure_drift(date) owner to candlecast_owner;
revoke all on function measure_drift(date) from public;
grant execute on function measure_drift(date) to candlecast_cron, candlecast_operator;
