-- SET timezone and datestyle: Python parses the times as text.
create or replace function generate_demo_candles(
    until timestamptz default now(),
    days integer default 60
) returns bigint
language plpython3u
volatile
strict
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
from candlecast.server.demo.insert import generate_demo_candles
return generate_demo_candles(plpy, until, days)
$$;

alter function generate_demo_candles(timestamptz, integer) owner to candlecast_owner;
revoke all on function generate_demo_candles(timestamptz, integer) from public;
grant execute on function generate_demo_candles(timestamptz, integer) to candlecast_cron, candlecast_operator;
comment on function generate_demo_candles(timestamptz, integer) is
'Adds generated candles of the symbol DEMO from its newest candle to the last closed minute
before `until`; returns how many. Without any DEMO candle it starts `days` before `until`. The
candles are synthetic: a seeded generator with a weak, learnable signal. Concurrent calls wait
for each other.';
