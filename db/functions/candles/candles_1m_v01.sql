-- "if not exists": a user's own candles_1m is adopted (db/migrations/adoption.py) and gets these grants.
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
grant delete on table candles_1m to candlecast_operator; -- for a candle with a wrong time
grant select on table candles_1m to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on table candles_1m is
'Closed one-minute candles, the only input of the forecasts: one row per symbol and minute. The
CHECK constraints reject values that the features cannot use: NaN, infinity, magnitudes that
overflow, candles that contradict themselves.';
comment on column candles_1m.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column candles_1m.open_time is 'Start of the minute (UTC, on the minute).';
comment on column candles_1m.open is 'First price of the minute, in quote currency.';
comment on column candles_1m.high is 'Highest price of the minute, in quote currency.';
comment on column candles_1m.low is 'Lowest price of the minute, in quote currency.';
comment on column candles_1m.close is 'Last price of the minute, in quote currency.';
comment on column candles_1m.volume is 'Traded volume, in base currency.';
comment on column candles_1m.quote_asset_volume is 'Traded volume, in quote currency.';
comment on column candles_1m.taker_buy_base_asset_volume is 'Volume bought by takers, in base currency.';
comment on column candles_1m.taker_buy_quote_asset_volume is 'Volume bought by takers, in quote currency.';
comment on column candles_1m.number_of_trades is 'Number of trades in the minute.';
comment on column candles_1m.spread_bps is
'Bid-ask spread in basis points of the mid price. Null if the source has no quotes.';
comment on column candles_1m.taker_buy_ratio is 'taker_buy_base_asset_volume / volume, a fraction; 0.5 if volume is 0.';
