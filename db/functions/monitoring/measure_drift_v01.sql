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
comment on function measure_drift(date) is
'Measures the feature drift of a day (UTC; null: yesterday) for every active ensemble; returns
the rows of feature_drift that it stored or replaced. It reads the features of the day once per
symbol and loads no model.';
