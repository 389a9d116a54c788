create or replace function evaluate_ab(at_time timestamptz default null)
returns setof public.ab_evaluations
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set timezone = 'UTC'
rows 3
as $$
from candlecast.server.ab.evaluate_ab import evaluate_ab
return evaluate_ab(plpy, GD, at_time)
$$;
alter function evaluate_ab(timestamptz) owner to candlecast_owner;
revoke all on function evaluate_ab(timestamptz) from public;
grant execute on function evaluate_ab(timestamptz) to candlecast_cron, candlecast_operator;
comment on function evaluate_ab(timestamptz) is
'Compares every ensemble on test or in shadow with the active one of its symbol, over the 24
hours before at_time (null: now), and promotes, rolls back or retires it. Returns the rows that
it added to ab_evaluations. All of it is one transaction. pg_cron calls it daily.';
