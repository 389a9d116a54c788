-- features_1m: the features of every candle that has them.
--
-- Grain    one row per symbol and minute that ends 150 candles a minute apart (features_between says which).
-- Window   the trailing 150 candles, the row's own included.
-- Limits   a filter on symbol is used, one on open_time is not: for a stretch of time call features_between,
--          which has the formulas. Reads as its caller, who needs SELECT on candles_1m.
create or replace view public.features_1m with (security_invoker = true) as
with recursive symbols as ( -- as candle_symbols, but read with the caller's rights
    (
        select c.symbol::text -- an adopted table may have character varying
        from public.candles_1m as c
        order by c.symbol
        limit 1
    )
    union all
    select (
        select min(c.symbol)
        from public.candles_1m as c
        where c.symbol > s.symbol
    )
    from symbols as s
    where s.symbol is not null
)

select
    s.symbol,
    f.open_time,
    f.open,
    f.high,
    f.low,
    f.close,
    f.volume,
    f.quote_asset_volume,
    f.taker_buy_base_asset_volume,
    f.taker_buy_quote_asset_volume,
    f.number_of_trades,
    f.spread_bps,
    f.taker_buy_ratio,
    f.log_return_1m,
    f.log_return_5m,
    f.log_return_15m,
    f.volatility_5m,
    f.volatility_15m,
    f.volatility_30m,
    f.sma_5_norm,
    f.sma_15_norm,
    f.sma_30_norm,
    f.ema_5_norm,
    f.ema_15_norm,
    f.ema_30_norm,
    f.rsi_14,
    f.volume_sma_ratio,
    f.vwap_deviation,
    f.price_position
from symbols as s
cross join lateral public.features_between(s.symbol, '-infinity', 'infinity') as f
where s.symbol is not null;

alter view public.features_1m owner to candlecast_owner;
revoke all on public.features_1m from public;
grant select on public.features_1m to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
