-- jobs: what pg_cron calls, and when (UTC). cron.job lists them beside how each went, cron.job_run_details.
--
-- candlecast-inference            the minute's predictions
-- candlecast-aggregate            hourly sums of predictions and runs
-- candlecast-evaluate             the daily A/B evaluation
-- candlecast-drift, -consistency  measurements of the day before
-- candlecast-prune, -prune-measurements  what the settings keep_* no longer keep is deleted each night
--
-- Runs only in pg_cron's own database (cron.database_name); the jobs run as candlecast_cron.
grant usage on schema cron to candlecast_cron;
select cron.schedule_in_database(
    'candlecast-inference', '* * * * *', 'call public.run_inference()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-aggregate', '11 * * * *', 'call public.aggregate_hours()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-evaluate', '10 0 * * *', 'select public.evaluate_ab()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-drift', '20 0 * * *', 'select public.measure_drift()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-consistency', '20 0 * * *', 'select public.check_consistency()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-prune', '41 2 * * *', 'call public.prune_history()', current_database(), 'candlecast_cron'
);
select cron.schedule_in_database(
    'candlecast-prune-measurements', '43 2 * * *', 'select public.prune_measurements()', current_database(), 'candlecast_cron'
);
