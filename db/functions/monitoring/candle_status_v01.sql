create or replace view candle_status as
with symbols as (
    select stored.symbol from public.candle_symbols as stored
    union
    select feed.symbol from public.feed_status as feed
),
edges as (
    select
        symbols.symbol,
        (select min(candle.open_time) from public.candles_1m as candle where candle.symbol = symbols.symbol) as oldest,
        (
            select max(candle.open_time) from public.candles_1m as candle
            where candle.symbol = symbols.symbol and candle.open_time <= now()
        ) as newest,
        (
            select max(prediction.candle_time) from public.predictions as prediction
            where prediction.symbol = symbols.symbol
        ) as newest_prediction
    from symbols
),
missing as (
    select
        edges.symbol,
        sum(gap.minutes) as minutes,
        count(*) as gaps
    from edges
    cross join public.candle_gaps(
        edges.symbol,
        greatest(edges.oldest, now() - interval '1 day'),
        date_trunc('minute', now() - interval '10 seconds')
    ) as gap
    group by edges.symbol
)
select
    edges.symbol,
    edges.oldest,
    edges.newest,
    now() - edges.newest - interval '1 minute' as age,
    case when edges.oldest is not null then coalesce(missing.minutes, 0)::bigint end as missing_24h,
    case when edges.oldest is not null then coalesce(missing.gaps, 0) end as gaps_24h,
    case
        when feed.state <> 'stopped' and feed.heartbeat_at < now() - interval '1 minute' then 'silent'
        else feed.state
    end as feed_state,
    feed.last_error as feed_error,
    feed.last_error_at as feed_error_at,
    edges.newest_prediction
from edges
left join missing on edges.symbol = missing.symbol
left join public.feed_status as feed on edges.symbol = feed.symbol
order by edges.symbol;
alter view candle_status owner to candlecast_owner;
grant select on candle_status to candlecast_feeder, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view candle_status is
'Freshness and completeness of the candles, and their feed: one row per symbol that has candles
or a feed.';
comment on column candle_status.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column candle_status.oldest is 'open_time of the oldest candle.';
comment on column candle_status.newest is 'open_time of the newest candle that is not in the future.';
comment on column candle_status.age is 'Time since the newest candle closed.';
comment on column candle_status.missing_24h is
'Missing minutes among those of the last 24 hours that closed at least 10 s ago.';
comment on column candle_status.gaps_24h is 'Gaps that these minutes form.';
comment on column candle_status.feed_state is
'feed_status.state; silent if there was no heartbeat for a minute; null without a feed.';
comment on column candle_status.feed_error is 'Last error of the feed.';
comment on column candle_status.feed_error_at is 'When feed_error occurred.';
comment on column candle_status.newest_prediction is 'candle_time of the newest prediction.';
