-- A loose index scan: a few index lookups, however many candles there are.
create or replace view candle_symbols as
with recursive symbols as (
    (select candle.symbol::text as symbol from public.candles_1m as candle order by candle.symbol limit 1)
    union all
    select (select min(candle.symbol) from public.candles_1m as candle where candle.symbol > symbols.symbol)
    from symbols where symbols.symbol is not null
)
select symbols.symbol from symbols where symbols.symbol is not null;
alter view candle_symbols owner to candlecast_owner;
grant select on candle_symbols to candlecast_cron, candlecast_feeder, candlecast_trainer, candlecast_operator,
candlecast_reader;
comment on view candle_symbols is 'Symbols that have candles: one row per symbol.';
comment on column candle_symbols.symbol is 'Market, as the exchange writes it: BTCUSDT.';
