create or replace function data_metrics()
returns table (name text, labels jsonb, value double precision, type text, help text)
language sql
stable parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
select
    figure.name,
    jsonb_build_object('symbol', candles.symbol) || figure.labels,
    figure.value,
    'gauge',
    figure.help
from public.candle_status as candles
cross join lateral (values
    ('ml_candles_missing_24h', '{}'::jsonb, candles.missing_24h::double precision, 'missing minutes in the last 24 hours'),
    (
        'ml_feed_state',
        jsonb_build_object('state', candles.feed_state),
        case when candles.feed_state is not null then 1 end,
        '1 for the current state of the feed'
    )
) as figure (name, labels, value, help)
where figure.value is not null
$$;
alter function data_metrics() owner to candlecast_owner;
revoke all on function data_metrics() from public;
grant execute on function data_metrics() to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function data_metrics() is 'The metrics of candles and feeds, a part of metrics().';
