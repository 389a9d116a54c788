-- predicted_symbols: the symbols that have predictions, with the first and the newest candle_time; some look-ups in an index.
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
