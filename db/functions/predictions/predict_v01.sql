-- Parallel unsafe: PL/Python's queries open subtransactions, which parallel plans do not allow.
create or replace function predict(
    for_symbol text default 'BTCUSDT', at_time timestamptz default null, ensemble_id bigint default null
)
returns setof public.forecast
language plpython3u
stable parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan -- a new plan for each call costs more than it saves
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
comment on function predict(text, timestamptz, bigint) is
'Forecast from any stored candle with any ensemble, without storing it: five rows, one per
horizon. at_time is the candle''s open_time (null: the newest). ensemble_id null: the active one.
Works in a read-only transaction and on a standby.';
