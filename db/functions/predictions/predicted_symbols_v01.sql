-- A loose index scan: a few index lookups, however many predictions there are.
create or replace view predicted_symbols as
with recursive symbols as (
    (select prediction.symbol from public.predictions as prediction order by prediction.symbol limit 1)
    union all
    select (
        select min(prediction.symbol) from public.predictions as prediction where prediction.symbol > symbols.symbol
    )
    from symbols where symbols.symbol is not null
)
select
    symbols.symbol,
    (
        select min(prediction.candle_time) from public.predictions as prediction
        where prediction.symbol = symbols.symbol
    ) as first_candle_time,
    (
        select max(prediction.candle_time) from public.predictions as prediction
        where prediction.symbol = symbols.symbol
    ) as newest_candle_time
from symbols where symbols.symbol is not null;
alter view predicted_symbols owner to candlecast_owner;
grant select on predicted_symbols to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view predicted_symbols is 'Symbols that have predictions: one row per symbol.';
comment on column predicted_symbols.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column predicted_symbols.first_candle_time is 'Oldest candle_time.';
comment on column predicted_symbols.newest_candle_time is 'Newest candle_time.';
