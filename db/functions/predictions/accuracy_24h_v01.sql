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
comment on view accuracy_24h is
'Direction accuracy over the last 24 hours: one row per horizon and ensemble that is active, on
test or in shadow. It counts predictions that were stored before their outcome was known.';
comment on column accuracy_24h.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column accuracy_24h.ensemble_id is 'Ensemble, active_ensembles.id.';
comment on column accuracy_24h.state is 'active, test or shadow.';
comment on column accuracy_24h.horizon is 'Minutes ahead, 1 to 5.';
comment on column accuracy_24h.rows is 'Predictions whose return is known and not 0.';
comment on column accuracy_24h.hits is 'Predictions with the right direction.';
comment on column accuracy_24h.accuracy is 'Direction accuracy, hits / rows, a fraction.';
comment on column accuracy_24h.low is 'Lower end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';
comment on column accuracy_24h.high is 'Upper end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';
