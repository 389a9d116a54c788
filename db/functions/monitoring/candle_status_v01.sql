-- candle_status: how fresh and how whole each symbol's candles are, and who feeds them.
--
-- Grain    one row per symbol that has candles or a row in feed_status.
-- Columns  newest is the newest candle that does not lie in the future; age is how long ago it ended. missing_24h counts
--          minutes without a candle, and gaps_24h the stretches that they form, among those that ended in the last 24
--          hours, ten seconds ago or earlier, and are not before the oldest candle; null where there is none. feed_state
--          is feed_status.state, 'silent' where a feed that did not say 'stopped' has not been heard of for a minute,
--          null where no feed ever was; feed_error is its last error and feed_error_at when that was. newest_prediction
--          is a candle_time.
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
