-- ensemble_leaderboard: how often each ensemble was right lately, best first within symbol, window and horizon.
--
-- Grain    one row per symbol, window (1 h, 24 h, 7 d before the end of the symbol's newest closed candle), horizon and
--          ensemble that predicted in it. Windows go by candle_time; minutes that its models were fitted on do not count.
-- Units    accuracy, low and high are fractions, over prices that moved. [low, high] is
--          wilson_interval's, of rows / horizon trials. Ensembles share their minutes only where rows are
--          equal: ab_status and ab_evaluations compare them minute by minute.
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
unseen as materialized (
    select
        id as ensemble_id,
        public.out_of_sample_from(id) as out_of_sample_from
    from public.active_ensembles
),
counted as (
    select
        live.symbol,
        windows.window_length,
        seen.*
    from live
    cross join (values (interval '1 hour'), (interval '24 hours'), (interval '7 days')) as windows (window_length)
    cross join lateral ( -- added up inside, so that each window is read by the index however many predictions there are
        select
            outcome.horizon,
            outcome.ensemble_id,
            count(*) as rows,
            count(*) filter (where outcome.direction_hit) as hits
        from public.prediction_outcomes as outcome
        inner join unseen on outcome.ensemble_id = unseen.ensemble_id and outcome.candle_time >= unseen.out_of_sample_from
        where
            outcome.symbol = live.symbol
            and outcome.candle_time >= live.ends_at - windows.window_length and outcome.candle_time < live.ends_at
            and outcome.direction_hit is not null
        group by outcome.horizon, outcome.ensemble_id
    ) as seen
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
