-- freshness_limits: from how many seconds on a candle, a run and a prediction are late, and missing.
--
-- Grain    one row.
-- Columns  late_seconds and missing_seconds: since the end of the minute, or since the run began. symbol_health and health()
--          judge by them; candlecast/core/freshness.py has the same for the page and the alerts, and tests hold both together.
create or replace view freshness_limits as
select
    75 as late_seconds,
    180 as missing_seconds;
alter view freshness_limits owner to candlecast_owner;
grant select on freshness_limits to candlecast_trainer, candlecast_operator, candlecast_reader;
