-- accuracy_24h: how often each live ensemble was right in the last 24 hours, to the minute.
--
-- Grain    one row per ensemble that is active, on test or in shadow, and horizon, over predictions that were stored before
--          their outcome was known and whose price moved.
-- Units    accuracy, low and high are fractions. [low, high] is wilson_interval's, of rows / horizon trials.
create or replace view accuracy_24h as
with counted as (
    select
        ensemble.symbol,
        ensemble.id as ensemble_id,
        ensemble.state,
        outcome.horizon,
        count(*) as rows,
        count(*) filter (where outcome.direction_hit) as hits
    from public.active_ensembles as ensemble
    inner join public.prediction_outcomes as outcome
        on
            ensemble.symbol = outcome.symbol
            and ensemble.id = outcome.ensemble_id
            and outcome.candle_time >= now() - interval '24 hours'
    where
        ensemble.state in ('active', 'test', 'shadow')
        and outcome.direction_hit is not null
        and outcome.created_at < outcome.target_time + interval '1 minute'
    group by ensemble.symbol, ensemble.id, ensemble.state, outcome.horizon
)
select
    counted.symbol,
    counted.ensemble_id,
    counted.state,
    counted.horizon,
    counted.rows,
    counted.hits,
    score.accuracy,
    bounds.low,
    bounds.high
from counted
cross join lateral (values (counted.hits / counted.rows::double precision)) as score (accuracy)
cross join public.wilson_interval(score.accuracy, counted.rows / counted.horizon::double precision) as bounds;
alter view accuracy_24h owner to candlecast_owner;
grant select on accuracy_24h to candlecast_trainer, candlecast_operator, candlecast_reader;
