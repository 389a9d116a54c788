-- evaluate_job: the A/B evaluation at 00:10 UTC.
--
-- Runs only in pg_cron's own database (cron.database_name); the job runs as candlecast_cron.
select cron.schedule_in_database(
    'candlecast-evaluate', '10 0 * * *', 'select public.evaluate_ab()', current_database(), 'candlecast_cron'
);
