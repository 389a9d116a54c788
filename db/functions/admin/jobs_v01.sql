-- pg_cron's jobs and their times (UTC). cron.job lists them, cron.job_run_details has their results.
--
-- candlecast-inference            predictions, every minute
-- candlecast-aggregate            hourly sums of predictions and runs
-- candlecast-evaluate             the daily A/B evaluation
-- candlecast-drift, -consistency  measurements of the previous day
-- candlecast-prune, -prune-measurements  nightly deletion of rows that are older than the settings keep_* allow
--
-- This file runs only in pg_cron's own database (cron.database_name). The jobs run as candlecast_cron.
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
