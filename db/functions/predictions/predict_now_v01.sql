-- predict_now: where the price goes in the next 1 to 5 minutes, from the newest candle.
--
-- Grain    five rows, one per horizon, by the symbol's active ensemble; stored in predictions. Called again for the same
--          candle and ensemble it returns the stored rows.
-- Limits   needs the 209 candles up to the newest; SECURITY DEFINER so that readers can call it.
create or replace function predict_now(for_symbol text default 'BTCUSDT')
returns setof public.forecast
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan -- each call would plan the features anew, for more than it gains
rows 5
as $$
from candlecast.server.predict import predict_now
return predict_now(plpy, GD, for_symbol)
$$;
alter function predict_now(text) owner to candlecast_owner;
revoke all on function predict_now(text) from public;
grant execute on function predict_now(text) to candlecast_reader, candlecast_operator, candlecast_trainer;
