create table predictions_hourly (
    symbol text not null,
    ensemble_id bigint references active_ensembles (id),
    horizon smallint not null,
    hour timestamptz not null,
    predictions integer not null,
    abstained integer not null,
    outcomes integer not null,
    moved integer not null,
    rose integer not null,
    hits integer not null,
    interval_rows integer not null,
    interval_hits integer not null,
    squared_error double precision not null,
    squared_return double precision not null,
    brier_rows integer not null,
    brier double precision not null,
    unique nulls not distinct (symbol, ensemble_id, horizon, hour)
);
create index predictions_hourly_by_hour on predictions_hourly (hour);
alter table predictions_hourly owner to candlecast_owner;
grant select on predictions_hourly to candlecast_trainer, candlecast_operator, candlecast_reader;
grant select, insert, delete on predictions_hourly to candlecast_cron;
comment on table predictions_hourly is
'Hourly sums of predictions and their outcomes, kept when the predictions are pruned: one row per
symbol, ensemble, horizon and hour of candle_time. aggregate_hours() writes an hour when it is
over and its outcomes are known; accuracy_hourly also has newer ones.';
comment on column predictions_hourly.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column predictions_hourly.ensemble_id is
'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';
comment on column predictions_hourly.horizon is 'Minutes ahead, 1 to 5.';
comment on column predictions_hourly.hour is 'Start of the hour of candle_time.';
comment on column predictions_hourly.predictions is 'Number of predictions.';
comment on column predictions_hourly.abstained is 'Predictions that abstained.';
comment on column predictions_hourly.outcomes is 'Predictions whose outcome is known.';
comment on column predictions_hourly.moved is 'Outcomes with a return that is not 0.';
comment on column predictions_hourly.rose is 'Outcomes with a return above 0.';
comment on column predictions_hourly.hits is 'Predictions with the right direction, out of moved.';
comment on column predictions_hourly.interval_rows is 'Outcomes with a prediction interval.';
comment on column predictions_hourly.interval_hits is 'Outcomes with the price inside the interval.';
comment on column predictions_hourly.squared_error is 'Sum over outcomes of (predicted - actual log return)^2.';
comment on column predictions_hourly.squared_return is 'Sum over outcomes of the squared actual log return.';
comment on column predictions_hourly.brier_rows is 'Moved outcomes that have a probability.';
comment on column predictions_hourly.brier is
'Sum over brier_rows of (probability_up - (1 if the price rose, else 0))^2.';
