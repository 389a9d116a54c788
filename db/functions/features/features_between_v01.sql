-- No SET and no SECURITY DEFINER, so that PostgreSQL inlines it. The test reference is trainer/features.py.
create or replace function public.features_between(
    for_symbol text, from_time timestamptz, to_time timestamptz
)
returns table (
    symbol text,
    open_time timestamptz,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision,
    quote_asset_volume double precision,
    taker_buy_base_asset_volume double precision,
    taker_buy_quote_asset_volume double precision,
    number_of_trades double precision,
    spread_bps double precision,
    taker_buy_ratio double precision,
    log_return_1m double precision,
    log_return_5m double precision,
    log_return_15m double precision,
    volatility_5m double precision,
    volatility_15m double precision,
    volatility_30m double precision,
    sma_5_norm double precision,
    sma_15_norm double precision,
    sma_30_norm double precision,
    ema_5_norm double precision,
    ema_15_norm double precision,
    ema_30_norm double precision,
    rsi_14 double precision,
    volume_sma_ratio double precision,
    vwap_deviation double precision,
    price_position double precision
)
language sql
stable
parallel safe
security invoker
as $$
with candles as (
    select c.*, lag(c.close) over w150 as close_1, lag(c.close, 2) over w150 as close_2, lag(c.close, 5) over w150 as close_5,
        lag(c.close, 15) over w150 as close_15, lag(c.close, 149) over w150 as close_149, lag(c.open_time, 149) over w150 as open_time_149
    from public.candles_1m as c
    where c.symbol = for_symbol and c.open_time >= from_time - interval '149 minutes' and c.open_time < to_time
    window w150 as (order by c.open_time rows 149 preceding)
),
sums_of_5 as ( -- longer windows are merged from shorter ones, never by subtraction: equal closes give exactly 0
    select c.*, sum(c.close) over w5 as closes_5, sum(c.volume) over w5 as volumes_5, sum(c.quote_asset_volume) over w5 as quotes_5,
        public.paired_moments(ln(c.close / c.close_1), ln(c.close_1 / c.close_2)) over w5 as moments_5
    from candles as c
    window w5 as (order by c.open_time rows 4 preceding)
),
sums_of_15_and_20 as ( -- lag ignores the frame: it shares w149 with decayed_sums, so that one pass computes both
    select s.*,
        s.closes_5 + lag(s.closes_5, 5) over w149 + lag(s.closes_5, 10) over w149 as closes_15,
        s.volumes_5 + lag(s.volumes_5, 5) over w149 + lag(s.volumes_5, 10) over w149 + lag(s.volumes_5, 15) over w149 as volumes_20,
        s.quotes_5 + lag(s.quotes_5, 5) over w149 + lag(s.quotes_5, 10) over w149 + lag(s.quotes_5, 15) over w149 as quotes_20,
        float8_regr_combine(
            float8_regr_combine(s.moments_5, lag(s.moments_5, 5) over w149), lag(s.moments_5, 10) over w149
        ) as moments_15,
        public.decayed_sums(s.close, greatest(s.close - s.close_1, 0), greatest(s.close_1 - s.close, 0)) over w149 as decayed
    from sums_of_5 as s
    window w149 as (order by s.open_time rows 148 preceding)
),
sums_of_30_and_60 as (
    select s.*,
        s.closes_15 + lag(s.closes_15, 15) over w60 as closes_30,
        s.volumes_20 + lag(s.volumes_20, 20) over w60 + lag(s.volumes_20, 40) over w60 as volumes_60,
        s.quotes_20 + lag(s.quotes_20, 20) over w60 + lag(s.quotes_20, 40) over w60 as quotes_60,
        float8_regr_combine(s.moments_15, lag(s.moments_15, 15) over w60) as moments_30
    from sums_of_15_and_20 as s
    window w60 as (order by s.open_time rows 59 preceding)
)
select
    symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades::double precision,
    -- Roll's estimate; an autocorrelation within 1e-6 of 0 is a rounding error, which the root would magnify
    coalesce(spread_bps, case
        when moments_30[6] < -1e-6 * sqrt(moments_30[3] * moments_30[5]) then 20000 * sqrt(-moments_30[6] / 29) else 0
    end),
    taker_buy_ratio,
    ln(close / close_1), ln(close / close_5), ln(close / close_15),
    sqrt(moments_5[5] / 4), sqrt(moments_15[5] / 14), sqrt(moments_30[5] / 29),
    (close - closes_5 / 5) / close, (close - closes_15 / 15) / close, (close - closes_30 / 30) / close,
    -- the 150th weight is added to the 149 of decayed_sums; the weights' sum is (1 - decay ^ 150) / (1 - decay)
    (close - (decayed[1] + (2 / 3::float8) ^ 149 * close_149) * (1 / 3::float8) / (1 - (2 / 3::float8) ^ 150)) / close,
    (close - (decayed[2] + (7 / 8::float8) ^ 149 * close_149) * (1 / 8::float8) / (1 - (7 / 8::float8) ^ 150)) / close,
    (close - (decayed[3] + (29 / 31::float8) ^ 149 * close_149) * (2 / 31::float8) / (1 - (29 / 31::float8) ^ 150)) / close,
    case when decayed[4] + decayed[5] = 0 then 0.5 else decayed[4] / (decayed[4] + decayed[5]) end,
    case when volumes_20 = 0 then 1 else volume / (volumes_20 / 20) end,
    case when volumes_60 = 0 then 0 else (close - quotes_60 / volumes_60) / close end,
    case when high = low then 0.5 else (close - low) / (high - low) end
from sums_of_30_and_60
where open_time >= from_time and open_time_149 = open_time - interval '149 minutes'
$$;

alter function public.features_between(text, timestamptz, timestamptz) owner to candlecast_owner;
revoke all on function public.features_between(text, timestamptz, timestamptz) from public;
grant execute on function public.features_between(text, timestamptz, timestamptz)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;

comment on function public.features_between(text, timestamptz, timestamptz) is
'The 27 features of a symbol''s candles in [from_time, to_time), the only definition of them: one
row per candle that ends 150 consecutive candles. A row uses these 150 candles and nothing else.
Infinite bounds are allowed. The columns are described at features_1m. The caller needs SELECT
on candles_1m.';
