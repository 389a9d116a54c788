-- latest_predictions: the newest stored forecast of each symbol's active ensemble.
--
-- Grain    one row per symbol and horizon. Reads what is stored; predict_now() also predicts.
create or replace view latest_predictions as
select
    predictions.symbol,
    predictions.candle_time,
    predictions.target_time,
    predictions.horizon,
    predictions.reference_close,
    predictions.predicted_close,
    predictions.predicted_price,
    predictions.mamba_close,
    predictions.lgbm_close,
    predictions.confidence,
    predictions.ensemble_id,
    predictions.created_at,
    predictions.probability_up,
    predictions.lower_price,
    predictions.upper_price,
    predictions.abstained,
    predictions.out_of_distribution,
    predictions.furthest_feature
from public.active_ensembles
cross join lateral (
    select newest.candle_time
    from public.predictions as newest
    where newest.symbol = active_ensembles.symbol and newest.ensemble_id = active_ensembles.id
    order by newest.candle_time desc
    limit 1
) as latest
inner join public.predictions
    on
        active_ensembles.symbol = predictions.symbol
        and active_ensembles.id = predictions.ensemble_id
        and latest.candle_time = predictions.candle_time
where active_ensembles.is_active;
alter view latest_predictions owner to candlecast_owner;
grant select on latest_predictions to candlecast_trainer, candlecast_operator, candlecast_reader;
