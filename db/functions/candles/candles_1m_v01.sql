-- candles_1m: closed one-minute candles, the only input that forecasts are made from.
--
-- Grain    one row per symbol and minute, named by open_time (UTC, on the minute).
-- Units    prices in quote currency; volumes in base or quote currency as named; spread_bps in basis points
--          of the mid price, null where the source has no quotes (the features then estimate it).
-- Limits   the checks keep out what the features could not survive: NaN, infinities, magnitudes that overflow
--          a sum of squares or a ratio over a window, candles that contradict themselves. Only closed candles belong here.
-- Adopted  a table that was there before keeps its owner and gets these rights (db/migrations/adoption.py).
create table if not exists candles_1m (
    symbol text not null default 'BTCUSDT',
    open_time timestamptz not null,
    open double precision not null,
    high double precision not null,
    low double precision not null,
    close double precision not null,
    volume double precision not null,
    quote_asset_volume double precision not null,
    taker_buy_base_asset_volume double precision not null,
    taker_buy_quote_asset_volume double precision not null,
    number_of_trades bigint not null,
    spread_bps double precision,
    taker_buy_ratio double precision generated always as (
        case when volume = 0 then 0.5 else taker_buy_base_asset_volume / volume end
    ) stored,
    primary key (symbol, open_time),
    constraint candles_1m_symbol_named check (symbol ~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}$'),
    constraint candles_1m_open_time_on_the_minute check (
        open_time >= timestamptz '1970-01-01 00:00:00+00' and open_time < timestamptz '2100-01-01 00:00:00+00'
        and date_bin('1 minute', open_time, timestamptz '2000-01-01 00:00:00+00') = open_time
    ),
    constraint candles_1m_prices_positive check (
        low > 1e-12 and low < 1e12 and open < 1e12 and high < 1e12 and close < 1e12
    ),
    constraint candles_1m_prices_within_high_and_low check (
        high >= low and open between low and high and close between low and high
    ),
    constraint candles_1m_volumes_finite check (
        (volume = 0 or volume between 1e-18 and 1e18)
        and quote_asset_volume >= 0 and quote_asset_volume < 1e18
        and number_of_trades between 0 and 1000000000000
    ),
    constraint candles_1m_taker_volumes_within_volumes check (
        taker_buy_base_asset_volume between 0 and volume
        and taker_buy_quote_asset_volume >= 0
        and taker_buy_quote_asset_volume <= quote_asset_volume * (1 + 1e-9) + 1e-6
    ),
    constraint candles_1m_spread_finite check (spread_bps >= 0 and spread_bps < 1e6)
);
revoke all on table candles_1m from public;
grant select, insert, update on table candles_1m to candlecast_owner, candlecast_feeder;
grant delete on table candles_1m to candlecast_operator; -- a candle that a wrong clock wrote
grant select on table candles_1m to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
