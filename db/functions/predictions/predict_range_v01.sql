-- Parallel unsafe: PL/Python's queries open subtransactions, which parallel plans do not allow.
create or replace function predict_range(
    for_symbol text, from_time timestamptz, to_time timestamptz, ensemble_id bigint default null
)
returns setof public.forecast
language plpython3u
stable parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set timezone = 'UTC'
rows 7200
as $$
from candlecast.server.predict import predict_range
return predict_range(plpy, GD, for_symbol, from_time, to_time, ensemble_id)
$$;
alter function predict_range(text, timestamptz, timestamptz, bigint) owner to candlecast_owner;
revoke all on function predict_range(text, timestamptz, timestamptz, bigint) from public;
grant execute on function predict_range(text, timestamptz, timestamptz, bigint)
to candlecast_reader, candlecast_operator, candlecast_trainer;
comment on function predict_range(text, timestamptz, timestamptz, bigint) is
'Backtest: forecasts from every candle_time in [from_time, to_time), without storing them; one
row per candle and horizon. Minutes without 209 consecutive candles are skipped. A null bound is
no bound. ensemble_id null: the active one.';
