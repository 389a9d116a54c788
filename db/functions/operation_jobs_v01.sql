-- operation_jobs: hourly sums, and what the settings keep_* no longer keep is deleted each night.
--
-- Runs only in pg_cron's own database (cron.database_name); the jobs run as candlecast_cron.
select cron.schedule_in_database(
    'candlecast-summarise', '11 * * * *', 'call public.summarise_hours()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-prune', '41 2 * * *', 'call public.prune_history()', current_database(), 'candlecast_cron'
);
