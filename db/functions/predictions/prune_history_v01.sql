-- It commits, so it can have neither SET nor SECURITY DEFINER, and every name is qualified.
create or replace procedure prune_history(batch integer default 10000)
language plpgsql
security invoker
as $$
declare
    zero constant timestamptz := '2000-01-01 00:00:00+00';
    keep_predictions constant interval := nullif(public.ml_setting('keep_predictions'), 'none')::interval;
    keep_runs constant interval := nullif(public.ml_setting('keep_runs'), 'none')::interval;
    until timestamptz;
    each_symbol text;
    deleted bigint;
begin
    for each_symbol in select s.symbol from public.predicted_symbols as s loop
        select least(
            pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - keep_predictions, zero),
            max(h.hour) + interval '1 hour'
        ) into until
        from public.predictions_hourly as h where h.symbol = each_symbol having count(*) > 0 and keep_predictions is not null;
        loop
            delete from public.predictions as old using (
                select p.id from public.predictions as p
                where p.symbol = each_symbol and p.candle_time < until order by p.candle_time limit batch
            ) as batched
            where old.id = batched.id;
            get diagnostics deleted = row_count;
            commit;
            exit when deleted < batch;
        end loop;
    end loop;
    select least(
        pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - keep_runs, zero), max(h.hour) + interval '1 hour'
    ) into until
    from public.runs_hourly as h having count(*) > 0 and keep_runs is not null;
    loop
        delete from public.inference_runs as old using (
            select r.id from public.inference_runs as r where r.started_at < until order by r.started_at limit batch
        ) as batched
        where old.id = batched.id;
        get diagnostics deleted = row_count;
        commit;
        exit when deleted < batch;
    end loop;
    if keep_runs is not null and pg_catalog.to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < $1' using pg_catalog.clock_timestamp() - keep_runs;
    end if;
end
$$;
alter procedure prune_history(integer) owner to candlecast_owner;
revoke all on procedure prune_history(integer) from public;
grant execute on procedure prune_history(integer) to candlecast_cron;
comment on procedure prune_history(integer) is
'Deletes predictions, inference_runs and pg_cron''s log that are older than keep_predictions and
keep_runs, `batch` rows per transaction; pg_cron calls it daily. Only hours that
aggregate_hours() has summed are deleted. A setting of none keeps everything.';
