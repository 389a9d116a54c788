-- candlecast/core/freshness.py has the same figures for the page and the alerts; a test compares them.
create or replace view freshness_limits as
select
    75 as late_seconds,
    180 as missing_seconds;
alter view freshness_limits owner to candlecast_owner;
grant select on freshness_limits to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view freshness_limits is
'When a candle, a run or a prediction is late or missing, in seconds since the end of the minute
or the start of the run: one row.';
comment on column freshness_limits.late_seconds is 'Late from this age on, in seconds.';
comment on column freshness_limits.missing_seconds is 'Missing from this age on, in seconds.';
