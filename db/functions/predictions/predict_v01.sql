-- predict: the same forecast from any candle in the past, with any ensemble, writing nothing.
--
-- Grain    five rows, one per horizon. at_time is the open_time of a stored candle (null: the newest).
-- Limits   works in a read-only transaction and on a standby.
-- Parallel unsafe: PL/Python's queries open subtransactions, which no parallel plan allows.
create or replace function predict(
    for_symbol text default 'BTCUSDT', at_time timestamptz default null, ensemble_id bigint default null
)
returns setof public.forecast
language plpython3u
stable parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan -- each call would plan the features anew, for more than it gains
set datestyle = 'ISO, YMD'
set timezone = 'UTC'
rows 5
as $$
from candlecast.server.predict import predict
return predict(plpy, GD, for_symbol, at_time, ensemble_id)
$$;
alter function predict(text, timestamptz, bigint) owner to candlecast_owner;
revoke all on function predict(text, timestamptz, bigint) from public;
grant execute on function predict(text, timestamptz, bigint)
to candlecast_reader, candlecast_operator, candlecast_trainer;
