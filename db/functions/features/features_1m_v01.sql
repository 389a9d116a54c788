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

comment on view public.features_1m is
'The 27 features of every candle: one row per symbol and minute that ends 150 consecutive
candles. A condition on symbol uses the index, one on open_time does not: for a range of time
call features_between().';
comment on column public.features_1m.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column public.features_1m.open_time is 'Start of the minute (UTC, on the minute).';
comment on column public.features_1m.open is 'First price of the minute, in quote currency.';
comment on column public.features_1m.high is 'Highest price of the minute, in quote currency.';
comment on column public.features_1m.low is 'Lowest price of the minute, in quote currency.';
comment on column public.features_1m.close is 'Last price of the minute, in quote currency.';
comment on column public.features_1m.volume is 'Traded volume, in base currency.';
comment on column public.features_1m.quote_asset_volume is 'Traded volume, in quote currency.';
comment on column public.features_1m.taker_buy_base_asset_volume is 'Volume bought by takers, in base currency.';
comment on column public.features_1m.taker_buy_quote_asset_volume is 'Volume bought by takers, in quote currency.';
comment on column public.features_1m.number_of_trades is 'Number of trades in the minute.';
comment on column public.features_1m.spread_bps is
'Bid-ask spread in basis points; without quotes Roll''s estimate from the last 30 minutes.';
comment on column public.features_1m.taker_buy_ratio is
'taker_buy_base_asset_volume / volume, a fraction; 0.5 if volume is 0.';
comment on column public.features_1m.log_return_1m is 'Log return of the last minute.';
comment on column public.features_1m.log_return_5m is 'Log return of the last 5 minutes.';
comment on column public.features_1m.log_return_15m is 'Log return of the last 15 minutes.';
comment on column public.features_1m.volatility_5m is 'Sample standard deviation of the last 5 one-minute log returns.';
comment on column public.features_1m.volatility_15m is
'Sample standard deviation of the last 15 one-minute log returns.';
comment on column public.features_1m.volatility_30m is
'Sample standard deviation of the last 30 one-minute log returns.';
comment on column public.features_1m.sma_5_norm is '(close - mean of the last 5 closes) / close.';
comment on column public.features_1m.sma_15_norm is '(close - mean of the last 15 closes) / close.';
comment on column public.features_1m.sma_30_norm is '(close - mean of the last 30 closes) / close.';
comment on column public.features_1m.ema_5_norm is '(close - exponential mean of 150 closes, span 5) / close.';
comment on column public.features_1m.ema_15_norm is '(close - exponential mean of 150 closes, span 15) / close.';
comment on column public.features_1m.ema_30_norm is '(close - exponential mean of 150 closes, span 30) / close.';
comment on column public.features_1m.rsi_14 is
'Wilder''s relative strength index with 14 minutes, 0 to 1; 0.5 if the price did not change.';
comment on column public.features_1m.volume_sma_ratio is 'volume / mean of the last 20 volumes; 1 if all are 0.';
comment on column public.features_1m.vwap_deviation is
'(close - volume-weighted mean price of the last 60 minutes) / close; 0 without volume.';
comment on column public.features_1m.price_position is '(close - low) / (high - low), 0 to 1; 0.5 if high equals low.';
