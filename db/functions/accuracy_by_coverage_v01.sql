-- accuracy_by_coverage: how often the most confident predictions were right; what abstaining would have brought.
--
-- Meaning  coverage is the percentage of predictions kept, those with the largest |probability_up - 0.5|, of equal ones
--          the earlier; margin is the smallest |probability_up - 0.5| among them: min_confidence set to it keeps them.
-- Grain    one row per symbol, ensemble, horizon and coverage (100, 50, 20, 10, 5), over stored predictions with a
--          probability and an outcome; returns of 0 have no direction and do not count.
-- Units    accuracy, low and high are fractions. [low, high] is Wilson's (1927) 95 % interval. Outcomes of h minutes
--          overlap, so it counts as if only every h-th row were one: rows / horizon. That is conservative.
create or replace view accuracy_by_coverage as
with outcomes as (
    select
        symbol,
        ensemble_id,
        horizon,
        direction_hit,
        abs(probability_up - 0.5) as margin,
        row_number() over (w_ranked) as place,
        count(*) over (partition by symbol, ensemble_id, horizon) as total
    from public.prediction_outcomes
    where direction_hit is not null and probability_up is not null
    window w_ranked as (
        partition by symbol, ensemble_id, horizon order by abs(probability_up - 0.5) desc, candle_time
    )
),
kept as (
    select
        outcomes.symbol,
        outcomes.ensemble_id,
        outcomes.horizon,
        coverages.coverage,
        min(outcomes.margin) as margin,
        count(*) as rows,
        count(*) filter (where outcomes.direction_hit) as hits
    from (values (100), (50), (20), (10), (5)) as coverages (coverage)
    inner join outcomes on outcomes.place <= ceil(outcomes.total * coverages.coverage / 100.0)
    group by outcomes.symbol, outcomes.ensemble_id, outcomes.horizon, coverages.coverage
),
scored as (
    select
        kept.*,
        kept.hits::double precision / kept.rows as accuracy,
        1.959963984540054 ^ 2 * kept.horizon / kept.rows as z2_over_n -- z^2 / effective rows
    from kept
)
select
    symbol,
    ensemble_id,
    horizon,
    coverage,
    margin,
    rows,
    hits,
    accuracy,
    (accuracy + z2_over_n / 2 - sqrt(z2_over_n * (accuracy * (1 - accuracy) + z2_over_n / 4))) / (1 + z2_over_n) as low,
    (accuracy + z2_over_n / 2 + sqrt(z2_over_n * (accuracy * (1 - accuracy) + z2_over_n / 4))) / (1 + z2_over_n) as high
from scored;
alter view accuracy_by_coverage owner to candlecast_owner;
grant select on accuracy_by_coverage to candlecast_trainer, candlecast_operator, candlecast_reader;
