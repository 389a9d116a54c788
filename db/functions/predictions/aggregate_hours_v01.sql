-- It commits, so it can have neither SET nor SECURITY DEFINER, and every name is qualified.
create or replace procedure aggregate_hours(from_time timestamptz default null)
language plpgsql
security invoker
as $$
declare
    zero constant timestamptz := '2000-01-01 00:00:00+00';
    ends_at constant timestamptz := pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - interval '6 minutes', zero);
    lookback constant interval := case
        when extract(hour from pg_catalog.clock_timestamp() at time zone 'UTC') = 0 then interval '30 hours'
        else interval '3 hours'
    end;
    each_symbol text;
    oldest timestamptz;
    start_hour timestamptz;
    stop_hour timestamptz;
begin
    for each_symbol, oldest in select s.symbol, s.first_candle_time from public.predicted_symbols as s loop
        select pg_catalog.date_bin('1 hour', greatest(coalesce(from_time, max(h.hour) - lookback), oldest), zero)
        into start_hour
        from public.predictions_hourly as h where h.symbol = each_symbol;
        while start_hour < ends_at loop
            stop_hour := least(start_hour + interval '1 day', ends_at);
            perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('candlecast aggregate_hours', 0));
            delete from public.predictions_hourly as h
            where h.symbol = each_symbol and h.hour >= start_hour and h.hour < stop_hour;
            insert into public.predictions_hourly
            select * from public.aggregate_predictions_hourly(each_symbol, start_hour, stop_hour);
            commit;
            start_hour := stop_hour;
        end loop;
    end loop;
    select pg_catalog.date_bin('1 hour', greatest(
        coalesce(from_time, (select max(h.hour) from public.runs_hourly as h) - lookback),
        (select min(r.started_at) from public.inference_runs as r)
    ), zero) into start_hour;
    while start_hour < ends_at loop
        stop_hour := least(start_hour + interval '1 day', ends_at);
        perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('candlecast aggregate_hours', 0));
        delete from public.runs_hourly as h where h.hour >= start_hour and h.hour < stop_hour;
        insert into public.runs_hourly select * from public.aggregate_runs_hourly(start_hour, stop_hour);
        commit;
        start_hour := stop_hour;
    end loop;
end
$$;
alter procedure aggregate_hours(timestamptz) owner to candlecast_owner;
revoke all on procedure aggregate_hours(timestamptz) from public;
grant execute on procedure aggregate_hours(timestamptz) to candlecast_cron, candlecast_operator;
comment on procedure aggregate_hours(timestamptz) is
'Updates predictions_hourly and runs_hourly; pg_cron calls it hourly. It recomputes each complete
hour since from_time, one day of a symbol per transaction. from_time null: since three hours
before the newest stored hour (late outcomes), since 30 hours in the first run of a day (filled
gaps), or everything if nothing is stored. Hours whose predictions are pruned stay as they are.
An hour is left out until six minutes after its end.';
