create or replace function predict_now(for_symbol text default 'BTCUSDT')
returns setof public.forecast
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan -- a new plan for each call costs more than it saves
rows 5
as $$
from candlecast.server.predict import predict_now
return predict_now(plpy, GD, for_symbol)
$$;
alter function predict_now(text) owner to candlecast_owner;
revoke all on function predict_now(text) from public;
grant execute on function predict_now(text) to candlecast_reader, candlecast_operator, candlecast_trainer;
comment on function predict_now(text) is
'Forecast from the newest candle by the symbol''s active ensemble: five rows, one per horizon,
stored in predictions. A second call for the same candle and ensemble returns the stored rows.
It needs the newest 209 candles without a gap.';
