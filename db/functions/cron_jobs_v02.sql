-- cron_jobs: inference every minute, the A/B evaluation at 00:10 UTC, and a daily pruning of logs that are over 30 days old.
--
-- Runs only in pg_cron's own database (cron.database_name); the jobs run as candlecast_cron. Scheduled again, a job stays one.
select cron.schedule_in_database(
    'candlecast-inference', '* * * * *', 'call public.run_inference()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-evaluate', '10 0 * * *', 'select public.evaluate_ab()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-prune',
    '41 2 * * *',
    $job$
    delete from cron.job_run_details where end_time < now() - interval '30 days';
    delete from public.inference_runs where started_at < now() - interval '30 days';
    $job$,
    current_database(),
    'candlecast_cron'
);
