create or replace function aggregate_predictions_hourly(for_symbol text, from_hour timestamptz, to_hour timestamptz)
returns setof predictions_hourly
language sql
stable parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
select
    symbol,
    ensemble_id,
    horizon,
    date_bin('1 hour', candle_time, timestamptz '2000-01-01 00:00:00+00'),
    count(*)::integer,
    (count(*) filter (where abstained))::integer,
    count(actual_return)::integer,
    count(direction_hit)::integer,
    (count(*) filter (where actual_return > 0))::integer,
    (count(*) filter (where direction_hit))::integer,
    count(interval_hit)::integer,
    (count(*) filter (where interval_hit))::integer,
    coalesce(sum(error ^ 2), 0),
    coalesce(sum(actual_return ^ 2), 0),
    (count(*) filter (where direction_hit is not null and probability_up is not null))::integer,
    coalesce(
        sum((probability_up - (actual_return > 0)::integer) ^ 2) filter (where direction_hit is not null), 0
    )
from public.prediction_outcomes
where symbol = for_symbol and candle_time >= from_hour and candle_time < to_hour
group by 1, 2, 3, 4
$$;
alter function aggregate_predictions_hourly(text, timestamptz, timestamptz) owner to candlecast_owner;
revoke all on function aggregate_predictions_hourly(text, timestamptz, timestamptz) from public;
grant execute on function aggregate_predictions_hourly(text, timestamptz, timestamptz)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function aggregate_predictions_hourly(text, timestamptz, timestamptz) is
'The rows of predictions_hourly for [from_hour, to_hour), computed from the predictions as they
are now.';
