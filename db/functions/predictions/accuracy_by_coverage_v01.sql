-- accuracy_by_coverage: how often the most confident live predictions were right; what abstaining would have brought.
--
-- Meaning  coverage is the percentage of predictions kept, those with the largest |probability_up - 0.5|, of equal ones
--          the earlier; margin is the smallest |probability_up - 0.5| among them: min_confidence set to it keeps them.
-- Grain    one row per symbol, ensemble, horizon and coverage (100, 50, 20, 10, 5), over predictions with a
--          probability that were stored before their outcome was known: a replayed minute proves nothing.
--          Returns of 0 have no direction and do not count.
-- Units    accuracy, low and high are fractions. [low, high] is wilson_interval's, of rows / horizon trials, which is conservative.
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
