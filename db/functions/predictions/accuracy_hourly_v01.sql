create or replace view accuracy_hourly as
with summed as (
    select * from public.predictions_hourly
    union all
    select fresh.*
    from public.predicted_symbols as predicted
    cross join lateral (
        select coalesce(max(done.hour) + interval '1 hour', predicted.first_candle_time) as since
        from public.predictions_hourly as done where done.symbol = predicted.symbol
    ) as newest
    cross join public.aggregate_predictions_hourly(
        predicted.symbol, newest.since, predicted.newest_candle_time + interval '1 minute'
    ) as fresh
    where predicted.symbol = fresh.symbol -- so that a condition on symbol computes only that symbol
)
select
    summed.symbol,
    summed.ensemble_id,
    summed.horizon,
    summed.hour,
    summed.predictions,
    summed.outcomes,
    summed.moved,
    summed.rose,
    summed.hits,
    score.accuracy,
    bounds.low,
    bounds.high,
    summed.abstained,
    summed.interval_rows,
    summed.interval_hits,
    summed.brier / nullif(summed.brier_rows, 0) as brier,
    sqrt(summed.squared_error / nullif(summed.outcomes, 0)) as rmse
from summed
cross join lateral (values (
    summed.hits / nullif(summed.moved, 0)::double precision, summed.moved / summed.horizon::double precision
)) as score (accuracy, trials)
cross join public.wilson_interval(score.accuracy, score.trials) as bounds;
alter view accuracy_hourly owner to candlecast_owner;
grant select on accuracy_hourly to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view accuracy_hourly is
'Hourly accuracy over the whole history: one row per symbol, ensemble, horizon and hour, from
predictions_hourly and the newer predictions. Filter by hour. For longer periods sum
predictions, moved and hits.';
comment on column accuracy_hourly.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column accuracy_hourly.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column accuracy_hourly.horizon is 'Minutes ahead, 1 to 5.';
comment on column accuracy_hourly.hour is 'Start of the hour of candle_time.';
comment on column accuracy_hourly.predictions is 'Number of predictions.';
comment on column accuracy_hourly.outcomes is 'Predictions whose outcome is known.';
comment on column accuracy_hourly.moved is 'Outcomes with a return that is not 0.';
comment on column accuracy_hourly.rose is 'Outcomes with a return above 0.';
comment on column accuracy_hourly.hits is 'Predictions with the right direction, out of moved.';
comment on column accuracy_hourly.accuracy is 'Direction accuracy, hits / moved, a fraction.';
comment on column accuracy_hourly.low is
'Lower end of the 95 % Wilson interval of accuracy, for moved / horizon trials.';
comment on column accuracy_hourly.high is
'Upper end of the 95 % Wilson interval of accuracy, for moved / horizon trials.';
comment on column accuracy_hourly.abstained is 'Predictions that abstained.';
comment on column accuracy_hourly.interval_rows is 'Outcomes with a prediction interval.';
comment on column accuracy_hourly.interval_hits is 'Outcomes with the price inside the interval.';
comment on column accuracy_hourly.brier is 'Mean Brier score of the moved outcomes that have a probability.';
comment on column accuracy_hourly.rmse is 'Root mean squared error of the predicted log returns.';
