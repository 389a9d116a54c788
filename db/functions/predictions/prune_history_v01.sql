-- prune_history(batch): deletes what the settings keep_* no longer keep, `batch` rows in a transaction; daily by pg_cron.
--
-- Rule     predictions by candle_time, whole hours, and only such that aggregate_hours() has added up; inference_runs by
--          started_at, likewise; pg_cron's own log of this database's jobs by end_time. A setting of none keeps all.
-- Limits   as run_inference's: it commits, so it runs with its caller's rights and every name is qualified.
create or replace procedure prune_history(batch integer default 10000)
language plpgsql
security invoker
as $$
declare
    zero constant timestamptz := '2000-01-01 00:00:00+00';
    keep_predictions constant interval := nullif(public.ml_setting('keep_predictions'), 'none')::interval;
    keep_runs constant interval := nullif(public.ml_setting('keep_runs'), 'none')::interval;
    until timestamptz;
    whose text;
    gone bigint;
begin
    for whose in select s.symbol from public.predicted_symbols as s loop
        select least(
            pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - keep_predictions, zero),
            max(h.hour) + interval '1 hour'
        ) into until
        from public.predictions_hourly as h where h.symbol = whose having count(*) > 0 and keep_predictions is not null;
        loop
            delete from public.predictions as old using (
                select p.id from public.predictions as p
                where p.symbol = whose and p.candle_time < until order by p.candle_time limit batch
            ) as batched
            where old.id = batched.id;
            get diagnostics gone = row_count;
            commit;
            exit when gone < batch;
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
        get diagnostics gone = row_count;
        commit;
        exit when gone < batch;
    end loop;
    if keep_runs is not null and pg_catalog.to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < $1' using pg_catalog.clock_timestamp() - keep_runs;
    end if;
end
$$;
alter procedure prune_history(integer) owner to candlecast_owner;
revoke all on procedure prune_history(integer) from public;
grant execute on procedure prune_history(integer) to candlecast_cron;
