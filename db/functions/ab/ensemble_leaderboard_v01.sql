create or replace view ensemble_leaderboard as
with live as (
    select
        symbols.symbol,
        newest.open_time + interval '1 minute' as ends_at
    from (select distinct symbol from public.active_ensembles) as symbols
    cross join lateral (
        select candle.open_time
        from public.candles_1m as candle
        where candle.symbol = symbols.symbol and candle.open_time <= statement_timestamp() - interval '1 minute'
        order by candle.open_time desc
        limit 1
    ) as newest
),
out_of_sample as materialized (
    select
        id as ensemble_id,
        public.out_of_sample_from(id) as out_of_sample_from
    from public.active_ensembles
),
counted as (
    select
        live.symbol,
        windows.window_length,
        counts.*
    from live
    cross join (values (interval '1 hour'), (interval '24 hours'), (interval '7 days')) as windows (window_length)
    cross join lateral ( -- aggregated inside, so that the index reads the window and nothing else
        select
            outcome.horizon,
            outcome.ensemble_id,
            count(*) as rows,
            count(*) filter (where outcome.direction_hit) as hits
        from public.prediction_outcomes as outcome
        inner join out_of_sample
            on outcome.ensemble_id = out_of_sample.ensemble_id and outcome.candle_time >= out_of_sample.out_of_sample_from
        where
            outcome.symbol = live.symbol
            and outcome.candle_time >= live.ends_at - windows.window_length and outcome.candle_time < live.ends_at
            and outcome.direction_hit is not null
        group by outcome.horizon, outcome.ensemble_id
    ) as counts
),
scored as (
    select
        *,
        hits / rows::double precision as accuracy
    from counted
)
select
    scored.symbol,
    case scored.window_length when interval '1 hour' then '1 h' when interval '24 hours' then '24 h' else '7 d' end
        as time_window,
    scored.horizon,
    rank() over (
        partition by scored.symbol, scored.window_length, scored.horizon order by scored.accuracy desc
    ) as place,
    scored.ensemble_id,
    ensemble.state,
    scored.rows,
    scored.hits,
    scored.accuracy,
    bounds.low,
    bounds.high
from scored
inner join public.active_ensembles as ensemble on scored.ensemble_id = ensemble.id
cross join public.wilson_interval(scored.accuracy, scored.rows / scored.horizon::double precision) as bounds
order by scored.symbol, scored.window_length, scored.horizon, place, scored.ensemble_id;
alter view ensemble_leaderboard owner to candlecast_owner;
grant select on ensemble_leaderboard to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view ensemble_leaderboard is
'Direction accuracy of the ensembles, best first: one row per symbol, time window, horizon and
ensemble that predicted in it. Only out-of-sample minutes count. Ensembles share their minutes
only if rows are equal: ab_status compares them minute by minute.';
comment on column ensemble_leaderboard.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column ensemble_leaderboard.time_window is
'1 h, 24 h or 7 d before the end of the symbol''s newest closed candle.';
comment on column ensemble_leaderboard.horizon is 'Minutes ahead, 1 to 5.';
comment on column ensemble_leaderboard.place is 'Rank by accuracy, 1 is the best.';
comment on column ensemble_leaderboard.ensemble_id is 'Ensemble, active_ensembles.id.';
comment on column ensemble_leaderboard.state is 'State of the ensemble now.';
comment on column ensemble_leaderboard.rows is 'Predictions whose return is known and not 0.';
comment on column ensemble_leaderboard.hits is 'Predictions with the right direction.';
comment on column ensemble_leaderboard.accuracy is 'Direction accuracy, hits / rows, a fraction.';
comment on column ensemble_leaderboard.low is
'Lower end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';
comment on column ensemble_leaderboard.high is
'Upper end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';
