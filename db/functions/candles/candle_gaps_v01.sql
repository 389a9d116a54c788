create or replace function candle_gaps(for_symbol text, from_time timestamptz, to_time timestamptz)
returns table (first_missing timestamptz, last_missing timestamptz, minutes bigint)
language sql
stable parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
with bounds as (
    select
        date_bin('1 minute', from_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as start,
        date_bin('1 minute', to_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as stop
),
edges as (
    select start - interval '1 minute' as open_time from bounds
    union all
    select candle.open_time
    from public.candles_1m as candle
    where
        candle.symbol = for_symbol
        and candle.open_time >= (select start from bounds) and candle.open_time < (select stop from bounds)
    union all
    select stop from bounds
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
comment on function candle_gaps(text, timestamptz, timestamptz) is
'Missing minutes of a symbol in [from_time, to_time): one row per gap, with the open_times of its
first and last missing minute and their number. A range without any candle is one gap. No rows
if from_time is not before to_time.';
