-- monitoring_jobs: drift and consistency of the day before, at 00:20 UTC; at night measurements past keep_measurements go.
--
-- Runs only in pg_cron's own database (cron.database_name); the jobs run as candlecast_cron.
select cron.schedule_in_database(
    'candlecast-drift', '20 0 * * *', 'select public.measure_drift()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-consistency', '20 0 * * *', 'select public.check_consistency()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-prune-measurements', '43 2 * * *', 'select public.prune_measurements()', current_database(), 'candlecast_cron'
);
