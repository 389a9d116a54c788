-- generate_demo_candles: adds generated candles of symbol DEMO, from its newest one to the last closed minute.
--
-- Meaning  not market data: a seeded generator with a weak, known, learnable signal (candlecast/server/demo/candles.py), so
--          that a fresh installation predicts from its first minute. No other symbol is ever touched.
-- Returns  the number of candles inserted. Without any DEMO candle it starts `days` before `until`.
-- Limits   stops before the first minute that has not ended, whatever `until` says; fills a pause in one call.
--          Concurrent calls wait for each other. The settings make the time that Python sees unambiguous.
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
