-- candle_gaps(for_symbol, from_time, to_time): which minutes of [from_time, to_time) have no candle, as ranges.
--
-- Both edges count: a stretch without any candle is one gap. first_missing and last_missing are open_times; minutes is
-- how many there are. Nothing comes where from_time is not before to_time.
create or replace function candle_gaps(for_symbol text, from_time timestamptz, to_time timestamptz)
returns table (first_missing timestamptz, last_missing timestamptz, minutes bigint)
language sql
stable parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
with asked as (
    select
        date_bin('1 minute', from_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as start,
        date_bin('1 minute', to_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as stop
),
edges as (
    select start - interval '1 minute' as open_time from asked
    union all
    select candle.open_time
    from public.candles_1m as candle
    where
        candle.symbol = for_symbol
        and candle.open_time >= (select start from asked) and candle.open_time < (select stop from asked)
    union all
    select stop from asked
),
pairs as (
    select open_time, lead(open_time) over (order by open_time) as next_open_time from edges
)
select
    pairs.open_time + interval '1 minute',
    pairs.next_open_time - interval '1 minute',
    (extract(epoch from pairs.next_open_time - pairs.open_time) / 60)::bigint - 1
from pairs
where pairs.next_open_time > pairs.open_time + interval '1 minute' and from_time < to_time
order by pairs.open_time
$$;
alter function candle_gaps(text, timestamptz, timestamptz) owner to candlecast_owner;
revoke all on function candle_gaps(text, timestamptz, timestamptz) from public;
grant execute on function candle_gaps(text, timestamptz, timestamptz)
to candlecast_cron, candlecast_feeder, candlecast_trainer, candlecast_operator, candlecast_reader;
