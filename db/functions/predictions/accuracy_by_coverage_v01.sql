create or replace view accuracy_by_coverage as
with ranked as (
    select
        symbol,
        ensemble_id,
        horizon,
        direction_hit,
        abs(probability_up - 0.5) as margin,
        row_number() over (
            partition by symbol, ensemble_id, horizon order by abs(probability_up - 0.5) desc, candle_time
        ) as place,
        count(*) over (partition by symbol, ensemble_id, horizon) as total
    from public.prediction_outcomes
    where direction_hit is not null and probability_up is not null and created_at < target_time + interval '1 minute'
),
kept as (
    select
        ranked.symbol,
        ranked.ensemble_id,
        ranked.horizon,
        coverages.coverage,
        min(ranked.margin) as margin,
        count(*) as rows,
        count(*) filter (where ranked.direction_hit) as hits
    from (values (100), (50), (20), (10), (5)) as coverages (coverage)
    inner join ranked on (ranked.place - 1) * 100 < ranked.total * coverages.coverage
    group by ranked.symbol, ranked.ensemble_id, ranked.horizon, coverages.coverage
)
select
    kept.symbol,
    kept.ensemble_id,
    kept.horizon,
    kept.coverage,
    kept.margin,
    kept.rows,
    kept.hits,
    score.accuracy,
    bounds.low,
    bounds.high
from kept
cross join lateral (values (kept.hits / kept.rows::double precision)) as score (accuracy)
cross join public.wilson_interval(score.accuracy, kept.rows / kept.horizon::double precision) as bounds;
alter view accuracy_by_coverage owner to candlecast_owner;
grant select on accuracy_by_coverage to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view accuracy_by_coverage is
'Direction accuracy of the most confident predictions: one row per symbol, ensemble, horizon and
coverage. It counts predictions with a probability that were stored before their outcome was
known.';
comment on column accuracy_by_coverage.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column accuracy_by_coverage.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column accuracy_by_coverage.horizon is 'Minutes ahead, 1 to 5.';
comment on column accuracy_by_coverage.coverage is
'Percentage of predictions kept, the most confident first: 100, 50, 20, 10 or 5.';
comment on column accuracy_by_coverage.margin is
'Smallest |probability_up - 0.5| among them. As min_confidence it keeps these predictions.';
comment on column accuracy_by_coverage.rows is 'Predictions whose return is known and not 0.';
comment on column accuracy_by_coverage.hits is 'Predictions with the right direction.';
comment on column accuracy_by_coverage.accuracy is 'Direction accuracy, hits / rows, a fraction.';
comment on column accuracy_by_coverage.low is
'Lower end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';
comment on column accuracy_by_coverage.high is
'Upper end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';
