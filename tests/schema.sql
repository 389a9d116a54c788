-- pg_dump --schema-only on PostgreSQL 15, without SET and -- lines. Written by: make golden

CREATE EXTENSION IF NOT EXISTS plpython3u WITH SCHEMA pg_catalog;

COMMENT ON EXTENSION plpython3u IS 'PL/Python3U untrusted procedural language';

CREATE TYPE public.forecast AS (
	symbol text,
	candle_time timestamp with time zone,
	target_time timestamp with time zone,
	horizon smallint,
	reference_close double precision,
	predicted_close double precision,
	predicted_price double precision,
	mamba_close double precision,
	lgbm_close double precision,
	confidence double precision,
	ensemble_id bigint,
	probability_up double precision,
	lower_price double precision,
	upper_price double precision,
	abstained boolean,
	out_of_distribution boolean,
	furthest_feature text
);

ALTER TYPE public.forecast OWNER TO candlecast_owner;

COMMENT ON TYPE public.forecast IS 'One horizon of a forecast, as predict_now(), predict() and predict_range() return it. The
columns that need a calibration are null if the ensemble has none; abstained is then false.';

COMMENT ON COLUMN public.forecast.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.forecast.candle_time IS 'open_time of the newest candle that the prediction used.';

COMMENT ON COLUMN public.forecast.target_time IS 'candle_time + horizon: open_time of the candle whose close is predicted.';

COMMENT ON COLUMN public.forecast.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.forecast.reference_close IS 'Close at candle_time, in quote currency.';

COMMENT ON COLUMN public.forecast.predicted_close IS 'Predicted log return from reference_close to the close at target_time.';

COMMENT ON COLUMN public.forecast.predicted_price IS 'Predicted close at target_time, in quote currency.';

COMMENT ON COLUMN public.forecast.mamba_close IS 'Log return that the Mamba version predicts.';

COMMENT ON COLUMN public.forecast.lgbm_close IS 'Log return that the LightGBM version predicts.';

COMMENT ON COLUMN public.forecast.confidence IS 'How much the two models agree, 0 to 1. Not a probability.';

COMMENT ON COLUMN public.forecast.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.forecast.probability_up IS 'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';

COMMENT ON COLUMN public.forecast.lower_price IS 'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.forecast.upper_price IS 'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.forecast.abstained IS 'True if |probability_up - 0.5| is below the setting min_confidence.';

COMMENT ON COLUMN public.forecast.out_of_distribution IS 'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';

COMMENT ON COLUMN public.forecast.furthest_feature IS 'Feature furthest outside its training range. Null unless out_of_distribution.';

CREATE FUNCTION public.activate_ensemble(ensemble_id bigint) RETURNS void
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import activate_ensemble
activate_ensemble(plpy, GD, ensemble_id)
$$;

ALTER FUNCTION public.activate_ensemble(ensemble_id bigint) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.activate_ensemble(ensemble_id bigint) IS 'Makes an ensemble the active one of its symbol, after it was loaded and its test vectors passed.
Other sessions use it at their next call after COMMIT. ROLLBACK undoes it.';

CREATE PROCEDURE public.aggregate_hours(IN from_time timestamp with time zone DEFAULT NULL::timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
declare
    zero constant timestamptz := '2000-01-01 00:00:00+00';
    ends_at constant timestamptz := pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - interval '6 minutes', zero);
    lookback constant interval := case
        when extract(hour from pg_catalog.clock_timestamp() at time zone 'UTC') = 0 then interval '30 hours'
        else interval '3 hours'
    end;
    each_symbol text;
    oldest timestamptz;
    start_hour timestamptz;
    stop_hour timestamptz;
begin
    for each_symbol, oldest in select s.symbol, s.first_candle_time from public.predicted_symbols as s loop
        select pg_catalog.date_bin('1 hour', greatest(coalesce(from_time, max(h.hour) - lookback), oldest), zero)
        into start_hour
        from public.predictions_hourly as h where h.symbol = each_symbol;
        while start_hour < ends_at loop
            stop_hour := least(start_hour + interval '1 day', ends_at);
            perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('candlecast aggregate_hours', 0));
            delete from public.predictions_hourly as h
            where h.symbol = each_symbol and h.hour >= start_hour and h.hour < stop_hour;
            insert into public.predictions_hourly
            select * from public.aggregate_predictions_hourly(each_symbol, start_hour, stop_hour);
            commit;
            start_hour := stop_hour;
        end loop;
    end loop;
    select pg_catalog.date_bin('1 hour', greatest(
        coalesce(from_time, (select max(h.hour) from public.runs_hourly as h) - lookback),
        (select min(r.started_at) from public.inference_runs as r)
    ), zero) into start_hour;
    while start_hour < ends_at loop
        stop_hour := least(start_hour + interval '1 day', ends_at);
        perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('candlecast aggregate_hours', 0));
        delete from public.runs_hourly as h where h.hour >= start_hour and h.hour < stop_hour;
        insert into public.runs_hourly select * from public.aggregate_runs_hourly(start_hour, stop_hour);
        commit;
        start_hour := stop_hour;
    end loop;
end
$$;

ALTER PROCEDURE public.aggregate_hours(IN from_time timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON PROCEDURE public.aggregate_hours(IN from_time timestamp with time zone) IS 'Updates predictions_hourly and runs_hourly; pg_cron calls it hourly. It recomputes each complete
hour since from_time, one day of a symbol per transaction. from_time null: since three hours
before the newest stored hour (late outcomes), since 30 hours in the first run of a day (filled
gaps), or everything if nothing is stored. Hours whose predictions are pruned stay as they are.
An hour is left out until six minutes after its end.';

CREATE TABLE public.predictions_hourly (
    symbol text NOT NULL,
    ensemble_id bigint,
    horizon smallint NOT NULL,
    hour timestamp with time zone NOT NULL,
    predictions integer NOT NULL,
    abstained integer NOT NULL,
    outcomes integer NOT NULL,
    moved integer NOT NULL,
    rose integer NOT NULL,
    hits integer NOT NULL,
    interval_rows integer NOT NULL,
    interval_hits integer NOT NULL,
    squared_error double precision NOT NULL,
    squared_return double precision NOT NULL,
    brier_rows integer NOT NULL,
    brier double precision NOT NULL
);

ALTER TABLE public.predictions_hourly OWNER TO candlecast_owner;

COMMENT ON TABLE public.predictions_hourly IS 'Hourly sums of predictions and their outcomes, kept when the predictions are pruned: one row per
symbol, ensemble, horizon and hour of candle_time. aggregate_hours() writes an hour when it is
over and its outcomes are known; accuracy_hourly also has newer ones.';

COMMENT ON COLUMN public.predictions_hourly.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.predictions_hourly.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.predictions_hourly.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.predictions_hourly.hour IS 'Start of the hour of candle_time.';

COMMENT ON COLUMN public.predictions_hourly.predictions IS 'Number of predictions.';

COMMENT ON COLUMN public.predictions_hourly.abstained IS 'Predictions that abstained.';

COMMENT ON COLUMN public.predictions_hourly.outcomes IS 'Predictions whose outcome is known.';

COMMENT ON COLUMN public.predictions_hourly.moved IS 'Outcomes with a return that is not 0.';

COMMENT ON COLUMN public.predictions_hourly.rose IS 'Outcomes with a return above 0.';

COMMENT ON COLUMN public.predictions_hourly.hits IS 'Predictions with the right direction, out of moved.';

COMMENT ON COLUMN public.predictions_hourly.interval_rows IS 'Outcomes with a prediction interval.';

COMMENT ON COLUMN public.predictions_hourly.interval_hits IS 'Outcomes with the price inside the interval.';

COMMENT ON COLUMN public.predictions_hourly.squared_error IS 'Sum over outcomes of (predicted - actual log return)^2.';

COMMENT ON COLUMN public.predictions_hourly.squared_return IS 'Sum over outcomes of the squared actual log return.';

COMMENT ON COLUMN public.predictions_hourly.brier_rows IS 'Moved outcomes that have a probability.';

COMMENT ON COLUMN public.predictions_hourly.brier IS 'Sum over brier_rows of (probability_up - (1 if the price rose, else 0))^2.';

CREATE FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) RETURNS SETOF public.predictions_hourly
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
select
    symbol,
    ensemble_id,
    horizon,
    date_bin('1 hour', candle_time, timestamptz '2000-01-01 00:00:00+00'),
    count(*)::integer,
    (count(*) filter (where abstained))::integer,
    count(actual_return)::integer,
    count(direction_hit)::integer,
    (count(*) filter (where actual_return > 0))::integer,
    (count(*) filter (where direction_hit))::integer,
    count(interval_hit)::integer,
    (count(*) filter (where interval_hit))::integer,
    coalesce(sum(error ^ 2), 0),
    coalesce(sum(actual_return ^ 2), 0),
    (count(*) filter (where direction_hit is not null and probability_up is not null))::integer,
    coalesce(
        sum((probability_up - (actual_return > 0)::integer) ^ 2) filter (where direction_hit is not null), 0
    )
from public.prediction_outcomes
where symbol = for_symbol and candle_time >= from_hour and candle_time < to_hour
group by 1, 2, 3, 4
$$;

ALTER FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) IS 'The rows of predictions_hourly for [from_hour, to_hour), computed from the predictions as they
are now.';

CREATE TABLE public.runs_hourly (
    symbol text,
    ensemble_id bigint,
    status text NOT NULL,
    hour timestamp with time zone NOT NULL,
    runs integer NOT NULL,
    timed integer NOT NULL,
    latency_ms double precision NOT NULL,
    within_5 integer NOT NULL,
    within_10 integer NOT NULL,
    within_25 integer NOT NULL,
    within_50 integer NOT NULL,
    within_100 integer NOT NULL,
    within_250 integer NOT NULL,
    within_500 integer NOT NULL,
    within_1000 integer NOT NULL,
    within_5000 integer NOT NULL
);

ALTER TABLE public.runs_hourly OWNER TO candlecast_owner;

COMMENT ON TABLE public.runs_hourly IS 'Hourly sums of inference_runs, kept when the runs are pruned: one row per symbol, ensemble,
status and hour of started_at. Written by aggregate_hours().';

COMMENT ON COLUMN public.runs_hourly.symbol IS 'Market. Null if there was nothing to run.';

COMMENT ON COLUMN public.runs_hourly.ensemble_id IS 'Ensemble, active_ensembles.id.';

COMMENT ON COLUMN public.runs_hourly.status IS 'Status of the runs, see inference_runs.';

COMMENT ON COLUMN public.runs_hourly.hour IS 'Start of the hour of started_at.';

COMMENT ON COLUMN public.runs_hourly.runs IS 'Number of runs.';

COMMENT ON COLUMN public.runs_hourly.timed IS 'Runs that have a latency_ms.';

COMMENT ON COLUMN public.runs_hourly.latency_ms IS 'Sum of latency_ms, in milliseconds.';

COMMENT ON COLUMN public.runs_hourly.within_5 IS 'Runs with a latency of at most 5 ms.';

COMMENT ON COLUMN public.runs_hourly.within_10 IS 'Runs with a latency of at most 10 ms.';

COMMENT ON COLUMN public.runs_hourly.within_25 IS 'Runs with a latency of at most 25 ms.';

COMMENT ON COLUMN public.runs_hourly.within_50 IS 'Runs with a latency of at most 50 ms.';

COMMENT ON COLUMN public.runs_hourly.within_100 IS 'Runs with a latency of at most 100 ms.';

COMMENT ON COLUMN public.runs_hourly.within_250 IS 'Runs with a latency of at most 250 ms.';

COMMENT ON COLUMN public.runs_hourly.within_500 IS 'Runs with a latency of at most 500 ms.';

COMMENT ON COLUMN public.runs_hourly.within_1000 IS 'Runs with a latency of at most 1000 ms.';

COMMENT ON COLUMN public.runs_hourly.within_5000 IS 'Runs with a latency of at most 5000 ms.';

CREATE FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) RETURNS SETOF public.runs_hourly
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
select
    symbol,
    ensemble_id,
    status,
    date_bin('1 hour', started_at, timestamptz '2000-01-01 00:00:00+00'),
    count(*)::integer,
    count(latency_ms)::integer,
    coalesce(sum(latency_ms), 0),
    (count(*) filter (where latency_ms <= 5))::integer,
    (count(*) filter (where latency_ms <= 10))::integer,
    (count(*) filter (where latency_ms <= 25))::integer,
    (count(*) filter (where latency_ms <= 50))::integer,
    (count(*) filter (where latency_ms <= 100))::integer,
    (count(*) filter (where latency_ms <= 250))::integer,
    (count(*) filter (where latency_ms <= 500))::integer,
    (count(*) filter (where latency_ms <= 1000))::integer,
    (count(*) filter (where latency_ms <= 5000))::integer
from public.inference_runs
where started_at >= from_hour and started_at < to_hour and status <> 'running'
group by 1, 2, 3, 4
$$;

ALTER FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) IS 'The rows of runs_hourly for [from_hour, to_hour), computed from inference_runs as it is now,
without running runs.';

CREATE FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) RETURNS TABLE(first_missing timestamp with time zone, last_missing timestamp with time zone, minutes bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
with bounds as (
    select
        date_bin('1 minute', from_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as start,
        date_bin('1 minute', to_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as stop
),
edges as (
    select start - interval '1 minute' as open_time from bounds
    union all
    select candle.open_time
    from public.candles_1m as candle
    where
        candle.symbol = for_symbol
        and candle.open_time >= (select start from bounds) and candle.open_time < (select stop from bounds)
    union all
    select stop from bounds
),
pairs as (
    select open_time, lead(open_time) over (order by open_time) as next_open_time from edges
)
select
    pairs.open_time + interval '1 minute',
    pairs.next_open_time - interval '1 minute',
    (extract(epoch from pairs.next_open_time - pairs.open_time) / 60)::bigint - 1
from pairs
where pairs.next_open_time > pairs.open_time + interval '1 minute' and from_time < to_time
order by pairs.open_time
$$;

ALTER FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) IS 'Missing minutes of a symbol in [from_time, to_time): one row per gap, with the open_times of its
first and last missing minute and their number. A range without any candle is one gap. No rows
if from_time is not before to_time.';

CREATE TABLE public.consistency_checks (
    symbol text NOT NULL,
    day date NOT NULL,
    ensemble_id bigint,
    sampled integer NOT NULL,
    mismatches integer,
    corrected integer,
    worst double precision,
    tolerance double precision NOT NULL,
    example_time timestamp with time zone,
    cause text,
    reason text,
    checked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT consistency_checks_cause_check CHECK ((cause = ANY (ARRAY['unclear'::text, 'candle'::text]))),
    CONSTRAINT consistency_checks_check CHECK (((mismatches >= 0) AND (mismatches <= sampled))),
    CONSTRAINT consistency_checks_check1 CHECK (((corrected >= 0) AND (corrected <= mismatches))),
    CONSTRAINT consistency_checks_checked_or_why CHECK (((mismatches IS NULL) = (sampled = 0))),
    CONSTRAINT consistency_checks_example CHECK (((num_nulls(example_time, cause) =
CASE
    WHEN (mismatches > 0) THEN 0
    ELSE 2
END) AND ((reason IS NULL) = COALESCE((mismatches = 0), false)))),
    CONSTRAINT consistency_checks_sampled_check CHECK ((sampled >= 0)),
    CONSTRAINT consistency_checks_tolerance_check CHECK ((tolerance > (0)::double precision)),
    CONSTRAINT consistency_checks_worst_check CHECK ((worst >= (0)::double precision))
);

ALTER TABLE public.consistency_checks OWNER TO candlecast_owner;

COMMENT ON TABLE public.consistency_checks IS 'Daily consistency checks, a recomputation of stored predictions: one row per symbol, day (UTC,
of candle_time) and ensemble. mismatches must be 0. Written by check_consistency(). The figures
are null if reason says why nothing was recomputed.';

COMMENT ON COLUMN public.consistency_checks.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.consistency_checks.day IS 'Day (UTC) of candle_time.';

COMMENT ON COLUMN public.consistency_checks.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.consistency_checks.sampled IS 'Minutes that were recomputed, five horizons each. The same day has the same sample.';

COMMENT ON COLUMN public.consistency_checks.mismatches IS 'Sampled minutes that differ from the stored predictions by more than tolerance.';

COMMENT ON COLUMN public.consistency_checks.corrected IS 'Mismatches whose candles were changed or deleted since.';

COMMENT ON COLUMN public.consistency_checks.worst IS 'Largest difference, in scaled returns (of probability_up: in probability).';

COMMENT ON COLUMN public.consistency_checks.tolerance IS 'Largest difference that is accepted, same unit as worst.';

COMMENT ON COLUMN public.consistency_checks.example_time IS 'candle_time of one mismatch.';

COMMENT ON COLUMN public.consistency_checks.cause IS 'candle if all mismatches are corrected ones, else unclear.';

COMMENT ON COLUMN public.consistency_checks.reason IS 'Difference of the example, or why nothing was recomputed.';

COMMENT ON COLUMN public.consistency_checks.checked_at IS 'When it was checked.';

CREATE FUNCTION public.check_consistency(day date DEFAULT NULL::date) RETURNS SETOF public.consistency_checks
    LANGUAGE plpython3u SECURITY DEFINER ROWS 3
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "TimeZone" TO 'UTC'
    AS $$
from candlecast.server.consistency.check import check_consistency
return check_consistency(plpy, GD, day)
$$;

ALTER FUNCTION public.check_consistency(day date) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.check_consistency(day date) IS 'Recomputes 60 minutes of a day''s predictions (UTC; null: yesterday) for each ensemble that
predicted; returns the rows of consistency_checks that it stored or replaced. It reads the
features of the day once per symbol and loads the models.';

CREATE FUNCTION public.create_ensemble(mamba_version_id bigint, lgbm_version_id bigint, mamba_weight double precision DEFAULT 0.5, is_test boolean DEFAULT false, symbol text DEFAULT NULL::text, calibration text DEFAULT NULL::text, golden jsonb DEFAULT NULL::jsonb) RETURNS bigint
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import create_ensemble
return create_ensemble(
    plpy, GD, mamba_version_id, lgbm_version_id, mamba_weight, is_test, symbol, calibration, golden
)
$$;

ALTER FUNCTION public.create_ensemble(mamba_version_id bigint, lgbm_version_id bigint, mamba_weight double precision, is_test boolean, symbol text, calibration text, golden jsonb) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.create_ensemble(mamba_version_id bigint, lgbm_version_id bigint, mamba_weight double precision, is_test boolean, symbol text, calibration text, golden jsonb) IS 'Joins a Mamba and a LightGBM version to an ensemble; returns its id. The same arguments again
return the same id. mamba_weight null: the setting mamba_weight. symbol null: the symbol of both
versions. is_test: puts it on test, see test_ensemble(). calibration: text of calibration.json,
fitted for mamba_weight. golden: test vectors, raw windows with their outputs. Give both or
neither.';

CREATE FUNCTION public.data_metrics() RETURNS TABLE(name text, labels jsonb, value double precision, type text, help text)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
select
    figure.name,
    jsonb_build_object('symbol', candles.symbol) || figure.labels,
    figure.value,
    'gauge',
    figure.help
from public.candle_status as candles
cross join lateral (values
    ('ml_candles_missing_24h', '{}'::jsonb, candles.missing_24h::double precision, 'missing minutes in the last 24 hours'),
    (
        'ml_feed_state',
        jsonb_build_object('state', candles.feed_state),
        case when candles.feed_state is not null then 1 end,
        '1 for the current state of the feed'
    )
) as figure (name, labels, value, help)
where figure.value is not null
$$;

ALTER FUNCTION public.data_metrics() OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.data_metrics() IS 'The metrics of candles and feeds, a part of metrics().';

CREATE FUNCTION public.decayed_sums_add(sums double precision[], close double precision, gain double precision, loss double precision) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
begin
    return array[
        sums[1] * (2 / 3::double precision) + close,
        sums[2] * (7 / 8::double precision) + close,
        sums[3] * (29 / 31::double precision) + close,
        sums[4] * (13 / 14::double precision) + gain,
        sums[5] * (13 / 14::double precision) + loss
    ];
end
$$;

ALTER FUNCTION public.decayed_sums_add(sums double precision[], close double precision, gain double precision, loss double precision) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.decayed_sums_add(sums double precision[], close double precision, gain double precision, loss double precision) IS 'Adds a minute to the sums of decayed_sums(): each sum is multiplied by its decay, then the new
value is added.';

CREATE FUNCTION public.decayed_sums_remove(sums double precision[], close double precision, gain double precision, loss double precision) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
begin
    -- The weight of the oldest minute is decay ^ 148. Subtracting leaves a rounding error of about 1e-16 of what is
    -- subtracted. If that was over half of the gains or of the losses, the error could become the result: null makes
    -- PostgreSQL sum the window again. So a window without gains has exactly 0, and no sum is ever negative.
    return case
        when gain * (13 / 14::double precision) ^ 148 <= sums[4] / 2
            and loss * (13 / 14::double precision) ^ 148 <= sums[5] / 2
            then array[
                sums[1] - close * (2 / 3::double precision) ^ 148,
                sums[2] - close * (7 / 8::double precision) ^ 148,
                sums[3] - close * (29 / 31::double precision) ^ 148,
                sums[4] - gain * (13 / 14::double precision) ^ 148,
                sums[5] - loss * (13 / 14::double precision) ^ 148
            ]
    end;
end
$$;

ALTER FUNCTION public.decayed_sums_remove(sums double precision[], close double precision, gain double precision, loss double precision) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.decayed_sums_remove(sums double precision[], close double precision, gain double precision, loss double precision) IS 'Removes the oldest of 149 minutes from the sums of decayed_sums(). Null if rounding would
matter: PostgreSQL then sums the window again.';

CREATE TABLE public.ab_evaluations (
    id bigint NOT NULL,
    evaluated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    at_time timestamp with time zone NOT NULL,
    symbol text NOT NULL,
    active_id bigint,
    challenger_id bigint NOT NULL,
    role text NOT NULL,
    since timestamp with time zone,
    window_from timestamp with time zone NOT NULL,
    pairs integer NOT NULL,
    active_accuracy_1m double precision,
    challenger_accuracy_1m double precision,
    difference_1m double precision,
    difference_1m_low double precision,
    difference_1m_high double precision,
    active_only_right integer NOT NULL,
    challenger_only_right integer NOT NULL,
    mcnemar_p double precision,
    active_accuracy double precision,
    challenger_accuracy double precision,
    difference double precision,
    difference_low double precision,
    difference_high double precision,
    loss text,
    loss_difference double precision,
    loss_standard_error double precision,
    by_horizon jsonb NOT NULL,
    sequence_minutes integer NOT NULL,
    sequence_disagreements integer NOT NULL,
    sequence_difference double precision,
    sequence_low double precision,
    sequence_high double precision,
    promotion_margin double precision NOT NULL,
    promotion_guard text NOT NULL,
    decision text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT ab_evaluations_decision_check CHECK ((decision = ANY (ARRAY['promote'::text, 'roll_back'::text, 'retire'::text, 'refuse'::text, 'keep'::text]))),
    CONSTRAINT ab_evaluations_loss_check CHECK ((loss = ANY (ARRAY['brier'::text, 'squared_error'::text]))),
    CONSTRAINT ab_evaluations_role_check CHECK ((role = ANY (ARRAY['test'::text, 'shadow'::text])))
);

ALTER TABLE public.ab_evaluations OWNER TO candlecast_owner;

COMMENT ON TABLE public.ab_evaluations IS 'Evaluations of A/B tests and their decisions: one row per call of evaluate_ab() and challenger,
never changed. A challenger is an ensemble on test or in shadow. The window is the 24 hours of
candle_time before at_time; sequence_* start with the test. Differences are challenger minus
active, and accuracies are fractions of the minutes whose price moved.';

COMMENT ON COLUMN public.ab_evaluations.id IS 'Primary key.';

COMMENT ON COLUMN public.ab_evaluations.evaluated_at IS 'When the evaluation ran (server clock).';

COMMENT ON COLUMN public.ab_evaluations.at_time IS 'Time as of which it was decided: the end of the window (exclusive).';

COMMENT ON COLUMN public.ab_evaluations.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.ab_evaluations.active_id IS 'Active ensemble, active_ensembles.id. Null: none was active.';

COMMENT ON COLUMN public.ab_evaluations.challenger_id IS 'Challenger, active_ensembles.id.';

COMMENT ON COLUMN public.ab_evaluations.role IS 'State of the challenger: test or shadow.';

COMMENT ON COLUMN public.ab_evaluations.since IS 'First candle_time that both predicted since the test began.';

COMMENT ON COLUMN public.ab_evaluations.window_from IS 'Start of the 24-hour window.';

COMMENT ON COLUMN public.ab_evaluations.pairs IS 'Minutes of the window that both predicted and that have an outcome at horizon 1.';

COMMENT ON COLUMN public.ab_evaluations.active_accuracy_1m IS 'Direction accuracy of the active ensemble at horizon 1.';

COMMENT ON COLUMN public.ab_evaluations.challenger_accuracy_1m IS 'Direction accuracy of the challenger at horizon 1.';

COMMENT ON COLUMN public.ab_evaluations.difference_1m IS 'challenger_accuracy_1m - active_accuracy_1m.';

COMMENT ON COLUMN public.ab_evaluations.difference_1m_low IS 'Lower end of the 95 % interval of difference_1m (Newey-West).';

COMMENT ON COLUMN public.ab_evaluations.difference_1m_high IS 'Upper end of the 95 % interval of difference_1m (Newey-West).';

COMMENT ON COLUMN public.ab_evaluations.active_only_right IS 'Minutes at horizon 1 on which only the active ensemble was right.';

COMMENT ON COLUMN public.ab_evaluations.challenger_only_right IS 'Minutes at horizon 1 on which only the challenger was right.';

COMMENT ON COLUMN public.ab_evaluations.mcnemar_p IS 'Two-sided p value of McNemar''s exact test on these two counts.';

COMMENT ON COLUMN public.ab_evaluations.active_accuracy IS 'Direction accuracy of the active ensemble, all horizons together.';

COMMENT ON COLUMN public.ab_evaluations.challenger_accuracy IS 'Direction accuracy of the challenger, all horizons together.';

COMMENT ON COLUMN public.ab_evaluations.difference IS 'challenger_accuracy - active_accuracy.';

COMMENT ON COLUMN public.ab_evaluations.difference_low IS 'Lower end of the 95 % interval of difference (Newey-West).';

COMMENT ON COLUMN public.ab_evaluations.difference_high IS 'Upper end of the 95 % interval of difference (Newey-West).';

COMMENT ON COLUMN public.ab_evaluations.loss IS 'brier, or squared_error (squared basis points) if one ensemble has no probabilities.';

COMMENT ON COLUMN public.ab_evaluations.loss_difference IS 'Mean loss of the challenger minus that of the active ensemble. Below 0: the challenger is better.';

COMMENT ON COLUMN public.ab_evaluations.loss_standard_error IS 'Standard error of loss_difference (Newey-West).';

COMMENT ON COLUMN public.ab_evaluations.by_horizon IS 'Per horizon: active, challenger, difference, low, high, as in the columns for horizon 1.';

COMMENT ON COLUMN public.ab_evaluations.sequence_minutes IS 'Minutes at horizon 1 since the test began whose price moved.';

COMMENT ON COLUMN public.ab_evaluations.sequence_disagreements IS 'Those minutes on which the two predicted opposite directions.';

COMMENT ON COLUMN public.ab_evaluations.sequence_difference IS 'Difference of accuracy at horizon 1 since the test began.';

COMMENT ON COLUMN public.ab_evaluations.sequence_low IS 'Lower end of its 95 % confidence sequence, valid at all times at once.';

COMMENT ON COLUMN public.ab_evaluations.sequence_high IS 'Upper end of its 95 % confidence sequence, valid at all times at once.';

COMMENT ON COLUMN public.ab_evaluations.promotion_margin IS 'Setting promotion_margin in effect, a fraction.';

COMMENT ON COLUMN public.ab_evaluations.promotion_guard IS 'Setting promotion_guard in effect.';

COMMENT ON COLUMN public.ab_evaluations.decision IS 'promote, roll_back, retire, refuse or keep.';

COMMENT ON COLUMN public.ab_evaluations.reason IS 'Reason of the decision, with figures.';

CREATE FUNCTION public.evaluate_ab(at_time timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS SETOF public.ab_evaluations
    LANGUAGE plpython3u SECURITY DEFINER ROWS 3
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "TimeZone" TO 'UTC'
    AS $$
from candlecast.server.ab.evaluate_ab import evaluate_ab
return evaluate_ab(plpy, GD, at_time)
$$;

ALTER FUNCTION public.evaluate_ab(at_time timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.evaluate_ab(at_time timestamp with time zone) IS 'Compares every ensemble on test or in shadow with the active one of its symbol, over the 24
hours before at_time (null: now), and promotes, rolls back or retires it. Returns the rows that
it added to ab_evaluations. All of it is one transaction. pg_cron calls it daily.';

CREATE FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) RETURNS TABLE(symbol text, open_time timestamp with time zone, open double precision, high double precision, low double precision, close double precision, volume double precision, quote_asset_volume double precision, taker_buy_base_asset_volume double precision, taker_buy_quote_asset_volume double precision, number_of_trades double precision, spread_bps double precision, taker_buy_ratio double precision, log_return_1m double precision, log_return_5m double precision, log_return_15m double precision, volatility_5m double precision, volatility_15m double precision, volatility_30m double precision, sma_5_norm double precision, sma_15_norm double precision, sma_30_norm double precision, ema_5_norm double precision, ema_15_norm double precision, ema_30_norm double precision, rsi_14 double precision, volume_sma_ratio double precision, vwap_deviation double precision, price_position double precision)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
with candles as (
    select c.*, lag(c.close) over w150 as close_1, lag(c.close, 2) over w150 as close_2, lag(c.close, 5) over w150 as close_5,
        lag(c.close, 15) over w150 as close_15, lag(c.close, 149) over w150 as close_149, lag(c.open_time, 149) over w150 as open_time_149
    from public.candles_1m as c
    where c.symbol = for_symbol and c.open_time >= from_time - interval '149 minutes' and c.open_time < to_time
    window w150 as (order by c.open_time rows 149 preceding)
),
sums_of_5 as ( -- longer windows are merged from shorter ones, never by subtraction: equal closes give exactly 0
    select c.*, sum(c.close) over w5 as closes_5, sum(c.volume) over w5 as volumes_5, sum(c.quote_asset_volume) over w5 as quotes_5,
        public.paired_moments(ln(c.close / c.close_1), ln(c.close_1 / c.close_2)) over w5 as moments_5
    from candles as c
    window w5 as (order by c.open_time rows 4 preceding)
),
sums_of_15_and_20 as ( -- lag ignores the frame: it shares w149 with decayed_sums, so that one pass computes both
    select s.*,
        s.closes_5 + lag(s.closes_5, 5) over w149 + lag(s.closes_5, 10) over w149 as closes_15,
        s.volumes_5 + lag(s.volumes_5, 5) over w149 + lag(s.volumes_5, 10) over w149 + lag(s.volumes_5, 15) over w149 as volumes_20,
        s.quotes_5 + lag(s.quotes_5, 5) over w149 + lag(s.quotes_5, 10) over w149 + lag(s.quotes_5, 15) over w149 as quotes_20,
        float8_regr_combine(
            float8_regr_combine(s.moments_5, lag(s.moments_5, 5) over w149), lag(s.moments_5, 10) over w149
        ) as moments_15,
        public.decayed_sums(s.close, greatest(s.close - s.close_1, 0), greatest(s.close_1 - s.close, 0)) over w149 as decayed
    from sums_of_5 as s
    window w149 as (order by s.open_time rows 148 preceding)
),
sums_of_30_and_60 as (
    select s.*,
        s.closes_15 + lag(s.closes_15, 15) over w60 as closes_30,
        s.volumes_20 + lag(s.volumes_20, 20) over w60 + lag(s.volumes_20, 40) over w60 as volumes_60,
        s.quotes_20 + lag(s.quotes_20, 20) over w60 + lag(s.quotes_20, 40) over w60 as quotes_60,
        float8_regr_combine(s.moments_15, lag(s.moments_15, 15) over w60) as moments_30
    from sums_of_15_and_20 as s
    window w60 as (order by s.open_time rows 59 preceding)
)
select
    symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades::double precision,
    -- Roll's estimate; an autocorrelation within 1e-6 of 0 is a rounding error, which the root would magnify
    coalesce(spread_bps, case
        when moments_30[6] < -1e-6 * sqrt(moments_30[3] * moments_30[5]) then 20000 * sqrt(-moments_30[6] / 29) else 0
    end),
    taker_buy_ratio,
    ln(close / close_1), ln(close / close_5), ln(close / close_15),
    sqrt(moments_5[5] / 4), sqrt(moments_15[5] / 14), sqrt(moments_30[5] / 29),
    (close - closes_5 / 5) / close, (close - closes_15 / 15) / close, (close - closes_30 / 30) / close,
    -- the 150th weight is added to the 149 of decayed_sums; the weights' sum is (1 - decay ^ 150) / (1 - decay)
    (close - (decayed[1] + (2 / 3::float8) ^ 149 * close_149) * (1 / 3::float8) / (1 - (2 / 3::float8) ^ 150)) / close,
    (close - (decayed[2] + (7 / 8::float8) ^ 149 * close_149) * (1 / 8::float8) / (1 - (7 / 8::float8) ^ 150)) / close,
    (close - (decayed[3] + (29 / 31::float8) ^ 149 * close_149) * (2 / 31::float8) / (1 - (29 / 31::float8) ^ 150)) / close,
    case when decayed[4] + decayed[5] = 0 then 0.5 else decayed[4] / (decayed[4] + decayed[5]) end,
    case when volumes_20 = 0 then 1 else volume / (volumes_20 / 20) end,
    case when volumes_60 = 0 then 0 else (close - quotes_60 / volumes_60) / close end,
    case when high = low then 0.5 else (close - low) / (high - low) end
from sums_of_30_and_60
where open_time >= from_time and open_time_149 = open_time - interval '149 minutes'
$$;

ALTER FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) IS 'The 27 features of a symbol''s candles in [from_time, to_time), the only definition of them: one
row per candle that ends 150 consecutive candles. A row uses these 150 candles and nothing else.
Infinite bounds are allowed. The columns are described at features_1m. The caller needs SELECT
on candles_1m.';

CREATE FUNCTION public.generate_demo_candles(until timestamp with time zone DEFAULT now(), days integer DEFAULT 60) RETURNS bigint
    LANGUAGE plpython3u STRICT SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    AS $$
from candlecast.server.demo.insert import generate_demo_candles
return generate_demo_candles(plpy, until, days)
$$;

ALTER FUNCTION public.generate_demo_candles(until timestamp with time zone, days integer) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.generate_demo_candles(until timestamp with time zone, days integer) IS 'Adds generated candles of the symbol DEMO from its newest candle to the last closed minute
before `until`; returns how many. Without any DEMO candle it starts `days` before `until`. The
candles are synthetic: a seeded generator with a weak, learnable signal. Concurrent calls wait
for each other.';

CREATE FUNCTION public.health(for_symbol text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    is_enabled boolean;
    expiry double precision;
    reasons text[] := '{}';
    unknown text;
    each_symbol jsonb;
    lead_symbol jsonb;
    late_seconds integer := (select limits.late_seconds from public.freshness_limits as limits);
    last_run timestamptz;
    last_status text;
    is_running boolean;
    verdict text;
begin
    select run.started_at, run.status into last_run, last_status
    from public.inference_runs as run order by run.started_at desc limit 1;
    is_running := coalesce(last_run > now() - make_interval(secs => late_seconds), false);
    begin
        is_enabled := public.ml_setting('enabled')::boolean;
        expiry := extract(epoch from nullif(public.ml_setting('model_expiry'), 'none')::interval);
    exception when others then
        unknown := sqlerrm;
    end;
    select jsonb_agg(figures.found order by figures.found ->> 'symbol') into each_symbol
    from (
        select to_jsonb(one) - 'reasons' - 'status' || jsonb_build_object(
            'status', case
                when not is_enabled or unknown is not null then 'down'
                when one.status = 'ok' and one.model_age > expiry then 'degraded'
                else one.status
            end,
            'reasons', to_jsonb(one.reasons || case
                when one.model_age > expiry
                    then array['the models are ' || case
                        when one.model_age >= 86400 then round(one.model_age::numeric / 86400, 1) || ' days'
                        else round(one.model_age::numeric / 3600, 1) || ' hours'
                    end || ' old: expired']
                else '{}'
            end)
        ) as found
        from public.symbol_health as one
        where for_symbol is null or one.symbol = for_symbol
    ) as figures;
    select found.value into lead_symbol
    from jsonb_array_elements(each_symbol) as found
    order by (found.value ->> 'symbol') <> 'BTCUSDT', found.value ->> 'symbol' limit 1;

    if unknown is not null then
        reasons := reasons || ('the settings cannot be read: ' || unknown);
    elsif not is_enabled then
        reasons := reasons || text 'inference is switched off: the setting enabled is false';
    end if;
    if each_symbol is null then
        reasons := reasons || coalesce(for_symbol || ' has no active ensemble', 'no ensemble is active');
    end if;
    select case
        when cardinality(reasons) > 0 or bool_or(found.value ->> 'status' = 'down') then 'down'
        when bool_or(found.value ->> 'status' = 'degraded') then 'degraded'
        else 'ok'
    end into verdict
    from jsonb_array_elements(coalesce(each_symbol, '[]')) as found;
    if verdict <> 'ok' and not is_running and (
        select bool_or((found.value ->> 'candle_age')::double precision < case
            when last_run > now() - interval '1 day' then 3600
            when (found.value ->> 'prediction_age')::double precision < late_seconds then 0
            else late_seconds
        end)
        from jsonb_array_elements(each_symbol) as found
    ) then
        reasons := reasons || case
            when last_run is null then 'run_inference() has never run'
            when last_status = 'running'
                then 'the run that started ' || justify_hours(date_trunc('second', now() - last_run)) || ' ago has not finished'
            else 'run_inference() last started '
                || justify_hours(date_trunc('second', now() - last_run)) || ' ago'
        end;
    end if;
    select reasons || coalesce(array_agg((found.value ->> 'symbol') || ': ' || reason.text), '{}') into reasons
    from jsonb_array_elements(coalesce(each_symbol, '[]')) as found,
        jsonb_array_elements_text(found.value -> 'reasons') as reason (text);

    return jsonb_build_object(
        'status', verdict,
        'reasons', to_jsonb(reasons),
        'checked_at', now(),
        'symbol', lead_symbol -> 'symbol',
        'ml_inference_enabled', is_enabled,
        'ml_model_version', lead_symbol -> 'ensemble_id',
        'ml_last_prediction', lead_symbol -> 'last_prediction',
        'newest_candle', lead_symbol -> 'newest_candle',
        'candle_age_seconds', lead_symbol -> 'candle_age',
        'prediction_age_seconds', lead_symbol -> 'prediction_age',
        'prediction_lag_seconds', lead_symbol -> 'prediction_lag',
        'failed_runs_1h', lead_symbol -> 'failed_runs_1h',
        'skipped_runs_1h', lead_symbol -> 'skipped_runs_1h',
        'accuracy_24h', jsonb_build_object(
            'accuracy', lead_symbol -> 'accuracy_24h', 'low', lead_symbol -> 'accuracy_low', 'high', lead_symbol -> 'accuracy_high',
            'rows', lead_symbol -> 'rows_24h'
        ),
        'model_age_seconds', lead_symbol -> 'model_age',
        'model_expiry_seconds', expiry,
        'scheduler', jsonb_build_object(
            'state', case
                when last_run is null then 'never' when is_running then 'running' else 'silent'
            end,
            'last_run', last_run,
            'seconds_ago', extract(epoch from now() - last_run)
        ),
        'symbols', coalesce(each_symbol, '[]')
    );
end
$$;

ALTER FUNCTION public.health(for_symbol text) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.health(for_symbol text) IS 'Health of the forecasts as JSON, as /health serves it. status is ok, degraded (see reasons) or
down: no forecast, or no fresh one. It is the worst status of all symbols. The top-level figures
are of one symbol: for_symbol, else BTCUSDT if it has an active ensemble, else the first by
name. `symbols` has the rows of symbol_health. `scheduler` has the last start of
run_inference(), which is a reason only if the status is not ok. It raises no errors of its own:
what it cannot determine is a reason.';

CREATE FUNCTION public.inference_metrics() RETURNS TABLE(name text, labels jsonb, value double precision, type text, help text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
with runs as (
    select done.* from public.runs_hourly as done
    union all
    select fresh.* from public.aggregate_runs_hourly((
        select coalesce(
            max(done.hour) + interval '1 hour', (select min(run.started_at) from public.inference_runs as run)
        )
        from public.runs_hourly as done
    ), now() + interval '1 hour') as fresh
),
latency as (
    select
        runs.symbol,
        sum(runs.timed) as timed,
        sum(runs.latency_ms) as spent,
        array[
            sum(runs.within_5), sum(runs.within_10), sum(runs.within_25), sum(runs.within_50), sum(runs.within_100),
            sum(runs.within_250), sum(runs.within_500), sum(runs.within_1000), sum(runs.within_5000), sum(runs.timed)
        ] as buckets
    from runs where runs.symbol is not null group by runs.symbol
),
predicted as (
    select
        hourly.symbol,
        hourly.ensemble_id,
        hourly.horizon,
        sum(hourly.predictions) as predictions,
        sum(hourly.abstained) as abstained
    from public.accuracy_hourly as hourly
    left join public.active_ensembles as ensemble on hourly.ensemble_id = ensemble.id
    where coalesce(ensemble.state, 'active') <> 'retired'
    group by hourly.symbol, hourly.ensemble_id, hourly.horizon
),
health as materialized (
    select public.health() as found
),
symbols as (
    select each_symbol.value as found
    from health cross join lateral jsonb_array_elements(health.found -> 'symbols') as each_symbol
),
figures as (
    select figure.*
    from symbols
    cross join lateral (values
        ('ml_candle_age_seconds', symbols.found -> 'candle_age', 'seconds since the newest candle closed'),
        ('ml_prediction_age_seconds', symbols.found -> 'prediction_age', 'seconds since the newest candle with a prediction closed'),
        ('ml_prediction_lag_seconds', symbols.found -> 'prediction_lag', 'seconds from the close of the newest candle with a prediction to that prediction'),
        ('ml_model_age_seconds', symbols.found -> 'model_age', 'seconds since the older of the two active versions was trained'),
        ('ml_model_version_current', symbols.found -> 'ensemble_id', 'id of the active ensemble'),
        ('ml_inference_failed_1h', symbols.found -> 'failed_runs_1h', 'failed and lost runs in the last hour'),
        ('ml_inference_skipped_1h', symbols.found -> 'skipped_runs_1h', 'runs in the last hour without a new candle or with inference disabled'),
        ('ml_health', case symbols.found ->> 'status' when 'ok' then '1' when 'degraded' then '0.5' else '0' end::jsonb,
        '1 ok, 0.5 degraded, 0 down')
    ) as found (name, value, help)
    cross join lateral (
        select found.name, jsonb_build_object('symbol', symbols.found ->> 'symbol') as labels, found.value, found.help
    ) as figure
)
select 'ml_inference_latency_ms_bucket', jsonb_build_object('symbol', latency.symbol, 'le', bound.le), bucket.total,
    'histogram', 'milliseconds from the detected candle to the written predictions'
from latency
cross join lateral unnest(latency.buckets) with ordinality as bucket (total, place)
inner join unnest(array['5', '10', '25', '50', '100', '250', '500', '1000', '5000', '+Inf'])
    with ordinality as bound (le, place) on bucket.place = bound.place
union all
select 'ml_inference_latency_ms_sum', jsonb_build_object('symbol', latency.symbol), latency.spent,
    'histogram', 'milliseconds from the detected candle to the written predictions'
from latency
union all
select 'ml_inference_latency_ms_count', jsonb_build_object('symbol', latency.symbol), latency.timed,
    'histogram', 'milliseconds from the detected candle to the written predictions'
from latency
union all
select 'ml_inference_runs_total', jsonb_build_object('symbol', coalesce(runs.symbol, ''), 'status', runs.status),
    sum(runs.runs), 'counter', 'inference runs by status'
from runs group by runs.symbol, runs.status
union all
select counted.name, jsonb_build_object(
        'symbol', predicted.symbol, 'horizon', predicted.horizon::text,
        'ensemble', coalesce(predicted.ensemble_id::text, 'files')
    ), counted.total, 'counter', counted.help
from predicted
cross join lateral (values
    ('ml_predictions_total', predicted.predictions, 'stored predictions of ensembles that are not retired'),
    ('ml_predictions_abstained_total', predicted.abstained, 'predictions that abstained')
) as counted (name, total, help)
union all
select scored.name, jsonb_build_object(
        'symbol', score.symbol, 'horizon', score.horizon::text, 'ensemble', score.ensemble_id::text, 'state', score.state
    ), scored.value, 'gauge', scored.help
from public.accuracy_24h as score
cross join lateral (values
    ('ml_inference_accuracy_24h', score.accuracy, 'direction accuracy over the last 24 hours, a fraction'),
    ('ml_inference_accuracy_24h_low', score.low, 'lower end of the 95 % interval of ml_inference_accuracy_24h'),
    ('ml_inference_accuracy_24h_high', score.high, 'upper end of the 95 % interval of ml_inference_accuracy_24h'),
    ('ml_inference_accuracy_24h_rows', score.rows, 'predictions that ml_inference_accuracy_24h counts')
) as scored (name, value, help)
union all
select figures.name, figures.labels, (figures.value #>> '{}')::double precision, 'gauge', figures.help
from figures where figures.value <> 'null'
union all
select 'ml_run_age_seconds', '{}', (health.found -> 'scheduler' ->> 'seconds_ago')::double precision, 'gauge',
    'seconds since run_inference() last started'
from health where health.found -> 'scheduler' ->> 'seconds_ago' is not null
union all
select 'ml_model_expiry_seconds', '{}', (health.found ->> 'model_expiry_seconds')::double precision, 'gauge',
    'the setting model_expiry in seconds: older models cause a warning'
from health where health.found ->> 'model_expiry_seconds' is not null
union all
select 'ml_inference_enabled', '{}', (health.found ->> 'ml_inference_enabled')::boolean::integer, 'gauge',
    '1 if the setting enabled is true, else 0; absent if the settings cannot be read'
from health where health.found ->> 'ml_inference_enabled' is not null
$$;

ALTER FUNCTION public.inference_metrics() OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.inference_metrics() IS 'The metrics of runs, predictions and models, a part of metrics(). Counters are the sums of
predictions_hourly and runs_hourly plus newer rows, so pruning does not lower them. Retired
ensembles are left out.';

CREATE TABLE public.feature_drift (
    symbol text NOT NULL,
    day date NOT NULL,
    ensemble_id bigint NOT NULL,
    feature text NOT NULL,
    rows integer NOT NULL,
    psi double precision,
    ks double precision,
    threshold double precision,
    drifted boolean GENERATED ALWAYS AS ((psi > threshold)) STORED,
    model_type text,
    version text,
    reason text,
    measured_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT feature_drift_ks_check CHECK (((ks >= (0)::double precision) AND (ks <= (1)::double precision))),
    CONSTRAINT feature_drift_measured_or_why CHECK (((num_nulls(psi, ks, threshold, model_type, version) = ANY (ARRAY[0, 5])) AND (num_nulls(psi, reason) < 2))),
    CONSTRAINT feature_drift_model_type_check CHECK ((model_type = ANY (ARRAY['mamba'::text, 'lgbm'::text]))),
    CONSTRAINT feature_drift_psi_check CHECK ((psi >= (0)::double precision)),
    CONSTRAINT feature_drift_rows_check CHECK ((rows >= 0)),
    CONSTRAINT feature_drift_threshold_check CHECK ((threshold > (0)::double precision))
);

ALTER TABLE public.feature_drift OWNER TO candlecast_owner;

COMMENT ON TABLE public.feature_drift IS 'Daily drift of the features of the active ensembles: one row per symbol, day (UTC), ensemble and
feature, written by measure_drift(). Of the ensemble''s two versions a row has the one with the
larger drift. The figures are null if reason says why nothing was measured.';

COMMENT ON COLUMN public.feature_drift.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.feature_drift.day IS 'Day (UTC).';

COMMENT ON COLUMN public.feature_drift.ensemble_id IS 'Ensemble that was active at the measurement, active_ensembles.id.';

COMMENT ON COLUMN public.feature_drift.feature IS 'Name of the feature.';

COMMENT ON COLUMN public.feature_drift.rows IS 'Minutes of the day that have features.';

COMMENT ON COLUMN public.feature_drift.psi IS 'Population stability index over the deciles of the normalized training rows.';

COMMENT ON COLUMN public.feature_drift.ks IS 'Kolmogorov-Smirnov distance, 0 to 1, at most 0.05 below the exact one.';

COMMENT ON COLUMN public.feature_drift.threshold IS 'Limit of psi: 0.25, or the largest psi of a training day if that is more.';

COMMENT ON COLUMN public.feature_drift.drifted IS 'True if psi is above threshold.';

COMMENT ON COLUMN public.feature_drift.model_type IS 'Model type of the measured version: mamba or lgbm.';

COMMENT ON COLUMN public.feature_drift.version IS 'Name of the measured version.';

COMMENT ON COLUMN public.feature_drift.reason IS 'Why nothing was measured. With figures: why the other version was not.';

COMMENT ON COLUMN public.feature_drift.measured_at IS 'When it was measured.';

CREATE FUNCTION public.measure_drift(day date DEFAULT NULL::date) RETURNS SETOF public.feature_drift
    LANGUAGE plpython3u SECURITY DEFINER ROWS 27
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "TimeZone" TO 'UTC'
    AS $$
from candlecast.server.drift.measure import measure_drift
return measure_drift(plpy, GD, day)
$$;

ALTER FUNCTION public.measure_drift(day date) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.measure_drift(day date) IS 'Measures the feature drift of a day (UTC; null: yesterday) for every active ensemble; returns
the rows of feature_drift that it stored or replaced. It reads the features of the day once per
symbol and loads no model.';

CREATE FUNCTION public.metrics() RETURNS TABLE(name text, labels jsonb, value double precision, type text, help text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
select * from public.inference_metrics()
union all
select * from public.data_metrics()
union all
select * from public.monitoring_metrics()
$$;

ALTER FUNCTION public.metrics() OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.metrics() IS 'All metrics for Prometheus: one row per sample. /metrics serves them in the exposition format.
type is counter, gauge or histogram. A histogram has the rows name_bucket (label le,
cumulative), name_sum and name_count. Names contain the unit; shares are fractions.';

CREATE FUNCTION public.ml_setting(setting_name text) RETURNS text
    LANGUAGE plpython3u STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.settings import ml_setting
return ml_setting(plpy, GD, setting_name)
$$;

ALTER FUNCTION public.ml_setting(setting_name text) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.ml_setting(setting_name text) IS 'The value of a setting in effect: the one in ml_settings, else the server''s environment
variable, else the default.';

CREATE FUNCTION public.monitoring_metrics() RETURNS TABLE(name text, labels jsonb, value double precision, type text, help text)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
with active as (
    select ensemble.symbol, ensemble.id as ensemble_id
    from public.active_ensembles as ensemble where ensemble.is_active
),
drift as (
    select found.symbol, found.feature, found.day, found.psi, found.ks, found.drifted
    from active
    inner join public.feature_drift as found
        on active.symbol = found.symbol and active.ensemble_id = found.ensemble_id
    where
        found.day = (
            select max(newest.day) from public.feature_drift as newest
            where newest.symbol = active.symbol and newest.ensemble_id = active.ensemble_id and newest.psi is not null
                and newest.day < (now() at time zone 'UTC')::date
        )
),
checks as (
    select
        found.symbol, found.day,
        sum(found.mismatches) as mismatches,
        sum(found.corrected) as corrected,
        count(*) filter (where found.mismatches is null) as unchecked
    from active
    inner join public.consistency_checks as found on active.symbol = found.symbol
    where
        found.day = (
            select max(newest.day) from public.consistency_checks as newest
            where newest.symbol = active.symbol and newest.day < (now() at time zone 'UTC')::date
        )
    group by found.symbol, found.day
)
select figure.name, figure.labels, figure.value, 'gauge', figure.help
from (
    select measured.name, jsonb_build_object('symbol', drift.symbol, 'feature', drift.feature), measured.value, measured.help
    from drift
    cross join lateral (values
        ('ml_feature_drift_psi', drift.psi, 'population stability index of the newest measured day, compared with the training rows'),
        ('ml_feature_drift_ks', drift.ks, 'Kolmogorov-Smirnov distance of the newest measured day from the training rows')
    ) as measured (name, value, help)
    union all
    select measured.name, jsonb_build_object('symbol', summed.symbol), measured.value, measured.help
    from (
        select drift.symbol, drift.day, count(*) filter (where drift.drifted) as drifted
        from drift group by drift.symbol, drift.day
    ) as summed
    cross join lateral (values
        ('ml_features_drifted', summed.drifted, 'features whose drift is above 0.25 and above that of any training day'),
        ('ml_feature_drift_age_seconds', extract(epoch from now() at time zone 'UTC' - (summed.day + 1)),
        'seconds since the end of the newest day with measured drift')
    ) as measured (name, value, help)
    union all
    select measured.name, jsonb_build_object('symbol', checks.symbol), measured.value, measured.help
    from checks
    cross join lateral (values
        ('ml_prediction_mismatches', checks.mismatches - checks.corrected,
        'sampled minutes that differ when recomputed from the same candles: must be 0'),
        ('ml_prediction_mismatches_corrected', checks.corrected,
        'sampled minutes that differ because a candle was corrected'),
        ('ml_prediction_checks_failed', checks.unchecked, 'ensembles whose predictions cannot be recomputed'),
        ('ml_prediction_check_age_seconds', extract(epoch from now() at time zone 'UTC' - (checks.day + 1)),
        'seconds since the end of the newest checked day')
    ) as measured (name, value, help)
) as figure (name, labels, value, help)
where figure.value is not null
$$;

ALTER FUNCTION public.monitoring_metrics() OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.monitoring_metrics() IS 'The metrics of drift and consistency checks, a part of metrics(): for each symbol with an active
ensemble, its newest complete day that was measured.';

CREATE FUNCTION public.out_of_sample_from(of_ensemble bigint) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
select max(version.training_to) + interval '5 minutes'
from public.active_ensembles as ensemble
inner join public.model_versions as version on version.id in (ensemble.mamba_version_id, ensemble.lgbm_version_id)
where ensemble.id = of_ensemble
$$;

ALTER FUNCTION public.out_of_sample_from(of_ensemble bigint) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.out_of_sample_from(of_ensemble bigint) IS 'The first out-of-sample candle_time of an ensemble: five minutes after the last training row of
its two versions, because the labels of that row end there.';

CREATE FUNCTION public.predict(for_symbol text DEFAULT 'BTCUSDT'::text, at_time timestamp with time zone DEFAULT NULL::timestamp with time zone, ensemble_id bigint DEFAULT NULL::bigint) RETURNS SETOF public.forecast
    LANGUAGE plpython3u STABLE SECURITY DEFINER ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET "DateStyle" TO 'ISO, YMD'
    SET "TimeZone" TO 'UTC'
    AS $$
from candlecast.server.predict import predict
return predict(plpy, GD, for_symbol, at_time, ensemble_id)
$$;

ALTER FUNCTION public.predict(for_symbol text, at_time timestamp with time zone, ensemble_id bigint) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.predict(for_symbol text, at_time timestamp with time zone, ensemble_id bigint) IS 'Forecast from any stored candle with any ensemble, without storing it: five rows, one per
horizon. at_time is the candle''s open_time (null: the newest). ensemble_id null: the active one.
Works in a read-only transaction and on a standby.';

CREATE FUNCTION public.predict_now(for_symbol text DEFAULT 'BTCUSDT'::text) RETURNS SETOF public.forecast
    LANGUAGE plpython3u SECURITY DEFINER ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
from candlecast.server.predict import predict_now
return predict_now(plpy, GD, for_symbol)
$$;

ALTER FUNCTION public.predict_now(for_symbol text) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.predict_now(for_symbol text) IS 'Forecast from the newest candle by the symbol''s active ensemble: five rows, one per horizon,
stored in predictions. A second call for the same candle and ensemble returns the stored rows.
It needs the newest 209 candles without a gap.';

CREATE FUNCTION public.predict_range(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone, ensemble_id bigint DEFAULT NULL::bigint) RETURNS SETOF public.forecast
    LANGUAGE plpython3u STABLE SECURITY DEFINER ROWS 7200
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "TimeZone" TO 'UTC'
    AS $$
from candlecast.server.predict import predict_range
return predict_range(plpy, GD, for_symbol, from_time, to_time, ensemble_id)
$$;

ALTER FUNCTION public.predict_range(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone, ensemble_id bigint) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.predict_range(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone, ensemble_id bigint) IS 'Backtest: forecasts from every candle_time in [from_time, to_time), without storing them; one
row per candle and horizon. Minutes without 209 consecutive candles are skipped. A null bound is
no bound. ensemble_id null: the active one.';

CREATE FUNCTION public.preview_ab(at_time timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS SETOF public.ab_evaluations
    LANGUAGE plpython3u STABLE SECURITY DEFINER ROWS 3
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    SET "TimeZone" TO 'UTC'
    AS $$
from candlecast.server.ab.evaluate_ab import preview_ab
return preview_ab(plpy, GD, at_time)
$$;

ALTER FUNCTION public.preview_ab(at_time timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.preview_ab(at_time timestamp with time zone) IS 'What evaluate_ab(at_time) would decide, without writing anything. id and evaluated_at are null.
It does not check the test vectors of a winner.';

CREATE PROCEDURE public.prune_history(IN batch integer DEFAULT 10000)
    LANGUAGE plpgsql
    AS $_$
declare
    zero constant timestamptz := '2000-01-01 00:00:00+00';
    keep_predictions constant interval := nullif(public.ml_setting('keep_predictions'), 'none')::interval;
    keep_runs constant interval := nullif(public.ml_setting('keep_runs'), 'none')::interval;
    until timestamptz;
    each_symbol text;
    deleted bigint;
begin
    for each_symbol in select s.symbol from public.predicted_symbols as s loop
        select least(
            pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - keep_predictions, zero),
            max(h.hour) + interval '1 hour'
        ) into until
        from public.predictions_hourly as h where h.symbol = each_symbol having count(*) > 0 and keep_predictions is not null;
        loop
            delete from public.predictions as old using (
                select p.id from public.predictions as p
                where p.symbol = each_symbol and p.candle_time < until order by p.candle_time limit batch
            ) as batched
            where old.id = batched.id;
            get diagnostics deleted = row_count;
            commit;
            exit when deleted < batch;
        end loop;
    end loop;
    select least(
        pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - keep_runs, zero), max(h.hour) + interval '1 hour'
    ) into until
    from public.runs_hourly as h having count(*) > 0 and keep_runs is not null;
    loop
        delete from public.inference_runs as old using (
            select r.id from public.inference_runs as r where r.started_at < until order by r.started_at limit batch
        ) as batched
        where old.id = batched.id;
        get diagnostics deleted = row_count;
        commit;
        exit when deleted < batch;
    end loop;
    if keep_runs is not null and pg_catalog.to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < $1' using pg_catalog.clock_timestamp() - keep_runs;
    end if;
end
$_$;

ALTER PROCEDURE public.prune_history(IN batch integer) OWNER TO candlecast_owner;

COMMENT ON PROCEDURE public.prune_history(IN batch integer) IS 'Deletes predictions, inference_runs and pg_cron''s log that are older than keep_predictions and
keep_runs, `batch` rows per transaction; pg_cron calls it daily. Only hours that
aggregate_hours() has summed are deleted. A setting of none keeps everything.';

CREATE FUNCTION public.prune_measurements() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
with kept as (
    select (clock_timestamp() - nullif(public.ml_setting('keep_measurements'), 'none')::interval) at time zone 'UTC' as since
),
drift as (
    delete from public.feature_drift where day + 1 <= (select kept.since from kept) returning 1
),
checks as (
    delete from public.consistency_checks where day + 1 <= (select kept.since from kept) returning 1
)
select (select count(*) from drift) + (select count(*) from checks)
$$;

ALTER FUNCTION public.prune_measurements() OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.prune_measurements() IS 'Deletes rows of feature_drift and consistency_checks that are older than the setting
keep_measurements (none: keeps all); returns how many. pg_cron calls it daily.';

CREATE FUNCTION public.prune_versions(older_than interval DEFAULT '30 days'::interval, keep integer DEFAULT 3, for_symbol text DEFAULT NULL::text) RETURNS TABLE(model_type text, symbol text, version text, created_at timestamp with time zone, bytes bigint)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
with ranked as (
    select id, row_number() over (partition by symbol, model_type order by created_at desc, id desc) as place
    from public.model_versions
),

deleted as (
    delete from public.model_versions as old
    using ranked
    where
        old.id = ranked.id
        and ranked.place > keep
        and old.created_at < now() - older_than
        and (for_symbol is null or old.symbol = for_symbol)
        and not exists (
            select from public.active_ensembles as ensemble
            where old.id in (ensemble.mamba_version_id, ensemble.lgbm_version_id)
        )
    returning old.id, old.model_type, old.symbol, old.version, old.created_at
)

select
    deleted.model_type, deleted.symbol, deleted.version, deleted.created_at,
    (
        select coalesce(sum(length(artifact.content)), 0)
        from public.model_artifacts as artifact where artifact.model_version_id = deleted.id
    )::bigint as bytes
from deleted
order by deleted.created_at, deleted.model_type
$$;

ALTER FUNCTION public.prune_versions(older_than interval, keep integer, for_symbol text) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.prune_versions(older_than interval, keep integer, for_symbol text) IS 'Deletes old model versions with their files; returns what it deleted. A version is deleted if it
was registered more than `older_than` ago, no ensemble uses it, and it is not among the newest
`keep` of its symbol and model type. for_symbol null: all symbols.';

CREATE FUNCTION public.record_ensemble_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
    -- Functions set changed_at; an update of the table by hand leaves it as it is.
    directly boolean := tg_op = 'UPDATE' and new.changed_at is not distinct from old.changed_at;
    written public.ensemble_events;
begin
    insert into public.ensemble_events (
        symbol, ensemble_id, event, from_state, to_state, at_time, reason, evaluation_id
    )
    values (
        new.symbol, new.id,
        case when directly then 'changed' else new.change_event end,
        case when tg_op = 'UPDATE' then old.state end,
        new.state,
        case when directly then clock_timestamp() else new.changed_at end,
        case when directly then 'changed directly in the table' else new.change_reason end,
        case when not directly then new.change_evaluation_id end
    )
    returning * into written;
    -- A payload is limited to 8,000 bytes: 1,000 characters of the reason are at most 6,000 as JSON.
    if written.event <> 'created' then
        perform pg_notify('candlecast', json_build_object(
            'event', written.event, 'symbol', written.symbol, 'ensemble_id', written.ensemble_id,
            'from_state', written.from_state, 'to_state', written.to_state,
            'at_time', written.at_time, 'reason', left(written.reason, 1000)
        )::text);
    end if;
    return null;
end
$$;

ALTER FUNCTION public.record_ensemble_event() OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.record_ensemble_event() IS 'Trigger of active_ensembles: writes each change of state to ensemble_events and notifies the
channel candlecast.';

CREATE FUNCTION public.register_model(model_type text, version text, symbol text, model_path text, facts jsonb, names text[], contents bytea[]) RETURNS bigint
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.versions import register_model
return register_model(plpy, GD, model_type, version, symbol, model_path, facts, names, contents)
$$;

ALTER FUNCTION public.register_model(model_type text, version text, symbol text, model_path text, facts jsonb, names text[], contents bytea[]) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.register_model(model_type text, version text, symbol text, model_path text, facts jsonb, names text[], contents bytea[]) IS 'Stores the files and facts of a model version; returns its id. The same files again return the
same id. The files are verified by the sha256 in facts. Sizes are limited, and ONNX external
data is refused. Nothing is loaded yet.';

CREATE FUNCTION public.rollback_ensemble(for_symbol text DEFAULT 'BTCUSDT'::text) RETURNS bigint
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import rollback_ensemble
return rollback_ensemble(plpy, GD, for_symbol)
$$;

ALTER FUNCTION public.rollback_ensemble(for_symbol text) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.rollback_ensemble(for_symbol text) IS 'Makes the ensemble that was active before active again; returns its id. A second call goes back
one more: an ensemble that was rolled back is skipped until it is activated again.';

CREATE PROCEDURE public.run_inference(IN at_time timestamp with time zone DEFAULT NULL::timestamp with time zone)
    LANGUAGE plpython3u
    AS $$
from candlecast.server.run_inference import run_inference
run_inference(plpy, GD, at_time)
$$;

ALTER PROCEDURE public.run_inference(IN at_time timestamp with time zone) OWNER TO candlecast_owner;

COMMENT ON PROCEDURE public.run_inference(IN at_time timestamp with time zone) IS 'Predicts the newest minute of each symbol with its active ensemble and those on test and in
shadow; pg_cron calls it every minute. It loads the models, waits for the candle (at most
candle_timeout), predicts, writes, commits, and logs in inference_runs. at_time: replays that
minute and reads no later candle. A repeated call writes nothing twice.';

CREATE FUNCTION public.test_ensemble(ensemble_id bigint) RETURNS boolean
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import test_ensemble
return test_ensemble(plpy, GD, ensemble_id)
$$;

ALTER FUNCTION public.test_ensemble(ensemble_id bigint) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.test_ensemble(ensemble_id bigint) IS 'Puts an ensemble on test, after its test vectors passed. Returns whether it is on test: an
active ensemble stays active. Refused if max_test_ensembles are on test already.';

CREATE FUNCTION public.wilson_interval(share double precision, trials double precision) RETURNS TABLE(low double precision, high double precision)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
select
    (share + score.z2 / 2 - half.width) / (1 + score.z2),
    (share + score.z2 / 2 + half.width) / (1 + score.z2)
from (values (1.959963984540054 ^ 2 / nullif(trials, 0))) as score (z2)
cross join lateral (values (sqrt(score.z2 * (share * (1 - share) + score.z2 / 4)))) as half (width)
$$;

ALTER FUNCTION public.wilson_interval(share double precision, trials double precision) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.wilson_interval(share double precision, trials double precision) IS 'The 95 % interval of a share of independent trials (Wilson 1927), one row; null without trials.
Outcomes of h minutes overlap: for rows one minute apart use trials = rows / h.';

CREATE FUNCTION public.withdraw_ensemble(ensemble_id bigint) RETURNS boolean
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import withdraw_ensemble
return withdraw_ensemble(plpy, GD, ensemble_id)
$$;

ALTER FUNCTION public.withdraw_ensemble(ensemble_id bigint) OWNER TO candlecast_owner;

COMMENT ON FUNCTION public.withdraw_ensemble(ensemble_id bigint) IS 'Takes an ensemble off test; its predictions stay. Returns false, and changes nothing, if it is
not on test.';

CREATE AGGREGATE public.decayed_sums(double precision, double precision, double precision) (
    SFUNC = public.decayed_sums_add,
    STYPE = double precision[],
    INITCOND = '{0,0,0,0,0}',
    MSFUNC = public.decayed_sums_add,
    MINVFUNC = public.decayed_sums_remove,
    MSTYPE = double precision[],
    MINITCOND = '{0,0,0,0,0}',
    PARALLEL = safe
);

ALTER AGGREGATE public.decayed_sums(double precision, double precision, double precision) OWNER TO candlecast_owner;

COMMENT ON AGGREGATE public.decayed_sums(double precision, double precision, double precision) IS 'Five decayed sums over a window, the basis of the exponential means and of Wilder''s RSI.
Elements 1 to 3: closes, with decay 2/3, 7/8 and 29/31 (spans 5, 15 and 30). Elements 4 and 5:
gains and losses, with decay 13/14. Use it only with the frame `rows 148 preceding`. Gains and
losses are not negative, and nothing is null.';

CREATE AGGREGATE public.paired_moments(double precision, double precision) (
    SFUNC = float8_regr_accum,
    STYPE = double precision[],
    INITCOND = '{0,0,0,0,0,0}',
    COMBINEFUNC = float8_regr_combine,
    PARALLEL = safe
);

ALTER AGGREGATE public.paired_moments(double precision, double precision) OWNER TO candlecast_owner;

COMMENT ON AGGREGATE public.paired_moments(double precision, double precision) IS 'Moments of the pairs (y, x) as {n, sum of x, Sxx, sum of y, Syy, Sxy}, the state of PostgreSQL''s
regr_* aggregates. S are sums of products of deviations: var_samp(y) = Syy / (n - 1). Windows
that follow each other merge with float8_regr_combine, so equal values have a variance of
exactly 0 (Youngs and Cramer 1971; Chan, Golub and LeVeque 1983). Pairs with a null are skipped.';

ALTER TABLE public.ab_evaluations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ab_evaluations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.ab_status AS
 SELECT preview.symbol,
    preview.challenger_id,
    preview.role,
    preview.active_id,
    preview.since,
    preview.sequence_minutes AS minutes,
    preview.sequence_difference AS difference,
    preview.sequence_low AS low,
    preview.sequence_high AS high,
    preview.pairs,
    preview.difference_1m AS difference_24h,
    preview.decision AS outlook,
    preview.reason AS why,
    (date_bin('1 day'::interval, now(), '2000-01-01 00:10:00+00'::timestamp with time zone) + '1 day'::interval) AS next_evaluation,
    (preview.since +
        CASE preview.role
            WHEN 'shadow'::text THEN '1 day'::interval
            ELSE (((public.ml_setting('ab_max_days'::text))::integer)::double precision * '1 day'::interval)
        END) AS ends_at
   FROM public.preview_ab() preview(id, evaluated_at, at_time, symbol, active_id, challenger_id, role, since, window_from, pairs, active_accuracy_1m, challenger_accuracy_1m, difference_1m, difference_1m_low, difference_1m_high, active_only_right, challenger_only_right, mcnemar_p, active_accuracy, challenger_accuracy, difference, difference_low, difference_high, loss, loss_difference, loss_standard_error, by_horizon, sequence_minutes, sequence_disagreements, sequence_difference, sequence_low, sequence_high, promotion_margin, promotion_guard, decision, reason);

ALTER TABLE public.ab_status OWNER TO candlecast_owner;

COMMENT ON VIEW public.ab_status IS 'Running A/B tests and their current decision: one row per ensemble on test or in shadow (the
challenger). Differences are direction accuracies at horizon 1, challenger minus active,
fractions.';

COMMENT ON COLUMN public.ab_status.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.ab_status.challenger_id IS 'Challenger, active_ensembles.id.';

COMMENT ON COLUMN public.ab_status.role IS 'State of the challenger: test or shadow.';

COMMENT ON COLUMN public.ab_status.active_id IS 'Active ensemble, active_ensembles.id. Null: none is active.';

COMMENT ON COLUMN public.ab_status.since IS 'First candle_time that both predicted since the test began.';

COMMENT ON COLUMN public.ab_status.minutes IS 'Minutes since the test began whose price moved.';

COMMENT ON COLUMN public.ab_status.difference IS 'Difference of accuracy over these minutes.';

COMMENT ON COLUMN public.ab_status.low IS 'Lower end of the 95 % confidence sequence of difference.';

COMMENT ON COLUMN public.ab_status.high IS 'Upper end of the 95 % confidence sequence of difference.';

COMMENT ON COLUMN public.ab_status.pairs IS 'Minutes of the last 24 hours that both predicted and that have an outcome.';

COMMENT ON COLUMN public.ab_status.difference_24h IS 'Difference of accuracy over the last 24 hours, which the decision uses.';

COMMENT ON COLUMN public.ab_status.outlook IS 'Current decision: promote, roll_back, retire or keep.';

COMMENT ON COLUMN public.ab_status.why IS 'Reason of the current decision.';

COMMENT ON COLUMN public.ab_status.next_evaluation IS 'When the daily job evaluates next.';

COMMENT ON COLUMN public.ab_status.ends_at IS 'When an undecided test is retired (ab_max_days), or from when a shadow is decided.';

CREATE TABLE public.active_ensembles (
    id bigint NOT NULL,
    symbol text NOT NULL,
    mamba_version_id bigint NOT NULL,
    lgbm_version_id bigint NOT NULL,
    feature_hash text NOT NULL,
    mamba_type text GENERATED ALWAYS AS ('mamba'::text) STORED NOT NULL,
    lgbm_type text GENERATED ALWAYS AS ('lgbm'::text) STORED NOT NULL,
    mamba_weight numeric(5,4) DEFAULT 0.5,
    is_active boolean DEFAULT false NOT NULL,
    is_test boolean DEFAULT false NOT NULL,
    is_shadow boolean DEFAULT false NOT NULL,
    is_retired boolean DEFAULT false NOT NULL,
    state text GENERATED ALWAYS AS (
CASE
    WHEN is_active THEN 'active'::text
    WHEN is_test THEN 'test'::text
    WHEN is_shadow THEN 'shadow'::text
    WHEN is_retired THEN 'retired'::text
    ELSE 'waiting'::text
END) STORED NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    activated_at timestamp with time zone,
    deactivated_at timestamp with time zone,
    rolled_back_at timestamp with time zone,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    change_event text DEFAULT 'created'::text NOT NULL,
    change_reason text,
    change_evaluation_id bigint,
    calibration text,
    calibration_sha256 text,
    golden jsonb,
    CONSTRAINT active_ensembles_active_or_test CHECK ((NOT (is_active AND is_test))),
    CONSTRAINT active_ensembles_calibration_of_a_weight CHECK (((calibration IS NULL) OR (mamba_weight IS NOT NULL))),
    CONSTRAINT active_ensembles_calibration_sha256_check CHECK ((calibration_sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT active_ensembles_calibration_whole CHECK ((num_nulls(calibration, calibration_sha256, golden) = ANY (ARRAY[0, 3]))),
    CONSTRAINT active_ensembles_mamba_weight_check CHECK (((mamba_weight >= (0)::numeric) AND (mamba_weight <= (1)::numeric))),
    CONSTRAINT active_ensembles_one_state CHECK ((((((is_active)::integer + (is_test)::integer) + (is_shadow)::integer) + (is_retired)::integer) <= 1)),
    CONSTRAINT active_ensembles_symbol_check CHECK ((symbol <> ''::text))
);

ALTER TABLE public.active_ensembles OWNER TO candlecast_owner;

COMMENT ON TABLE public.active_ensembles IS 'Ensembles, active or not: one row per Mamba version, LightGBM version, weight and calibration of
a symbol.
- active: serves predict_now(); at most one per symbol
- test: predicts every minute; evaluate_ab() compares it with the active one
- shadow: was active before a promotion, and predicts until the promotion is evaluated; at most
  one per symbol
- retired: was active, on test or in shadow
- waiting: created, none of these yet';

COMMENT ON COLUMN public.active_ensembles.id IS 'Primary key.';

COMMENT ON COLUMN public.active_ensembles.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.active_ensembles.mamba_version_id IS 'Mamba version, model_versions.id.';

COMMENT ON COLUMN public.active_ensembles.lgbm_version_id IS 'LightGBM version, model_versions.id.';

COMMENT ON COLUMN public.active_ensembles.feature_hash IS 'Hash of the feature definitions, the same for both versions.';

COMMENT ON COLUMN public.active_ensembles.mamba_type IS 'Always mamba, for the foreign key.';

COMMENT ON COLUMN public.active_ensembles.lgbm_type IS 'Always lgbm, for the foreign key.';

COMMENT ON COLUMN public.active_ensembles.mamba_weight IS 'Weight of the Mamba version, 0 to 1. Null: the setting mamba_weight.';

COMMENT ON COLUMN public.active_ensembles.is_active IS 'True in state active.';

COMMENT ON COLUMN public.active_ensembles.is_test IS 'True in state test.';

COMMENT ON COLUMN public.active_ensembles.is_shadow IS 'True in state shadow.';

COMMENT ON COLUMN public.active_ensembles.is_retired IS 'True in state retired.';

COMMENT ON COLUMN public.active_ensembles.state IS 'active, test, shadow, retired or waiting.';

COMMENT ON COLUMN public.active_ensembles.created_at IS 'When it was created.';

COMMENT ON COLUMN public.active_ensembles.activated_at IS 'When it last became active (server clock).';

COMMENT ON COLUMN public.active_ensembles.deactivated_at IS 'When it last stopped being active (server clock). Null: never, or not a rollback candidate.';

COMMENT ON COLUMN public.active_ensembles.rolled_back_at IS 'When a rollback replaced it (server clock). Null after it is activated again.';

COMMENT ON COLUMN public.active_ensembles.changed_at IS 'Start of the state. After evaluate_ab(at_time): at_time.';

COMMENT ON COLUMN public.active_ensembles.change_event IS 'Event of the last change, see ensemble_events.event.';

COMMENT ON COLUMN public.active_ensembles.change_reason IS 'Reason of the last change.';

COMMENT ON COLUMN public.active_ensembles.change_evaluation_id IS 'Evaluation that decided the last change, ab_evaluations.id.';

COMMENT ON COLUMN public.active_ensembles.calibration IS 'Text of calibration.json: probability, interval, training ranges. Null: uncalibrated.';

COMMENT ON COLUMN public.active_ensembles.calibration_sha256 IS 'SHA-256 of calibration, verified at loading.';

COMMENT ON COLUMN public.active_ensembles.golden IS 'Test vectors: raw windows and the outputs that the ensemble must return for them.';

CREATE TABLE public.candles_1m (
    symbol text DEFAULT 'BTCUSDT'::text NOT NULL,
    open_time timestamp with time zone NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision NOT NULL,
    quote_asset_volume double precision NOT NULL,
    taker_buy_base_asset_volume double precision NOT NULL,
    taker_buy_quote_asset_volume double precision NOT NULL,
    number_of_trades bigint NOT NULL,
    spread_bps double precision,
    taker_buy_ratio double precision GENERATED ALWAYS AS (
CASE
    WHEN (volume = (0)::double precision) THEN (0.5)::double precision
    ELSE (taker_buy_base_asset_volume / volume)
END) STORED,
    CONSTRAINT candles_1m_open_time_on_the_minute CHECK (((open_time >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (open_time < '2100-01-01 00:00:00+00'::timestamp with time zone) AND (date_bin('00:01:00'::interval, open_time, '2000-01-01 00:00:00+00'::timestamp with time zone) = open_time))),
    CONSTRAINT candles_1m_prices_positive CHECK (((low > (0.000000000001)::double precision) AND (low < ('1000000000000'::numeric)::double precision) AND (open < ('1000000000000'::numeric)::double precision) AND (high < ('1000000000000'::numeric)::double precision) AND (close < ('1000000000000'::numeric)::double precision))),
    CONSTRAINT candles_1m_prices_within_high_and_low CHECK (((high >= low) AND ((open >= low) AND (open <= high)) AND ((close >= low) AND (close <= high)))),
    CONSTRAINT candles_1m_spread_finite CHECK (((spread_bps >= (0)::double precision) AND (spread_bps < ('1000000'::numeric)::double precision))),
    CONSTRAINT candles_1m_symbol_named CHECK ((symbol ~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}$'::text)),
    CONSTRAINT candles_1m_taker_volumes_within_volumes CHECK ((((taker_buy_base_asset_volume >= (0)::double precision) AND (taker_buy_base_asset_volume <= volume)) AND (taker_buy_quote_asset_volume >= (0)::double precision) AND (taker_buy_quote_asset_volume <= ((quote_asset_volume * (((1)::numeric + 0.000000001))::double precision) + (0.000001)::double precision)))),
    CONSTRAINT candles_1m_volumes_finite CHECK ((((volume = (0)::double precision) OR ((volume >= (0.000000000000000001)::double precision) AND (volume <= ('1000000000000000000'::numeric)::double precision))) AND (quote_asset_volume >= (0)::double precision) AND (quote_asset_volume < ('1000000000000000000'::numeric)::double precision) AND ((number_of_trades >= 0) AND (number_of_trades <= '1000000000000'::bigint))))
);

ALTER TABLE public.candles_1m OWNER TO candlecast_owner;

COMMENT ON TABLE public.candles_1m IS 'Closed one-minute candles, the only input of the forecasts: one row per symbol and minute. The
CHECK constraints reject values that the features cannot use: NaN, infinity, magnitudes that
overflow, candles that contradict themselves.';

COMMENT ON COLUMN public.candles_1m.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.candles_1m.open_time IS 'Start of the minute (UTC, on the minute).';

COMMENT ON COLUMN public.candles_1m.open IS 'First price of the minute, in quote currency.';

COMMENT ON COLUMN public.candles_1m.high IS 'Highest price of the minute, in quote currency.';

COMMENT ON COLUMN public.candles_1m.low IS 'Lowest price of the minute, in quote currency.';

COMMENT ON COLUMN public.candles_1m.close IS 'Last price of the minute, in quote currency.';

COMMENT ON COLUMN public.candles_1m.volume IS 'Traded volume, in base currency.';

COMMENT ON COLUMN public.candles_1m.quote_asset_volume IS 'Traded volume, in quote currency.';

COMMENT ON COLUMN public.candles_1m.taker_buy_base_asset_volume IS 'Volume bought by takers, in base currency.';

COMMENT ON COLUMN public.candles_1m.taker_buy_quote_asset_volume IS 'Volume bought by takers, in quote currency.';

COMMENT ON COLUMN public.candles_1m.number_of_trades IS 'Number of trades in the minute.';

COMMENT ON COLUMN public.candles_1m.spread_bps IS 'Bid-ask spread in basis points of the mid price. Null if the source has no quotes.';

COMMENT ON COLUMN public.candles_1m.taker_buy_ratio IS 'taker_buy_base_asset_volume / volume, a fraction; 0.5 if volume is 0.';

CREATE TABLE public.predictions (
    id bigint NOT NULL,
    model_name text DEFAULT 'mamba_lgbm_ensemble'::text NOT NULL,
    symbol text NOT NULL,
    ensemble_id bigint,
    candle_time timestamp with time zone NOT NULL,
    target_time timestamp with time zone NOT NULL,
    horizon smallint NOT NULL,
    predicted_close double precision NOT NULL,
    predicted_price double precision NOT NULL,
    reference_close double precision NOT NULL,
    mamba_close double precision NOT NULL,
    lgbm_close double precision NOT NULL,
    confidence double precision NOT NULL,
    probability_up double precision,
    lower_price double precision,
    upper_price double precision,
    abstained boolean DEFAULT false NOT NULL,
    out_of_distribution boolean,
    furthest_feature text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    latency_ms double precision,
    CONSTRAINT predictions_abstained_by_probability CHECK (((probability_up IS NOT NULL) OR (NOT abstained))),
    CONSTRAINT predictions_calibrated_or_not CHECK ((num_nulls(probability_up, lower_price, upper_price, out_of_distribution) = ANY (ARRAY[0, 4]))),
    CONSTRAINT predictions_check CHECK ((target_time = (candle_time + ((horizon)::double precision * '00:01:00'::interval)))),
    CONSTRAINT predictions_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
    CONSTRAINT predictions_furthest_feature_where_out CHECK (((furthest_feature IS NOT NULL) = COALESCE(out_of_distribution, false))),
    CONSTRAINT predictions_horizon_check CHECK (((horizon >= 1) AND (horizon <= 5))),
    CONSTRAINT predictions_interval_around_the_price CHECK (((predicted_price >= lower_price) AND (predicted_price <= upper_price))),
    CONSTRAINT predictions_probability_up_check CHECK (((probability_up >= (0)::double precision) AND (probability_up <= (1)::double precision)))
);

ALTER TABLE public.predictions OWNER TO candlecast_owner;

COMMENT ON TABLE public.predictions IS 'Stored predictions: one row per symbol, candle_time, horizon and ensemble.';

COMMENT ON COLUMN public.predictions.id IS 'Primary key.';

COMMENT ON COLUMN public.predictions.model_name IS 'Name of the model family, mamba_lgbm_ensemble by default.';

COMMENT ON COLUMN public.predictions.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.predictions.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.predictions.candle_time IS 'open_time of the newest candle that the prediction used.';

COMMENT ON COLUMN public.predictions.target_time IS 'candle_time + horizon: open_time of the candle whose close is predicted.';

COMMENT ON COLUMN public.predictions.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.predictions.predicted_close IS 'Predicted log return from reference_close to the close at target_time.';

COMMENT ON COLUMN public.predictions.predicted_price IS 'Predicted close at target_time, in quote currency.';

COMMENT ON COLUMN public.predictions.reference_close IS 'Close at candle_time, in quote currency.';

COMMENT ON COLUMN public.predictions.mamba_close IS 'Log return that the Mamba version predicts.';

COMMENT ON COLUMN public.predictions.lgbm_close IS 'Log return that the LightGBM version predicts.';

COMMENT ON COLUMN public.predictions.confidence IS 'How much the two models agree, 0 to 1. Not a probability.';

COMMENT ON COLUMN public.predictions.probability_up IS 'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';

COMMENT ON COLUMN public.predictions.lower_price IS 'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.predictions.upper_price IS 'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.predictions.abstained IS 'True if |probability_up - 0.5| is below the setting min_confidence.';

COMMENT ON COLUMN public.predictions.out_of_distribution IS 'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';

COMMENT ON COLUMN public.predictions.furthest_feature IS 'Feature furthest outside its training range. Null unless out_of_distribution.';

COMMENT ON COLUMN public.predictions.created_at IS 'When the row was written (server clock).';

COMMENT ON COLUMN public.predictions.latency_ms IS 'Milliseconds from the detected candle, or from the call, to the written rows.';

CREATE VIEW public.prediction_outcomes AS
 SELECT predictions.symbol,
    predictions.candle_time,
    predictions.target_time,
    predictions.horizon,
    predictions.ensemble_id,
    predictions.model_name,
    predictions.reference_close,
    predictions.predicted_price,
    target.close AS actual_price,
    predictions.predicted_close,
    outcome.actual_return,
    (predictions.predicted_close - outcome.actual_return) AS error,
        CASE
            WHEN (outcome.actual_return <> (0)::double precision) THEN (sign(predictions.predicted_close) = sign(outcome.actual_return))
            ELSE NULL::boolean
        END AS direction_hit,
    predictions.mamba_close,
    predictions.lgbm_close,
    predictions.confidence,
    predictions.created_at,
    predictions.latency_ms,
    predictions.probability_up,
    predictions.lower_price,
    predictions.upper_price,
    ((target.close >= predictions.lower_price) AND (target.close <= predictions.upper_price)) AS interval_hit,
    predictions.abstained,
    predictions.out_of_distribution,
    predictions.furthest_feature
   FROM ((public.predictions
     LEFT JOIN public.candles_1m target ON (((predictions.symbol = target.symbol) AND (predictions.target_time = target.open_time))))
     CROSS JOIN LATERAL ( VALUES (ln((target.close / predictions.reference_close)))) outcome(actual_return));

ALTER TABLE public.prediction_outcomes OWNER TO candlecast_owner;

COMMENT ON VIEW public.prediction_outcomes IS 'Predictions with their outcomes: one row per prediction. The outcome is null until the candle of
target_time is stored.';

COMMENT ON COLUMN public.prediction_outcomes.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.prediction_outcomes.candle_time IS 'open_time of the newest candle that the prediction used.';

COMMENT ON COLUMN public.prediction_outcomes.target_time IS 'candle_time + horizon: open_time of the candle whose close is predicted.';

COMMENT ON COLUMN public.prediction_outcomes.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.prediction_outcomes.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.prediction_outcomes.model_name IS 'Name of the model family, mamba_lgbm_ensemble by default.';

COMMENT ON COLUMN public.prediction_outcomes.reference_close IS 'Close at candle_time, in quote currency.';

COMMENT ON COLUMN public.prediction_outcomes.predicted_price IS 'Predicted close at target_time, in quote currency.';

COMMENT ON COLUMN public.prediction_outcomes.actual_price IS 'Close at target_time, in quote currency. Null until that candle is stored.';

COMMENT ON COLUMN public.prediction_outcomes.predicted_close IS 'Predicted log return from reference_close to the close at target_time.';

COMMENT ON COLUMN public.prediction_outcomes.actual_return IS 'Log return from reference_close to actual_price.';

COMMENT ON COLUMN public.prediction_outcomes.error IS 'predicted_close - actual_return, a log return.';

COMMENT ON COLUMN public.prediction_outcomes.direction_hit IS 'True if the predicted direction was right. Null if actual_return is 0 or unknown.';

COMMENT ON COLUMN public.prediction_outcomes.mamba_close IS 'Log return that the Mamba version predicts.';

COMMENT ON COLUMN public.prediction_outcomes.lgbm_close IS 'Log return that the LightGBM version predicts.';

COMMENT ON COLUMN public.prediction_outcomes.confidence IS 'How much the two models agree, 0 to 1. Not a probability.';

COMMENT ON COLUMN public.prediction_outcomes.created_at IS 'When the prediction was written (server clock).';

COMMENT ON COLUMN public.prediction_outcomes.latency_ms IS 'Milliseconds from the detected candle, or from the call, to the written rows.';

COMMENT ON COLUMN public.prediction_outcomes.probability_up IS 'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';

COMMENT ON COLUMN public.prediction_outcomes.lower_price IS 'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.prediction_outcomes.upper_price IS 'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.prediction_outcomes.interval_hit IS 'True if actual_price is within lower_price and upper_price.';

COMMENT ON COLUMN public.prediction_outcomes.abstained IS 'True if |probability_up - 0.5| is below the setting min_confidence.';

COMMENT ON COLUMN public.prediction_outcomes.out_of_distribution IS 'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';

COMMENT ON COLUMN public.prediction_outcomes.furthest_feature IS 'Feature furthest outside its training range. Null unless out_of_distribution.';

CREATE VIEW public.accuracy_24h AS
 WITH counted AS (
         SELECT ensemble.symbol,
            ensemble.id AS ensemble_id,
            ensemble.state,
            outcome.horizon,
            count(*) AS rows,
            count(*) FILTER (WHERE outcome.direction_hit) AS hits
           FROM (public.active_ensembles ensemble
             JOIN public.prediction_outcomes outcome ON (((ensemble.symbol = outcome.symbol) AND (ensemble.id = outcome.ensemble_id) AND (outcome.candle_time >= (now() - '24:00:00'::interval)))))
          WHERE ((ensemble.state = ANY (ARRAY['active'::text, 'test'::text, 'shadow'::text])) AND (outcome.direction_hit IS NOT NULL) AND (outcome.created_at < (outcome.target_time + '00:01:00'::interval)))
          GROUP BY ensemble.symbol, ensemble.id, ensemble.state, outcome.horizon
        )
 SELECT counted.symbol,
    counted.ensemble_id,
    counted.state,
    counted.horizon,
    counted.rows,
    counted.hits,
    score.accuracy,
    bounds.low,
    bounds.high
   FROM ((counted
     CROSS JOIN LATERAL ( VALUES (((counted.hits)::double precision / (counted.rows)::double precision))) score(accuracy))
     CROSS JOIN LATERAL public.wilson_interval(score.accuracy, ((counted.rows)::double precision / (counted.horizon)::double precision)) bounds(low, high));

ALTER TABLE public.accuracy_24h OWNER TO candlecast_owner;

COMMENT ON VIEW public.accuracy_24h IS 'Direction accuracy over the last 24 hours: one row per horizon and ensemble that is active, on
test or in shadow. It counts predictions that were stored before their outcome was known.';

COMMENT ON COLUMN public.accuracy_24h.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.accuracy_24h.ensemble_id IS 'Ensemble, active_ensembles.id.';

COMMENT ON COLUMN public.accuracy_24h.state IS 'active, test or shadow.';

COMMENT ON COLUMN public.accuracy_24h.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.accuracy_24h.rows IS 'Predictions whose return is known and not 0.';

COMMENT ON COLUMN public.accuracy_24h.hits IS 'Predictions with the right direction.';

COMMENT ON COLUMN public.accuracy_24h.accuracy IS 'Direction accuracy, hits / rows, a fraction.';

COMMENT ON COLUMN public.accuracy_24h.low IS 'Lower end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';

COMMENT ON COLUMN public.accuracy_24h.high IS 'Upper end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';

CREATE VIEW public.accuracy_by_coverage AS
 WITH ranked AS (
         SELECT prediction_outcomes.symbol,
            prediction_outcomes.ensemble_id,
            prediction_outcomes.horizon,
            prediction_outcomes.direction_hit,
            abs((prediction_outcomes.probability_up - (0.5)::double precision)) AS margin,
            row_number() OVER (PARTITION BY prediction_outcomes.symbol, prediction_outcomes.ensemble_id, prediction_outcomes.horizon ORDER BY (abs((prediction_outcomes.probability_up - (0.5)::double precision))) DESC, prediction_outcomes.candle_time) AS place,
            count(*) OVER (PARTITION BY prediction_outcomes.symbol, prediction_outcomes.ensemble_id, prediction_outcomes.horizon) AS total
           FROM public.prediction_outcomes
          WHERE ((prediction_outcomes.direction_hit IS NOT NULL) AND (prediction_outcomes.probability_up IS NOT NULL) AND (prediction_outcomes.created_at < (prediction_outcomes.target_time + '00:01:00'::interval)))
        ), kept AS (
         SELECT ranked.symbol,
            ranked.ensemble_id,
            ranked.horizon,
            coverages.coverage,
            min(ranked.margin) AS margin,
            count(*) AS rows,
            count(*) FILTER (WHERE ranked.direction_hit) AS hits
           FROM (( VALUES (100), (50), (20), (10), (5)) coverages(coverage)
             JOIN ranked ON ((((ranked.place - 1) * 100) < (ranked.total * coverages.coverage))))
          GROUP BY ranked.symbol, ranked.ensemble_id, ranked.horizon, coverages.coverage
        )
 SELECT kept.symbol,
    kept.ensemble_id,
    kept.horizon,
    kept.coverage,
    kept.margin,
    kept.rows,
    kept.hits,
    score.accuracy,
    bounds.low,
    bounds.high
   FROM ((kept
     CROSS JOIN LATERAL ( VALUES (((kept.hits)::double precision / (kept.rows)::double precision))) score(accuracy))
     CROSS JOIN LATERAL public.wilson_interval(score.accuracy, ((kept.rows)::double precision / (kept.horizon)::double precision)) bounds(low, high));

ALTER TABLE public.accuracy_by_coverage OWNER TO candlecast_owner;

COMMENT ON VIEW public.accuracy_by_coverage IS 'Direction accuracy of the most confident predictions: one row per symbol, ensemble, horizon and
coverage. It counts predictions with a probability that were stored before their outcome was
known.';

COMMENT ON COLUMN public.accuracy_by_coverage.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.accuracy_by_coverage.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.accuracy_by_coverage.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.accuracy_by_coverage.coverage IS 'Percentage of predictions kept, the most confident first: 100, 50, 20, 10 or 5.';

COMMENT ON COLUMN public.accuracy_by_coverage.margin IS 'Smallest |probability_up - 0.5| among them. As min_confidence it keeps these predictions.';

COMMENT ON COLUMN public.accuracy_by_coverage.rows IS 'Predictions whose return is known and not 0.';

COMMENT ON COLUMN public.accuracy_by_coverage.hits IS 'Predictions with the right direction.';

COMMENT ON COLUMN public.accuracy_by_coverage.accuracy IS 'Direction accuracy, hits / rows, a fraction.';

COMMENT ON COLUMN public.accuracy_by_coverage.low IS 'Lower end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';

COMMENT ON COLUMN public.accuracy_by_coverage.high IS 'Upper end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';

CREATE VIEW public.predicted_symbols AS
 WITH RECURSIVE symbols AS (
        ( SELECT prediction.symbol
           FROM public.predictions prediction
          ORDER BY prediction.symbol
         LIMIT 1)
        UNION ALL
         SELECT ( SELECT min(prediction.symbol) AS min
                   FROM public.predictions prediction
                  WHERE (prediction.symbol > symbols_1.symbol)) AS min
           FROM symbols symbols_1
          WHERE (symbols_1.symbol IS NOT NULL)
        )
 SELECT symbols.symbol,
    ( SELECT min(prediction.candle_time) AS min
           FROM public.predictions prediction
          WHERE (prediction.symbol = symbols.symbol)) AS first_candle_time,
    ( SELECT max(prediction.candle_time) AS max
           FROM public.predictions prediction
          WHERE (prediction.symbol = symbols.symbol)) AS newest_candle_time
   FROM symbols
  WHERE (symbols.symbol IS NOT NULL);

ALTER TABLE public.predicted_symbols OWNER TO candlecast_owner;

COMMENT ON VIEW public.predicted_symbols IS 'Symbols that have predictions: one row per symbol.';

COMMENT ON COLUMN public.predicted_symbols.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.predicted_symbols.first_candle_time IS 'Oldest candle_time.';

COMMENT ON COLUMN public.predicted_symbols.newest_candle_time IS 'Newest candle_time.';

CREATE VIEW public.accuracy_hourly AS
 WITH summed AS (
         SELECT predictions_hourly.symbol,
            predictions_hourly.ensemble_id,
            predictions_hourly.horizon,
            predictions_hourly.hour,
            predictions_hourly.predictions,
            predictions_hourly.abstained,
            predictions_hourly.outcomes,
            predictions_hourly.moved,
            predictions_hourly.rose,
            predictions_hourly.hits,
            predictions_hourly.interval_rows,
            predictions_hourly.interval_hits,
            predictions_hourly.squared_error,
            predictions_hourly.squared_return,
            predictions_hourly.brier_rows,
            predictions_hourly.brier
           FROM public.predictions_hourly
        UNION ALL
         SELECT fresh.symbol,
            fresh.ensemble_id,
            fresh.horizon,
            fresh.hour,
            fresh.predictions,
            fresh.abstained,
            fresh.outcomes,
            fresh.moved,
            fresh.rose,
            fresh.hits,
            fresh.interval_rows,
            fresh.interval_hits,
            fresh.squared_error,
            fresh.squared_return,
            fresh.brier_rows,
            fresh.brier
           FROM ((public.predicted_symbols predicted
             CROSS JOIN LATERAL ( SELECT COALESCE((max(done.hour) + '01:00:00'::interval), predicted.first_candle_time) AS since
                   FROM public.predictions_hourly done
                  WHERE (done.symbol = predicted.symbol)) newest)
             CROSS JOIN LATERAL public.aggregate_predictions_hourly(predicted.symbol, newest.since, (predicted.newest_candle_time + '00:01:00'::interval)) fresh(symbol, ensemble_id, horizon, hour, predictions, abstained, outcomes, moved, rose, hits, interval_rows, interval_hits, squared_error, squared_return, brier_rows, brier))
          WHERE (predicted.symbol = fresh.symbol)
        )
 SELECT summed.symbol,
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
    (summed.brier / (NULLIF(summed.brier_rows, 0))::double precision) AS brier,
    sqrt((summed.squared_error / (NULLIF(summed.outcomes, 0))::double precision)) AS rmse
   FROM ((summed
     CROSS JOIN LATERAL ( VALUES (((summed.hits)::double precision / (NULLIF(summed.moved, 0))::double precision),((summed.moved)::double precision / (summed.horizon)::double precision))) score(accuracy, trials))
     CROSS JOIN LATERAL public.wilson_interval(score.accuracy, score.trials) bounds(low, high));

ALTER TABLE public.accuracy_hourly OWNER TO candlecast_owner;

COMMENT ON VIEW public.accuracy_hourly IS 'Hourly accuracy over the whole history: one row per symbol, ensemble, horizon and hour, from
predictions_hourly and the newer predictions. Filter by hour. For longer periods sum
predictions, moved and hits.';

COMMENT ON COLUMN public.accuracy_hourly.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.accuracy_hourly.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.accuracy_hourly.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.accuracy_hourly.hour IS 'Start of the hour of candle_time.';

COMMENT ON COLUMN public.accuracy_hourly.predictions IS 'Number of predictions.';

COMMENT ON COLUMN public.accuracy_hourly.outcomes IS 'Predictions whose outcome is known.';

COMMENT ON COLUMN public.accuracy_hourly.moved IS 'Outcomes with a return that is not 0.';

COMMENT ON COLUMN public.accuracy_hourly.rose IS 'Outcomes with a return above 0.';

COMMENT ON COLUMN public.accuracy_hourly.hits IS 'Predictions with the right direction, out of moved.';

COMMENT ON COLUMN public.accuracy_hourly.accuracy IS 'Direction accuracy, hits / moved, a fraction.';

COMMENT ON COLUMN public.accuracy_hourly.low IS 'Lower end of the 95 % Wilson interval of accuracy, for moved / horizon trials.';

COMMENT ON COLUMN public.accuracy_hourly.high IS 'Upper end of the 95 % Wilson interval of accuracy, for moved / horizon trials.';

COMMENT ON COLUMN public.accuracy_hourly.abstained IS 'Predictions that abstained.';

COMMENT ON COLUMN public.accuracy_hourly.interval_rows IS 'Outcomes with a prediction interval.';

COMMENT ON COLUMN public.accuracy_hourly.interval_hits IS 'Outcomes with the price inside the interval.';

COMMENT ON COLUMN public.accuracy_hourly.brier IS 'Mean Brier score of the moved outcomes that have a probability.';

COMMENT ON COLUMN public.accuracy_hourly.rmse IS 'Root mean squared error of the predicted log returns.';

ALTER TABLE public.active_ensembles ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.active_ensembles_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.candle_symbols AS
 WITH RECURSIVE symbols AS (
        ( SELECT candle.symbol
           FROM public.candles_1m candle
          ORDER BY candle.symbol
         LIMIT 1)
        UNION ALL
         SELECT ( SELECT min(candle.symbol) AS min
                   FROM public.candles_1m candle
                  WHERE (candle.symbol > symbols_1.symbol)) AS min
           FROM symbols symbols_1
          WHERE (symbols_1.symbol IS NOT NULL)
        )
 SELECT symbols.symbol
   FROM symbols
  WHERE (symbols.symbol IS NOT NULL);

ALTER TABLE public.candle_symbols OWNER TO candlecast_owner;

COMMENT ON VIEW public.candle_symbols IS 'Symbols that have candles: one row per symbol.';

COMMENT ON COLUMN public.candle_symbols.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

CREATE TABLE public.feed_status (
    symbol text NOT NULL,
    exchange text NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    connected_at timestamp with time zone,
    newest_open_time timestamp with time zone,
    written bigint DEFAULT 0 NOT NULL,
    refilled bigint DEFAULT 0 NOT NULL,
    reconnects bigint DEFAULT 0 NOT NULL,
    last_error text,
    last_error_at timestamp with time zone,
    host text NOT NULL,
    pid integer NOT NULL,
    CONSTRAINT feed_status_error CHECK (((last_error IS NULL) = (last_error_at IS NULL))),
    CONSTRAINT feed_status_state_check CHECK ((state = ANY (ARRAY['catching up'::text, 'live'::text, 'disconnected'::text, 'stopped'::text])))
);

ALTER TABLE public.feed_status OWNER TO candlecast_owner;

COMMENT ON TABLE public.feed_status IS 'State of `candlecast feed`: one row per symbol that it has ever fed. A feed that was killed
leaves its last state: check heartbeat_at.
- catching up: requests missing candles over REST; candles of the stream wait
- live: complete up to newest_open_time, and the stream is connected
- disconnected: no stream or no answer over REST, see last_error; it retries
- stopped: it was stopped';

COMMENT ON COLUMN public.feed_status.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.feed_status.exchange IS 'Exchange that the candles come from.';

COMMENT ON COLUMN public.feed_status.state IS 'catching up, live, disconnected or stopped.';

COMMENT ON COLUMN public.feed_status.started_at IS 'When the feed started.';

COMMENT ON COLUMN public.feed_status.heartbeat_at IS 'Last sign of life, every 10 s (clock of this database).';

COMMENT ON COLUMN public.feed_status.connected_at IS 'When the stream was last connected.';

COMMENT ON COLUMN public.feed_status.newest_open_time IS 'Newest stored minute with none missing before it since started_at.';

COMMENT ON COLUMN public.feed_status.written IS 'Candles written from the stream since started_at.';

COMMENT ON COLUMN public.feed_status.refilled IS 'Candles added or corrected by REST requests since started_at.';

COMMENT ON COLUMN public.feed_status.reconnects IS 'Reconnections of the stream since started_at.';

COMMENT ON COLUMN public.feed_status.last_error IS 'Last error. It stays after the feed has recovered.';

COMMENT ON COLUMN public.feed_status.last_error_at IS 'When last_error occurred.';

COMMENT ON COLUMN public.feed_status.host IS 'Host of the feed process.';

COMMENT ON COLUMN public.feed_status.pid IS 'Process id of the feed.';

CREATE VIEW public.candle_status AS
 WITH symbols AS (
         SELECT stored.symbol
           FROM public.candle_symbols stored
        UNION
         SELECT feed_1.symbol
           FROM public.feed_status feed_1
        ), edges AS (
         SELECT symbols.symbol,
            ( SELECT min(candle.open_time) AS min
                   FROM public.candles_1m candle
                  WHERE (candle.symbol = symbols.symbol)) AS oldest,
            ( SELECT max(candle.open_time) AS max
                   FROM public.candles_1m candle
                  WHERE ((candle.symbol = symbols.symbol) AND (candle.open_time <= now()))) AS newest,
            ( SELECT max(prediction.candle_time) AS max
                   FROM public.predictions prediction
                  WHERE (prediction.symbol = symbols.symbol)) AS newest_prediction
           FROM symbols
        ), missing AS (
         SELECT edges_1.symbol,
            sum(gap.minutes) AS minutes,
            count(*) AS gaps
           FROM (edges edges_1
             CROSS JOIN LATERAL public.candle_gaps(edges_1.symbol, GREATEST(edges_1.oldest, (now() - '1 day'::interval)), date_trunc('minute'::text, (now() - '00:00:10'::interval))) gap(first_missing, last_missing, minutes))
          GROUP BY edges_1.symbol
        )
 SELECT edges.symbol,
    edges.oldest,
    edges.newest,
    ((now() - edges.newest) - '00:01:00'::interval) AS age,
        CASE
            WHEN (edges.oldest IS NOT NULL) THEN (COALESCE(missing.minutes, (0)::numeric))::bigint
            ELSE NULL::bigint
        END AS missing_24h,
        CASE
            WHEN (edges.oldest IS NOT NULL) THEN COALESCE(missing.gaps, (0)::bigint)
            ELSE NULL::bigint
        END AS gaps_24h,
        CASE
            WHEN ((feed.state <> 'stopped'::text) AND (feed.heartbeat_at < (now() - '00:01:00'::interval))) THEN 'silent'::text
            ELSE feed.state
        END AS feed_state,
    feed.last_error AS feed_error,
    feed.last_error_at AS feed_error_at,
    edges.newest_prediction
   FROM ((edges
     LEFT JOIN missing ON ((edges.symbol = missing.symbol)))
     LEFT JOIN public.feed_status feed ON ((edges.symbol = feed.symbol)))
  ORDER BY edges.symbol;

ALTER TABLE public.candle_status OWNER TO candlecast_owner;

COMMENT ON VIEW public.candle_status IS 'Freshness and completeness of the candles, and their feed: one row per symbol that has candles
or a feed.';

COMMENT ON COLUMN public.candle_status.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.candle_status.oldest IS 'open_time of the oldest candle.';

COMMENT ON COLUMN public.candle_status.newest IS 'open_time of the newest candle that is not in the future.';

COMMENT ON COLUMN public.candle_status.age IS 'Time since the newest candle closed.';

COMMENT ON COLUMN public.candle_status.missing_24h IS 'Missing minutes among those of the last 24 hours that closed at least 10 s ago.';

COMMENT ON COLUMN public.candle_status.gaps_24h IS 'Gaps that these minutes form.';

COMMENT ON COLUMN public.candle_status.feed_state IS 'feed_status.state; silent if there was no heartbeat for a minute; null without a feed.';

COMMENT ON COLUMN public.candle_status.feed_error IS 'Last error of the feed.';

COMMENT ON COLUMN public.candle_status.feed_error_at IS 'When feed_error occurred.';

COMMENT ON COLUMN public.candle_status.newest_prediction IS 'candle_time of the newest prediction.';

CREATE TABLE public.ensemble_events (
    id bigint NOT NULL,
    symbol text NOT NULL,
    ensemble_id bigint NOT NULL,
    event text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    at_time timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    reason text,
    evaluation_id bigint,
    changed_by name DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT ensemble_events_event_check CHECK ((event = ANY (ARRAY['created'::text, 'tested'::text, 'activated'::text, 'promoted'::text, 'restored'::text, 'replaced'::text, 'rolled_back'::text, 'retired'::text, 'withdrawn'::text, 'changed'::text])))
);

ALTER TABLE public.ensemble_events OWNER TO candlecast_owner;

COMMENT ON TABLE public.ensemble_events IS 'History of the states of ensembles: one row per change, written by a trigger on
active_ensembles, never changed.
- created
- tested: put on test
- activated: by hand
- promoted: by evaluate_ab()
- restored: active again by a rollback
- replaced: another one became active
- rolled_back: a rollback replaced it
- retired: by evaluate_ab(), or because another one became active
- withdrawn: off test, by hand
- changed: directly in the table, by no function of candlecast';

COMMENT ON COLUMN public.ensemble_events.id IS 'Primary key.';

COMMENT ON COLUMN public.ensemble_events.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.ensemble_events.ensemble_id IS 'Ensemble, active_ensembles.id.';

COMMENT ON COLUMN public.ensemble_events.event IS 'What happened, see the comment of the table.';

COMMENT ON COLUMN public.ensemble_events.from_state IS 'Previous state. Null: created.';

COMMENT ON COLUMN public.ensemble_events.to_state IS 'New state.';

COMMENT ON COLUMN public.ensemble_events.at_time IS 'When the change takes effect. After evaluate_ab(at_time): at_time.';

COMMENT ON COLUMN public.ensemble_events.recorded_at IS 'When the row was written (server clock).';

COMMENT ON COLUMN public.ensemble_events.reason IS 'Reason of the change.';

COMMENT ON COLUMN public.ensemble_events.evaluation_id IS 'Evaluation that decided it, ab_evaluations.id. Null: none did.';

COMMENT ON COLUMN public.ensemble_events.changed_by IS 'User of the session that made the change.';

ALTER TABLE public.ensemble_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ensemble_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.ensemble_history AS
 SELECT entry.symbol,
    entry.ensemble_id,
    entry.recorded_at AS live_from,
    COALESCE(successor.recorded_at, leaving.recorded_at) AS live_to,
    entry.event AS came_by,
    entry.reason AS came_because,
    entry.at_time AS decided_at,
    entry.changed_by,
    entry.evaluation_id,
    leaving.event AS went_by,
    leaving.reason AS went_because
   FROM ((public.ensemble_events entry
     LEFT JOIN LATERAL ( SELECT later.id,
            later.recorded_at,
            later.event,
            later.reason
           FROM public.ensemble_events later
          WHERE ((later.ensemble_id = entry.ensemble_id) AND (later.id > entry.id) AND (later.from_state = 'active'::text))
          ORDER BY later.id
         LIMIT 1) leaving ON (true))
     LEFT JOIN public.ensemble_events successor ON ((((leaving.id + 1) = successor.id) AND (entry.symbol = successor.symbol) AND (successor.to_state = 'active'::text))))
  WHERE (entry.to_state = 'active'::text);

ALTER TABLE public.ensemble_history OWNER TO candlecast_owner;

COMMENT ON VIEW public.ensemble_history IS 'Periods in which an ensemble was the active one of its symbol, with the reasons: one row per
period.';

COMMENT ON COLUMN public.ensemble_history.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.ensemble_history.ensemble_id IS 'Ensemble, active_ensembles.id.';

COMMENT ON COLUMN public.ensemble_history.live_from IS 'Start of the period (server clock).';

COMMENT ON COLUMN public.ensemble_history.live_to IS 'End of the period (server clock). Null: still active.';

COMMENT ON COLUMN public.ensemble_history.came_by IS 'Event that made it active, see ensemble_events.';

COMMENT ON COLUMN public.ensemble_history.came_because IS 'Reason of that event.';

COMMENT ON COLUMN public.ensemble_history.decided_at IS 'at_time of that event.';

COMMENT ON COLUMN public.ensemble_history.changed_by IS 'User of the session that made it active.';

COMMENT ON COLUMN public.ensemble_history.evaluation_id IS 'Evaluation that decided it, ab_evaluations.id. Null: none did.';

COMMENT ON COLUMN public.ensemble_history.went_by IS 'Event that ended the period. Null: still active.';

COMMENT ON COLUMN public.ensemble_history.went_because IS 'Reason of that event.';

CREATE VIEW public.ensemble_leaderboard AS
 WITH live AS (
         SELECT symbols.symbol,
            (newest.open_time + '00:01:00'::interval) AS ends_at
           FROM (( SELECT DISTINCT active_ensembles.symbol
                   FROM public.active_ensembles) symbols
             CROSS JOIN LATERAL ( SELECT candle.open_time
                   FROM public.candles_1m candle
                  WHERE ((candle.symbol = symbols.symbol) AND (candle.open_time <= (statement_timestamp() - '00:01:00'::interval)))
                  ORDER BY candle.open_time DESC
                 LIMIT 1) newest)
        ), out_of_sample AS MATERIALIZED (
         SELECT active_ensembles.id AS ensemble_id,
            public.out_of_sample_from(active_ensembles.id) AS out_of_sample_from
           FROM public.active_ensembles
        ), counted AS (
         SELECT live.symbol,
            windows.window_length,
            counts.horizon,
            counts.ensemble_id,
            counts.rows,
            counts.hits
           FROM ((live
             CROSS JOIN ( VALUES ('01:00:00'::interval), ('24:00:00'::interval), ('7 days'::interval)) windows(window_length))
             CROSS JOIN LATERAL ( SELECT outcome.horizon,
                    outcome.ensemble_id,
                    count(*) AS rows,
                    count(*) FILTER (WHERE outcome.direction_hit) AS hits
                   FROM (public.prediction_outcomes outcome
                     JOIN out_of_sample ON (((outcome.ensemble_id = out_of_sample.ensemble_id) AND (outcome.candle_time >= out_of_sample.out_of_sample_from))))
                  WHERE ((outcome.symbol = live.symbol) AND (outcome.candle_time >= (live.ends_at - windows.window_length)) AND (outcome.candle_time < live.ends_at) AND (outcome.direction_hit IS NOT NULL))
                  GROUP BY outcome.horizon, outcome.ensemble_id) counts)
        ), scored AS (
         SELECT counted.symbol,
            counted.window_length,
            counted.horizon,
            counted.ensemble_id,
            counted.rows,
            counted.hits,
            ((counted.hits)::double precision / (counted.rows)::double precision) AS accuracy
           FROM counted
        )
 SELECT scored.symbol,
        CASE scored.window_length
            WHEN '01:00:00'::interval THEN '1 h'::text
            WHEN '24:00:00'::interval THEN '24 h'::text
            ELSE '7 d'::text
        END AS time_window,
    scored.horizon,
    rank() OVER (PARTITION BY scored.symbol, scored.window_length, scored.horizon ORDER BY scored.accuracy DESC) AS place,
    scored.ensemble_id,
    ensemble.state,
    scored.rows,
    scored.hits,
    scored.accuracy,
    bounds.low,
    bounds.high
   FROM ((scored
     JOIN public.active_ensembles ensemble ON ((scored.ensemble_id = ensemble.id)))
     CROSS JOIN LATERAL public.wilson_interval(scored.accuracy, ((scored.rows)::double precision / (scored.horizon)::double precision)) bounds(low, high))
  ORDER BY scored.symbol, scored.window_length, scored.horizon, (rank() OVER (PARTITION BY scored.symbol, scored.window_length, scored.horizon ORDER BY scored.accuracy DESC)), scored.ensemble_id;

ALTER TABLE public.ensemble_leaderboard OWNER TO candlecast_owner;

COMMENT ON VIEW public.ensemble_leaderboard IS 'Direction accuracy of the ensembles, best first: one row per symbol, time window, horizon and
ensemble that predicted in it. Only out-of-sample minutes count. Ensembles share their minutes
only if rows are equal: ab_status compares them minute by minute.';

COMMENT ON COLUMN public.ensemble_leaderboard.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.ensemble_leaderboard.time_window IS '1 h, 24 h or 7 d before the end of the symbol''s newest closed candle.';

COMMENT ON COLUMN public.ensemble_leaderboard.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.ensemble_leaderboard.place IS 'Rank by accuracy, 1 is the best.';

COMMENT ON COLUMN public.ensemble_leaderboard.ensemble_id IS 'Ensemble, active_ensembles.id.';

COMMENT ON COLUMN public.ensemble_leaderboard.state IS 'State of the ensemble now.';

COMMENT ON COLUMN public.ensemble_leaderboard.rows IS 'Predictions whose return is known and not 0.';

COMMENT ON COLUMN public.ensemble_leaderboard.hits IS 'Predictions with the right direction.';

COMMENT ON COLUMN public.ensemble_leaderboard.accuracy IS 'Direction accuracy, hits / rows, a fraction.';

COMMENT ON COLUMN public.ensemble_leaderboard.low IS 'Lower end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';

COMMENT ON COLUMN public.ensemble_leaderboard.high IS 'Upper end of the 95 % Wilson interval of accuracy, for rows / horizon trials.';

CREATE VIEW public.features_1m WITH (security_invoker='true') AS
 WITH RECURSIVE symbols AS (
        ( SELECT c.symbol
           FROM public.candles_1m c
          ORDER BY c.symbol
         LIMIT 1)
        UNION ALL
         SELECT ( SELECT min(c.symbol) AS min
                   FROM public.candles_1m c
                  WHERE (c.symbol > s_1.symbol)) AS min
           FROM symbols s_1
          WHERE (s_1.symbol IS NOT NULL)
        )
 SELECT s.symbol,
    f.open_time,
    f.open,
    f.high,
    f.low,
    f.close,
    f.volume,
    f.quote_asset_volume,
    f.taker_buy_base_asset_volume,
    f.taker_buy_quote_asset_volume,
    f.number_of_trades,
    f.spread_bps,
    f.taker_buy_ratio,
    f.log_return_1m,
    f.log_return_5m,
    f.log_return_15m,
    f.volatility_5m,
    f.volatility_15m,
    f.volatility_30m,
    f.sma_5_norm,
    f.sma_15_norm,
    f.sma_30_norm,
    f.ema_5_norm,
    f.ema_15_norm,
    f.ema_30_norm,
    f.rsi_14,
    f.volume_sma_ratio,
    f.vwap_deviation,
    f.price_position
   FROM (symbols s
     CROSS JOIN LATERAL public.features_between(s.symbol, '-infinity'::timestamp with time zone, 'infinity'::timestamp with time zone) f(symbol, open_time, open, high, low, close, volume, quote_asset_volume, taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades, spread_bps, taker_buy_ratio, log_return_1m, log_return_5m, log_return_15m, volatility_5m, volatility_15m, volatility_30m, sma_5_norm, sma_15_norm, sma_30_norm, ema_5_norm, ema_15_norm, ema_30_norm, rsi_14, volume_sma_ratio, vwap_deviation, price_position))
  WHERE (s.symbol IS NOT NULL);

ALTER TABLE public.features_1m OWNER TO candlecast_owner;

COMMENT ON VIEW public.features_1m IS 'The 27 features of every candle: one row per symbol and minute that ends 150 consecutive
candles. A condition on symbol uses the index, one on open_time does not: for a range of time
call features_between().';

COMMENT ON COLUMN public.features_1m.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.features_1m.open_time IS 'Start of the minute (UTC, on the minute).';

COMMENT ON COLUMN public.features_1m.open IS 'First price of the minute, in quote currency.';

COMMENT ON COLUMN public.features_1m.high IS 'Highest price of the minute, in quote currency.';

COMMENT ON COLUMN public.features_1m.low IS 'Lowest price of the minute, in quote currency.';

COMMENT ON COLUMN public.features_1m.close IS 'Last price of the minute, in quote currency.';

COMMENT ON COLUMN public.features_1m.volume IS 'Traded volume, in base currency.';

COMMENT ON COLUMN public.features_1m.quote_asset_volume IS 'Traded volume, in quote currency.';

COMMENT ON COLUMN public.features_1m.taker_buy_base_asset_volume IS 'Volume bought by takers, in base currency.';

COMMENT ON COLUMN public.features_1m.taker_buy_quote_asset_volume IS 'Volume bought by takers, in quote currency.';

COMMENT ON COLUMN public.features_1m.number_of_trades IS 'Number of trades in the minute.';

COMMENT ON COLUMN public.features_1m.spread_bps IS 'Bid-ask spread in basis points; without quotes Roll''s estimate from the last 30 minutes.';

COMMENT ON COLUMN public.features_1m.taker_buy_ratio IS 'taker_buy_base_asset_volume / volume, a fraction; 0.5 if volume is 0.';

COMMENT ON COLUMN public.features_1m.log_return_1m IS 'Log return of the last minute.';

COMMENT ON COLUMN public.features_1m.log_return_5m IS 'Log return of the last 5 minutes.';

COMMENT ON COLUMN public.features_1m.log_return_15m IS 'Log return of the last 15 minutes.';

COMMENT ON COLUMN public.features_1m.volatility_5m IS 'Sample standard deviation of the last 5 one-minute log returns.';

COMMENT ON COLUMN public.features_1m.volatility_15m IS 'Sample standard deviation of the last 15 one-minute log returns.';

COMMENT ON COLUMN public.features_1m.volatility_30m IS 'Sample standard deviation of the last 30 one-minute log returns.';

COMMENT ON COLUMN public.features_1m.sma_5_norm IS '(close - mean of the last 5 closes) / close.';

COMMENT ON COLUMN public.features_1m.sma_15_norm IS '(close - mean of the last 15 closes) / close.';

COMMENT ON COLUMN public.features_1m.sma_30_norm IS '(close - mean of the last 30 closes) / close.';

COMMENT ON COLUMN public.features_1m.ema_5_norm IS '(close - exponential mean of 150 closes, span 5) / close.';

COMMENT ON COLUMN public.features_1m.ema_15_norm IS '(close - exponential mean of 150 closes, span 15) / close.';

COMMENT ON COLUMN public.features_1m.ema_30_norm IS '(close - exponential mean of 150 closes, span 30) / close.';

COMMENT ON COLUMN public.features_1m.rsi_14 IS 'Wilder''s relative strength index with 14 minutes, 0 to 1; 0.5 if the price did not change.';

COMMENT ON COLUMN public.features_1m.volume_sma_ratio IS 'volume / mean of the last 20 volumes; 1 if all are 0.';

COMMENT ON COLUMN public.features_1m.vwap_deviation IS '(close - volume-weighted mean price of the last 60 minutes) / close; 0 without volume.';

COMMENT ON COLUMN public.features_1m.price_position IS '(close - low) / (high - low), 0 to 1; 0.5 if high equals low.';

CREATE VIEW public.freshness_limits AS
 SELECT 75 AS late_seconds,
    180 AS missing_seconds;

ALTER TABLE public.freshness_limits OWNER TO candlecast_owner;

COMMENT ON VIEW public.freshness_limits IS 'When a candle, a run or a prediction is late or missing, in seconds since the end of the minute
or the start of the run: one row.';

COMMENT ON COLUMN public.freshness_limits.late_seconds IS 'Late from this age on, in seconds.';

COMMENT ON COLUMN public.freshness_limits.missing_seconds IS 'Missing from this age on, in seconds.';

CREATE TABLE public.inference_runs (
    id bigint NOT NULL,
    symbol text,
    ensemble_id bigint,
    candle_time timestamp with time zone NOT NULL,
    status text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    backend_pid integer DEFAULT pg_backend_pid() NOT NULL,
    mamba_runtime text,
    load_ms double precision,
    wait_ms double precision,
    features_ms double precision,
    models_ms double precision,
    write_ms double precision,
    latency_ms double precision,
    error text,
    error_sqlstate text,
    warning text,
    CONSTRAINT inference_runs_status_check CHECK ((status = ANY (ARRAY['running'::text, 'predicted'::text, 'already'::text, 'no_candle'::text, 'stale'::text, 'failed'::text, 'lost'::text, 'disabled'::text, 'no_ensemble'::text])))
);

ALTER TABLE public.inference_runs OWNER TO candlecast_owner;

COMMENT ON TABLE public.inference_runs IS 'Log of run_inference(), including failures: one row per run and ensemble.
- running: not finished yet
- predicted: five rows were written
- already: another run had written them
- no_candle: the candle did not arrive within candle_timeout
- stale: the symbol''s newest candle is over an hour old; logged once
- failed: see error
- lost: the backend ended before it finished
- disabled: inference is disabled
- no_ensemble: nothing is active or on test';

COMMENT ON COLUMN public.inference_runs.id IS 'Primary key.';

COMMENT ON COLUMN public.inference_runs.symbol IS 'Market. Null if there was nothing to run.';

COMMENT ON COLUMN public.inference_runs.ensemble_id IS 'Ensemble, active_ensembles.id. Null: none, or model files of the server''s environment.';

COMMENT ON COLUMN public.inference_runs.candle_time IS 'Minute of the run: open_time of the candle to predict from.';

COMMENT ON COLUMN public.inference_runs.status IS 'running, predicted, already, no_candle, stale, failed, lost, disabled or no_ensemble.';

COMMENT ON COLUMN public.inference_runs.started_at IS 'When the run started.';

COMMENT ON COLUMN public.inference_runs.finished_at IS 'When the run finished.';

COMMENT ON COLUMN public.inference_runs.backend_pid IS 'PostgreSQL process of the run.';

COMMENT ON COLUMN public.inference_runs.mamba_runtime IS 'Runtime of Mamba: onnx or torchscript.';

COMMENT ON COLUMN public.inference_runs.load_ms IS 'Milliseconds to load the models.';

COMMENT ON COLUMN public.inference_runs.wait_ms IS 'Milliseconds from the start of the run to the candle.';

COMMENT ON COLUMN public.inference_runs.features_ms IS 'Milliseconds to read the features.';

COMMENT ON COLUMN public.inference_runs.models_ms IS 'Milliseconds to run the models.';

COMMENT ON COLUMN public.inference_runs.write_ms IS 'Milliseconds to write the predictions.';

COMMENT ON COLUMN public.inference_runs.latency_ms IS 'Milliseconds from the detected candle to the start of the commit.';

COMMENT ON COLUMN public.inference_runs.error IS 'Error message with its remedy.';

COMMENT ON COLUMN public.inference_runs.error_sqlstate IS 'SQLSTATE of the error.';

COMMENT ON COLUMN public.inference_runs.warning IS 'Problem that did not stop the run: the models are older than model_expiry.';

ALTER TABLE public.inference_runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.inference_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.latest_predictions AS
 SELECT predictions.symbol,
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
   FROM ((public.active_ensembles
     CROSS JOIN LATERAL ( SELECT newest.candle_time
           FROM public.predictions newest
          WHERE ((newest.symbol = active_ensembles.symbol) AND (newest.ensemble_id = active_ensembles.id))
          ORDER BY newest.candle_time DESC
         LIMIT 1) latest)
     JOIN public.predictions ON (((active_ensembles.symbol = predictions.symbol) AND (active_ensembles.id = predictions.ensemble_id) AND (latest.candle_time = predictions.candle_time))))
  WHERE active_ensembles.is_active;

ALTER TABLE public.latest_predictions OWNER TO candlecast_owner;

COMMENT ON VIEW public.latest_predictions IS 'The newest stored forecast of each symbol''s active ensemble: one row per symbol and horizon. It
reads what is stored; predict_now() also predicts.';

COMMENT ON COLUMN public.latest_predictions.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.latest_predictions.candle_time IS 'open_time of the newest candle that the prediction used.';

COMMENT ON COLUMN public.latest_predictions.target_time IS 'candle_time + horizon: open_time of the candle whose close is predicted.';

COMMENT ON COLUMN public.latest_predictions.horizon IS 'Minutes ahead, 1 to 5.';

COMMENT ON COLUMN public.latest_predictions.reference_close IS 'Close at candle_time, in quote currency.';

COMMENT ON COLUMN public.latest_predictions.predicted_close IS 'Predicted log return from reference_close to the close at target_time.';

COMMENT ON COLUMN public.latest_predictions.predicted_price IS 'Predicted close at target_time, in quote currency.';

COMMENT ON COLUMN public.latest_predictions.mamba_close IS 'Log return that the Mamba version predicts.';

COMMENT ON COLUMN public.latest_predictions.lgbm_close IS 'Log return that the LightGBM version predicts.';

COMMENT ON COLUMN public.latest_predictions.confidence IS 'How much the two models agree, 0 to 1. Not a probability.';

COMMENT ON COLUMN public.latest_predictions.ensemble_id IS 'Ensemble, active_ensembles.id. Null: model files of the server''s environment.';

COMMENT ON COLUMN public.latest_predictions.created_at IS 'When the row was written (server clock).';

COMMENT ON COLUMN public.latest_predictions.probability_up IS 'Probability of a return above 0, given that it is not 0. Null if uncalibrated.';

COMMENT ON COLUMN public.latest_predictions.lower_price IS 'Lower end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.latest_predictions.upper_price IS 'Upper end of the prediction interval (90 % by default), in quote currency. Null if uncalibrated.';

COMMENT ON COLUMN public.latest_predictions.abstained IS 'True if |probability_up - 0.5| is below the setting min_confidence.';

COMMENT ON COLUMN public.latest_predictions.out_of_distribution IS 'True if a feature is outside its training range by over a tenth of it. Null if uncalibrated.';

COMMENT ON COLUMN public.latest_predictions.furthest_feature IS 'Feature furthest outside its training range. Null unless out_of_distribution.';

CREATE TABLE public.loaded_archives (
    symbol text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    candles integer NOT NULL,
    first_open_time timestamp with time zone,
    last_open_time timestamp with time zone,
    loaded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT loaded_archives_candles_check CHECK ((candles >= 0)),
    CONSTRAINT loaded_archives_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
);

ALTER TABLE public.loaded_archives OWNER TO candlecast_owner;

COMMENT ON TABLE public.loaded_archives IS 'Archive files of the exchange that were loaded, so that none is downloaded twice: one row per
symbol and file, written in the transaction that loaded its candles.';

COMMENT ON COLUMN public.loaded_archives.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.loaded_archives.name IS 'Name of the file.';

COMMENT ON COLUMN public.loaded_archives.sha256 IS 'SHA-256 of the file, in hexadecimal.';

COMMENT ON COLUMN public.loaded_archives.candles IS 'Number of candles in the file.';

COMMENT ON COLUMN public.loaded_archives.first_open_time IS 'First minute in the file.';

COMMENT ON COLUMN public.loaded_archives.last_open_time IS 'Last minute in the file.';

COMMENT ON COLUMN public.loaded_archives.loaded_at IS 'When the file was loaded.';

CREATE TABLE public.migration_notes (
    name text NOT NULL,
    note jsonb NOT NULL
);

ALTER TABLE public.migration_notes OWNER TO superuser;

COMMENT ON TABLE public.migration_notes IS 'What was here before candlecast, for the downgrade: one row per note. Not for users.';

COMMENT ON COLUMN public.migration_notes.name IS 'Name of the note.';

COMMENT ON COLUMN public.migration_notes.note IS 'What the upgrade found and changed.';

CREATE TABLE public.ml_settings (
    name text NOT NULL,
    value text,
    meaning text NOT NULL,
    CONSTRAINT ml_settings_value_valid CHECK (
CASE name
    WHEN 'enabled'::text THEN (value = ANY (ARRAY['true'::text, 'false'::text]))
    WHEN 'mamba_weight'::text THEN (value ~ '^(0(\.[0-9]+)?|1(\.0+)?)$'::text)
    WHEN 'device'::text THEN (value = ANY (ARRAY['cpu'::text, 'cuda'::text]))
    WHEN 'mamba_runtime'::text THEN (value = ANY (ARRAY['auto'::text, 'onnx'::text, 'torchscript'::text]))
    WHEN 'candle_timeout'::text THEN (value ~ '^([0-9]{1,5} ms|[0-5]?[0-9](\.[0-9]+)? s)$'::text)
    WHEN 'max_candle_age'::text THEN (value ~ '^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h))$'::text)
    WHEN 'min_confidence'::text THEN (value ~ '^0(\.[0-4][0-9]*|\.50*)?$'::text)
    WHEN 'model_expiry'::text THEN (value ~ '^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h|d))$'::text)
    WHEN 'max_test_ensembles'::text THEN (value ~ '^[0-9]{1,3}$'::text)
    WHEN 'promotion_margin'::text THEN (value ~ '^0(\.[0-9]+)?$'::text)
    WHEN 'promotion_guard'::text THEN (value = ANY (ARRAY['confidence'::text, 'none'::text]))
    WHEN 'promotion_cooldown'::text THEN (value ~ '^(none|[0-9]{1,5}(\.[0-9]+)? (s|min|h)|[0-9]{1,3}(\.[0-9]+)? d)$'::text)
    WHEN 'ab_min_pairs'::text THEN (value ~ '^([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9])$'::text)
    WHEN 'ab_max_days'::text THEN (value ~ '^[1-9][0-9]{0,2}$'::text)
    WHEN 'keep_predictions'::text THEN (value ~ '^(none|[1-9][0-9]{0,4}(\.[0-9]+)? d)$'::text)
    WHEN 'keep_runs'::text THEN (value ~ '^(none|[1-9][0-9]{0,4}(\.[0-9]+)? d)$'::text)
    WHEN 'keep_measurements'::text THEN (value ~ '^(none|[1-9][0-9]{0,4}(\.[0-9]+)? d)$'::text)
    ELSE false
END)
);

ALTER TABLE public.ml_settings OWNER TO candlecast_owner;

COMMENT ON TABLE public.ml_settings IS 'Settings of the operator: one row per setting. Running sessions use a new value at their next
call.';

COMMENT ON COLUMN public.ml_settings.name IS 'Name of the setting.';

COMMENT ON COLUMN public.ml_settings.value IS 'Value as text. Null: the environment variable ML_<NAME> of the server, else the default.';

COMMENT ON COLUMN public.ml_settings.meaning IS 'Accepted values, meaning and default.';

CREATE TABLE public.model_artifacts (
    model_version_id bigint NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT model_artifacts_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
);
ALTER TABLE ONLY public.model_artifacts ALTER COLUMN content SET STORAGE EXTERNAL;

ALTER TABLE public.model_artifacts OWNER TO candlecast_owner;

COMMENT ON TABLE public.model_artifacts IS 'Files of the model versions: one row per version and file. Artifacts are code, so only
candlecast_cron may read their content.';

COMMENT ON COLUMN public.model_artifacts.model_version_id IS 'Version, model_versions.id.';

COMMENT ON COLUMN public.model_artifacts.name IS 'File name.';

COMMENT ON COLUMN public.model_artifacts.sha256 IS 'SHA-256 of the content, in hexadecimal, verified at loading.';

COMMENT ON COLUMN public.model_artifacts.content IS 'The bytes of the file.';

CREATE TABLE public.model_versions (
    id bigint NOT NULL,
    model_type text NOT NULL,
    version text NOT NULL,
    symbol text NOT NULL,
    model_path text NOT NULL,
    accuracy_1m numeric(5,4),
    rmse numeric(20,8),
    trained_at timestamp with time zone NOT NULL,
    training_from timestamp with time zone NOT NULL,
    training_to timestamp with time zone NOT NULL,
    features text[] NOT NULL,
    feature_hash text NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    metrics jsonb DEFAULT '{}'::jsonb NOT NULL,
    facts jsonb NOT NULL,
    git_commit text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_versions_accuracy_1m_check CHECK (((accuracy_1m >= (0)::numeric) AND (accuracy_1m <= (1)::numeric))),
    CONSTRAINT model_versions_check CHECK ((training_from < training_to)),
    CONSTRAINT model_versions_model_type_check CHECK ((model_type = ANY (ARRAY['mamba'::text, 'lgbm'::text]))),
    CONSTRAINT model_versions_rmse_check CHECK ((rmse >= (0)::numeric)),
    CONSTRAINT model_versions_symbol_check CHECK ((symbol <> ''::text)),
    CONSTRAINT model_versions_version_check CHECK ((version <> ''::text))
);

ALTER TABLE public.model_versions OWNER TO candlecast_owner;

COMMENT ON TABLE public.model_versions IS 'Trained models: one row per model type, symbol and version, written by register_model() and
never changed.';

COMMENT ON COLUMN public.model_versions.id IS 'Primary key.';

COMMENT ON COLUMN public.model_versions.model_type IS 'mamba or lgbm.';

COMMENT ON COLUMN public.model_versions.version IS 'Name of the version, unique per model type and symbol.';

COMMENT ON COLUMN public.model_versions.symbol IS 'Symbol that the version was trained for.';

COMMENT ON COLUMN public.model_versions.model_path IS 'Folder that the files were registered from. Informational.';

COMMENT ON COLUMN public.model_versions.accuracy_1m IS 'Direction accuracy at one minute on out-of-sample rows, a fraction.';

COMMENT ON COLUMN public.model_versions.rmse IS 'Root mean squared error of the log returns on out-of-sample rows, all horizons together.';

COMMENT ON COLUMN public.model_versions.trained_at IS 'When it was trained.';

COMMENT ON COLUMN public.model_versions.training_from IS 'First minute of the training rows.';

COMMENT ON COLUMN public.model_versions.training_to IS 'Last minute of the rows that the model was fitted on.';

COMMENT ON COLUMN public.model_versions.features IS 'Names of the features, in order.';

COMMENT ON COLUMN public.model_versions.feature_hash IS 'Hash of the feature definitions.';

COMMENT ON COLUMN public.model_versions.params IS 'Hyperparameters, from facts.';

COMMENT ON COLUMN public.model_versions.metrics IS 'Evaluation metrics, from facts.';

COMMENT ON COLUMN public.model_versions.facts IS 'The complete facts.json of the version.';

COMMENT ON COLUMN public.model_versions.git_commit IS 'Commit of the code that trained it.';

COMMENT ON COLUMN public.model_versions.created_at IS 'When it was registered.';

ALTER TABLE public.model_versions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.model_versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.predictions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.predictions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.symbol_health AS
 WITH newest AS MATERIALIZED (
         SELECT active.symbol,
            active.id AS ensemble_id,
            ( SELECT max(candle.open_time) AS max
                   FROM public.candles_1m candle
                  WHERE ((candle.symbol = active.symbol) AND (candle.open_time <= (now() - '00:01:00'::interval)))) AS newest_candle,
            ( SELECT min(candle.open_time) AS min
                   FROM public.candles_1m candle
                  WHERE ((candle.symbol = active.symbol) AND (candle.open_time > now()))) AS future_candle,
            ( SELECT max(prediction.candle_time) AS max
                   FROM public.predictions prediction
                  WHERE ((prediction.symbol = active.symbol) AND (prediction.ensemble_id = active.id) AND (prediction.candle_time > (now() - '7 days'::interval)))) AS newest_predicted,
            ( SELECT max(run.id) AS max
                   FROM public.inference_runs run
                  WHERE ((run.symbol = active.symbol) AND (run.ensemble_id = active.id) AND (run.status <> 'running'::text) AND (run.started_at > (now() - '01:00:00'::interval)))) AS last_run,
            ( SELECT min(model.trained_at) AS min
                   FROM public.model_versions model
                  WHERE (model.id = ANY (ARRAY[active.mamba_version_id, active.lgbm_version_id]))) AS trained_at
           FROM public.active_ensembles active
          WHERE active.is_active
        ), measured AS (
         SELECT newest.symbol,
            newest.ensemble_id,
            newest.newest_candle,
            newest.future_candle,
            newest.newest_predicted,
            newest.last_run,
            newest.trained_at,
            prediction.created_at AS last_prediction,
            ((EXTRACT(epoch FROM (now() - newest.newest_candle)))::double precision - (60)::double precision) AS candle_age,
            ((EXTRACT(epoch FROM (now() - newest.newest_predicted)))::double precision - (60)::double precision) AS prediction_age,
            ((EXTRACT(epoch FROM (prediction.created_at - newest.newest_predicted)))::double precision - (60)::double precision) AS prediction_lag,
            (EXTRACT(epoch FROM (now() - newest.trained_at)))::double precision AS model_age,
            run.status AS last_run_status,
            run.error AS last_error,
            score.rows AS rows_24h,
            score.accuracy AS accuracy_24h,
            score.low AS accuracy_low,
            score.high AS accuracy_high
           FROM (((newest
             LEFT JOIN public.predictions prediction ON (((newest.symbol = prediction.symbol) AND (newest.newest_predicted = prediction.candle_time) AND (newest.ensemble_id = prediction.ensemble_id) AND (prediction.horizon = 1))))
             LEFT JOIN public.inference_runs run ON ((newest.last_run = run.id)))
             LEFT JOIN public.accuracy_24h score ON (((newest.symbol = score.symbol) AND (newest.ensemble_id = score.ensemble_id) AND (score.horizon = 1) AND (score.state = 'active'::text))))
        ), assessed AS (
         SELECT measured.symbol,
            measured.ensemble_id,
            measured.newest_candle,
            measured.future_candle,
            measured.newest_predicted,
            measured.last_run,
            measured.trained_at,
            measured.last_prediction,
            measured.candle_age,
            measured.prediction_age,
            measured.prediction_lag,
            measured.model_age,
            measured.last_run_status,
            measured.last_error,
            measured.rows_24h,
            measured.accuracy_24h,
            measured.accuracy_low,
            measured.accuracy_high,
            freshness_limits.late_seconds,
            freshness_limits.missing_seconds,
            array_remove(ARRAY[
                CASE
                    WHEN (measured.newest_candle IS NULL) THEN 'there are no candles'::text
                    WHEN (measured.candle_age >= (freshness_limits.missing_seconds)::double precision) THEN ('no candle for '::text || justify_hours(make_interval(secs => floor(measured.candle_age))))
                    ELSE NULL::text
                END,
                CASE
                    WHEN (measured.newest_predicted IS NULL) THEN 'no prediction in 7 days'::text
                    WHEN (measured.prediction_age >= (freshness_limits.missing_seconds)::double precision) THEN ('no prediction for '::text || justify_hours(make_interval(secs => floor(measured.prediction_age))))
                    ELSE NULL::text
                END], NULL::text) AS failures,
            array_remove(ARRAY[
                CASE
                    WHEN ((measured.candle_age >= (freshness_limits.late_seconds)::double precision) AND (measured.candle_age < (freshness_limits.missing_seconds)::double precision)) THEN 'the candle is late'::text
                    ELSE NULL::text
                END,
                CASE
                    WHEN ((measured.prediction_age >= (freshness_limits.late_seconds)::double precision) AND (measured.prediction_age < (freshness_limits.missing_seconds)::double precision)) THEN 'the prediction is late'::text
                    ELSE NULL::text
                END,
                CASE
                    WHEN (measured.last_run_status = ANY (ARRAY['failed'::text, 'lost'::text])) THEN ((('the last run '::text || measured.last_run_status) || ': '::text) ||
                    CASE
                        WHEN (length(measured.last_error) > 500) THEN ("left"(measured.last_error, 500) || ' ...'::text)
                        ELSE measured.last_error
                    END)
                    ELSE NULL::text
                END,
                CASE
                    WHEN (measured.future_candle IS NOT NULL) THEN (('a candle is in the future, at '::text || to_char((measured.future_candle AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD HH24:MI'::text)) || ' UTC: its time is wrong, or the server''s clock is slow'::text)
                    ELSE NULL::text
                END,
                CASE
                    WHEN ((measured.rows_24h >= 300) AND (measured.accuracy_high < (0.5)::double precision)) THEN (('direction accuracy '::text || round(((100)::numeric * (measured.accuracy_24h)::numeric), 1)) || ' % over 24 hours: worse than chance'::text)
                    ELSE NULL::text
                END], NULL::text) AS doubts
           FROM (measured
             CROSS JOIN public.freshness_limits)
        )
 SELECT assessed.symbol,
        CASE
            WHEN (cardinality(assessed.failures) > 0) THEN 'down'::text
            WHEN (cardinality(assessed.doubts) > 0) THEN 'degraded'::text
            ELSE 'ok'::text
        END AS status,
    (assessed.failures || assessed.doubts) AS reasons,
    assessed.ensemble_id,
    assessed.newest_candle,
    assessed.newest_predicted,
    assessed.last_prediction,
    assessed.candle_age,
    assessed.prediction_age,
    assessed.prediction_lag,
    assessed.model_age,
    assessed.rows_24h,
    assessed.accuracy_24h,
    assessed.accuracy_low,
    assessed.accuracy_high,
    assessed.last_run_status,
    assessed.last_error,
    runs.failed AS failed_runs_1h,
    runs.skipped AS skipped_runs_1h
   FROM (assessed
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE (run.status = ANY (ARRAY['failed'::text, 'lost'::text]))) AS failed,
            count(*) FILTER (WHERE (run.status = ANY (ARRAY['no_candle'::text, 'stale'::text, 'disabled'::text]))) AS skipped
           FROM public.inference_runs run
          WHERE ((run.started_at > (now() - '01:00:00'::interval)) AND ((run.symbol IS NULL) OR ((run.symbol = assessed.symbol) AND (run.ensemble_id = assessed.ensemble_id))))) runs);

ALTER TABLE public.symbol_health OWNER TO candlecast_owner;

COMMENT ON VIEW public.symbol_health IS 'Health of each symbol''s forecasts: one row per symbol with an active ensemble. health() combines
the rows. A candle or a prediction is late or missing by freshness_limits. Accuracy is checked
from 300 rows on.';

COMMENT ON COLUMN public.symbol_health.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.symbol_health.status IS 'ok, degraded or down.';

COMMENT ON COLUMN public.symbol_health.reasons IS 'Why the status is not ok.';

COMMENT ON COLUMN public.symbol_health.ensemble_id IS 'Active ensemble, active_ensembles.id.';

COMMENT ON COLUMN public.symbol_health.newest_candle IS 'open_time of the newest closed candle.';

COMMENT ON COLUMN public.symbol_health.newest_predicted IS 'Newest candle_time that the active ensemble predicted from, within 7 days.';

COMMENT ON COLUMN public.symbol_health.last_prediction IS 'When that prediction was written.';

COMMENT ON COLUMN public.symbol_health.candle_age IS 'Seconds since the newest candle closed.';

COMMENT ON COLUMN public.symbol_health.prediction_age IS 'Seconds since the candle of newest_predicted closed.';

COMMENT ON COLUMN public.symbol_health.prediction_lag IS 'Seconds from the close of that candle to last_prediction.';

COMMENT ON COLUMN public.symbol_health.model_age IS 'Seconds since the older of the two versions was trained.';

COMMENT ON COLUMN public.symbol_health.rows_24h IS 'Predictions that accuracy_24h counts.';

COMMENT ON COLUMN public.symbol_health.accuracy_24h IS 'Direction accuracy at horizon 1 over the last 24 hours, a fraction.';

COMMENT ON COLUMN public.symbol_health.accuracy_low IS 'Lower end of its 95 % interval.';

COMMENT ON COLUMN public.symbol_health.accuracy_high IS 'Upper end of its 95 % interval.';

COMMENT ON COLUMN public.symbol_health.last_run_status IS 'Status of the last run of this hour.';

COMMENT ON COLUMN public.symbol_health.last_error IS 'Error of that run.';

COMMENT ON COLUMN public.symbol_health.failed_runs_1h IS 'Failed and lost runs in the last hour.';

COMMENT ON COLUMN public.symbol_health.skipped_runs_1h IS 'Runs of the last hour with status no_candle, stale or disabled.';

CREATE TABLE public.training_runs (
    id bigint NOT NULL,
    symbol text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    host text NOT NULL,
    pid integer NOT NULL,
    backend_pid integer DEFAULT pg_backend_pid() NOT NULL,
    window_from timestamp with time zone,
    window_to timestamp with time zone,
    test_from timestamp with time zone,
    version text,
    ensemble_id bigint,
    reason text,
    metrics jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT training_runs_finished CHECK (((status = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT training_runs_published CHECK (((status <> 'published'::text) OR (ensemble_id IS NOT NULL))),
    CONSTRAINT training_runs_status_check CHECK ((status = ANY (ARRAY['running'::text, 'published'::text, 'refused'::text, 'failed'::text, 'lost'::text]))),
    CONSTRAINT training_runs_symbol_check CHECK ((symbol <> ''::text))
);

ALTER TABLE public.training_runs OWNER TO candlecast_owner;

COMMENT ON TABLE public.training_runs IS 'Log of `candlecast retrain`: one row per run and symbol.
- running: not finished yet
- published: ensemble_id is on test, or waits for a free place
- refused: not better than the majority class
- failed: see reason
- lost: the process was killed before it finished';

COMMENT ON COLUMN public.training_runs.id IS 'Primary key.';

COMMENT ON COLUMN public.training_runs.symbol IS 'Market, as the exchange writes it: BTCUSDT.';

COMMENT ON COLUMN public.training_runs.status IS 'running, published, refused, failed or lost.';

COMMENT ON COLUMN public.training_runs.started_at IS 'When the run started.';

COMMENT ON COLUMN public.training_runs.finished_at IS 'When the run finished. Null while it is running.';

COMMENT ON COLUMN public.training_runs.host IS 'Host of the trainer.';

COMMENT ON COLUMN public.training_runs.pid IS 'Process id of the trainer.';

COMMENT ON COLUMN public.training_runs.backend_pid IS 'PostgreSQL process that held the advisory lock of the run.';

COMMENT ON COLUMN public.training_runs.window_from IS 'First candle of the requested range.';

COMMENT ON COLUMN public.training_runs.window_to IS 'End of the requested range (exclusive).';

COMMENT ON COLUMN public.training_runs.test_from IS 'First minute of the test rows.';

COMMENT ON COLUMN public.training_runs.version IS 'Name of the folders under models/.';

COMMENT ON COLUMN public.training_runs.ensemble_id IS 'Published ensemble, active_ensembles.id.';

COMMENT ON COLUMN public.training_runs.reason IS 'Why it was refused or failed, with figures.';

COMMENT ON COLUMN public.training_runs.metrics IS 'Figures of the comparison with the baseline, on_test, and the pruned versions.';

ALTER TABLE public.training_runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.training_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.ab_evaluations
    ADD CONSTRAINT ab_evaluations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.active_ensembles
    ADD CONSTRAINT active_ensembles_one_of_each UNIQUE NULLS NOT DISTINCT (symbol, mamba_version_id, lgbm_version_id, mamba_weight, calibration_sha256);

ALTER TABLE ONLY public.active_ensembles
    ADD CONSTRAINT active_ensembles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.candles_1m
    ADD CONSTRAINT candles_1m_pkey PRIMARY KEY (symbol, open_time);

ALTER TABLE ONLY public.consistency_checks
    ADD CONSTRAINT consistency_checks_one_a_day UNIQUE NULLS NOT DISTINCT (symbol, day, ensemble_id);

ALTER TABLE ONLY public.ensemble_events
    ADD CONSTRAINT ensemble_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.feature_drift
    ADD CONSTRAINT feature_drift_pkey PRIMARY KEY (symbol, day, ensemble_id, feature);

ALTER TABLE ONLY public.feed_status
    ADD CONSTRAINT feed_status_pkey PRIMARY KEY (symbol);

ALTER TABLE ONLY public.inference_runs
    ADD CONSTRAINT inference_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.loaded_archives
    ADD CONSTRAINT loaded_archives_pkey PRIMARY KEY (symbol, name);

ALTER TABLE ONLY public.migration_notes
    ADD CONSTRAINT migration_notes_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.ml_settings
    ADD CONSTRAINT ml_settings_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.model_artifacts
    ADD CONSTRAINT model_artifacts_pkey PRIMARY KEY (model_version_id, name);

ALTER TABLE ONLY public.model_versions
    ADD CONSTRAINT model_versions_id_model_type_feature_hash_key UNIQUE (id, model_type, feature_hash);

ALTER TABLE ONLY public.model_versions
    ADD CONSTRAINT model_versions_model_type_symbol_version_key UNIQUE (model_type, symbol, version);

ALTER TABLE ONLY public.model_versions
    ADD CONSTRAINT model_versions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.predictions_hourly
    ADD CONSTRAINT predictions_hourly_symbol_ensemble_id_horizon_hour_key UNIQUE NULLS NOT DISTINCT (symbol, ensemble_id, horizon, hour);

ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_symbol_candle_time_horizon_ensemble_id_key UNIQUE NULLS NOT DISTINCT (symbol, candle_time, horizon, ensemble_id);

ALTER TABLE ONLY public.runs_hourly
    ADD CONSTRAINT runs_hourly_symbol_ensemble_id_status_hour_key UNIQUE NULLS NOT DISTINCT (symbol, ensemble_id, status, hour);

ALTER TABLE ONLY public.training_runs
    ADD CONSTRAINT training_runs_pkey PRIMARY KEY (id);

CREATE INDEX ab_evaluations_by_challenger ON public.ab_evaluations USING btree (challenger_id, at_time DESC);

CREATE INDEX ab_evaluations_by_symbol ON public.ab_evaluations USING btree (symbol, at_time DESC);

CREATE UNIQUE INDEX active_ensembles_one_active_per_symbol ON public.active_ensembles USING btree (symbol) WHERE is_active;

CREATE UNIQUE INDEX active_ensembles_one_shadow_per_symbol ON public.active_ensembles USING btree (symbol) WHERE is_shadow;

CREATE INDEX ensemble_events_by_ensemble ON public.ensemble_events USING btree (ensemble_id, id);

CREATE INDEX ensemble_events_by_symbol ON public.ensemble_events USING btree (symbol, id);

CREATE INDEX inference_runs_by_start ON public.inference_runs USING btree (started_at);

CREATE INDEX inference_runs_by_symbol ON public.inference_runs USING btree (symbol, id DESC);

CREATE INDEX inference_runs_running ON public.inference_runs USING btree (id) WHERE (status = 'running'::text);

CREATE INDEX predictions_by_target ON public.predictions USING btree (symbol, target_time);

CREATE INDEX predictions_hourly_by_hour ON public.predictions_hourly USING btree (hour);

CREATE INDEX runs_hourly_by_hour ON public.runs_hourly USING btree (hour);

CREATE INDEX training_runs_by_symbol ON public.training_runs USING btree (symbol, id DESC);

CREATE INDEX training_runs_running ON public.training_runs USING btree (id) WHERE (status = 'running'::text);

CREATE TRIGGER ensemble_changed AFTER UPDATE ON public.active_ensembles FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.record_ensemble_event();

CREATE TRIGGER ensemble_created AFTER INSERT ON public.active_ensembles FOR EACH ROW EXECUTE FUNCTION public.record_ensemble_event();

ALTER TABLE ONLY public.ab_evaluations
    ADD CONSTRAINT ab_evaluations_active_id_fkey FOREIGN KEY (active_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.ab_evaluations
    ADD CONSTRAINT ab_evaluations_challenger_id_fkey FOREIGN KEY (challenger_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.active_ensembles
    ADD CONSTRAINT active_ensembles_change_evaluation_id_fkey FOREIGN KEY (change_evaluation_id) REFERENCES public.ab_evaluations(id);

ALTER TABLE ONLY public.active_ensembles
    ADD CONSTRAINT active_ensembles_lgbm_version_id_lgbm_type_feature_hash_fkey FOREIGN KEY (lgbm_version_id, lgbm_type, feature_hash) REFERENCES public.model_versions(id, model_type, feature_hash);

ALTER TABLE ONLY public.active_ensembles
    ADD CONSTRAINT active_ensembles_mamba_version_id_mamba_type_feature_hash_fkey FOREIGN KEY (mamba_version_id, mamba_type, feature_hash) REFERENCES public.model_versions(id, model_type, feature_hash);

ALTER TABLE ONLY public.consistency_checks
    ADD CONSTRAINT consistency_checks_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.ensemble_events
    ADD CONSTRAINT ensemble_events_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.ensemble_events
    ADD CONSTRAINT ensemble_events_evaluation_id_fkey FOREIGN KEY (evaluation_id) REFERENCES public.ab_evaluations(id);

ALTER TABLE ONLY public.feature_drift
    ADD CONSTRAINT feature_drift_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.inference_runs
    ADD CONSTRAINT inference_runs_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.model_artifacts
    ADD CONSTRAINT model_artifacts_model_version_id_fkey FOREIGN KEY (model_version_id) REFERENCES public.model_versions(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.predictions_hourly
    ADD CONSTRAINT predictions_hourly_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.runs_hourly
    ADD CONSTRAINT runs_hourly_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

ALTER TABLE ONLY public.training_runs
    ADD CONSTRAINT training_runs_ensemble_id_fkey FOREIGN KEY (ensemble_id) REFERENCES public.active_ensembles(id);

GRANT USAGE ON SCHEMA public TO candlecast_owner;
GRANT USAGE ON SCHEMA public TO candlecast_cron;
GRANT USAGE ON SCHEMA public TO candlecast_feeder;
GRANT USAGE ON SCHEMA public TO candlecast_trainer;
GRANT USAGE ON SCHEMA public TO candlecast_operator;
GRANT USAGE ON SCHEMA public TO candlecast_reader;

REVOKE ALL ON TYPE public.forecast FROM PUBLIC;
GRANT ALL ON TYPE public.forecast TO candlecast_reader;
GRANT ALL ON TYPE public.forecast TO candlecast_operator;
GRANT ALL ON TYPE public.forecast TO candlecast_trainer;

REVOKE ALL ON FUNCTION public.activate_ensemble(ensemble_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.activate_ensemble(ensemble_id bigint) TO candlecast_operator;

REVOKE ALL ON PROCEDURE public.aggregate_hours(IN from_time timestamp with time zone) FROM PUBLIC;
GRANT ALL ON PROCEDURE public.aggregate_hours(IN from_time timestamp with time zone) TO candlecast_cron;
GRANT ALL ON PROCEDURE public.aggregate_hours(IN from_time timestamp with time zone) TO candlecast_operator;

GRANT SELECT ON TABLE public.predictions_hourly TO candlecast_trainer;
GRANT SELECT ON TABLE public.predictions_hourly TO candlecast_operator;
GRANT SELECT ON TABLE public.predictions_hourly TO candlecast_reader;
GRANT SELECT,INSERT,DELETE ON TABLE public.predictions_hourly TO candlecast_cron;

REVOKE ALL ON FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_cron;
GRANT ALL ON FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_operator;
GRANT ALL ON FUNCTION public.aggregate_predictions_hourly(for_symbol text, from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_reader;

GRANT SELECT ON TABLE public.runs_hourly TO candlecast_trainer;
GRANT SELECT ON TABLE public.runs_hourly TO candlecast_operator;
GRANT SELECT ON TABLE public.runs_hourly TO candlecast_reader;
GRANT SELECT,INSERT,DELETE ON TABLE public.runs_hourly TO candlecast_cron;

REVOKE ALL ON FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_cron;
GRANT ALL ON FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_operator;
GRANT ALL ON FUNCTION public.aggregate_runs_hourly(from_hour timestamp with time zone, to_hour timestamp with time zone) TO candlecast_reader;

REVOKE ALL ON FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_cron;
GRANT ALL ON FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_feeder;
GRANT ALL ON FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_operator;
GRANT ALL ON FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_reader;

GRANT SELECT ON TABLE public.consistency_checks TO candlecast_cron;
GRANT SELECT ON TABLE public.consistency_checks TO candlecast_trainer;
GRANT SELECT ON TABLE public.consistency_checks TO candlecast_operator;
GRANT SELECT ON TABLE public.consistency_checks TO candlecast_reader;

REVOKE ALL ON FUNCTION public.check_consistency(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION public.check_consistency(day date) TO candlecast_cron;
GRANT ALL ON FUNCTION public.check_consistency(day date) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.create_ensemble(mamba_version_id bigint, lgbm_version_id bigint, mamba_weight double precision, is_test boolean, symbol text, calibration text, golden jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_ensemble(mamba_version_id bigint, lgbm_version_id bigint, mamba_weight double precision, is_test boolean, symbol text, calibration text, golden jsonb) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.create_ensemble(mamba_version_id bigint, lgbm_version_id bigint, mamba_weight double precision, is_test boolean, symbol text, calibration text, golden jsonb) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.data_metrics() FROM PUBLIC;
GRANT ALL ON FUNCTION public.data_metrics() TO candlecast_trainer;
GRANT ALL ON FUNCTION public.data_metrics() TO candlecast_operator;
GRANT ALL ON FUNCTION public.data_metrics() TO candlecast_reader;

REVOKE ALL ON FUNCTION public.decayed_sums_add(sums double precision[], close double precision, gain double precision, loss double precision) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.decayed_sums_remove(sums double precision[], close double precision, gain double precision, loss double precision) FROM PUBLIC;

GRANT SELECT ON TABLE public.ab_evaluations TO candlecast_cron;
GRANT SELECT ON TABLE public.ab_evaluations TO candlecast_trainer;
GRANT SELECT ON TABLE public.ab_evaluations TO candlecast_operator;
GRANT SELECT ON TABLE public.ab_evaluations TO candlecast_reader;

REVOKE ALL ON FUNCTION public.evaluate_ab(at_time timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.evaluate_ab(at_time timestamp with time zone) TO candlecast_cron;
GRANT ALL ON FUNCTION public.evaluate_ab(at_time timestamp with time zone) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_cron;
GRANT ALL ON FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_operator;
GRANT ALL ON FUNCTION public.features_between(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) TO candlecast_reader;

REVOKE ALL ON FUNCTION public.generate_demo_candles(until timestamp with time zone, days integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.generate_demo_candles(until timestamp with time zone, days integer) TO candlecast_cron;
GRANT ALL ON FUNCTION public.generate_demo_candles(until timestamp with time zone, days integer) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.health(for_symbol text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.health(for_symbol text) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.health(for_symbol text) TO candlecast_operator;
GRANT ALL ON FUNCTION public.health(for_symbol text) TO candlecast_reader;

REVOKE ALL ON FUNCTION public.inference_metrics() FROM PUBLIC;
GRANT ALL ON FUNCTION public.inference_metrics() TO candlecast_trainer;
GRANT ALL ON FUNCTION public.inference_metrics() TO candlecast_operator;
GRANT ALL ON FUNCTION public.inference_metrics() TO candlecast_reader;

GRANT SELECT ON TABLE public.feature_drift TO candlecast_cron;
GRANT SELECT ON TABLE public.feature_drift TO candlecast_trainer;
GRANT SELECT ON TABLE public.feature_drift TO candlecast_operator;
GRANT SELECT ON TABLE public.feature_drift TO candlecast_reader;

REVOKE ALL ON FUNCTION public.measure_drift(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION public.measure_drift(day date) TO candlecast_cron;
GRANT ALL ON FUNCTION public.measure_drift(day date) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.metrics() FROM PUBLIC;
GRANT ALL ON FUNCTION public.metrics() TO candlecast_trainer;
GRANT ALL ON FUNCTION public.metrics() TO candlecast_operator;
GRANT ALL ON FUNCTION public.metrics() TO candlecast_reader;

REVOKE ALL ON FUNCTION public.ml_setting(setting_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ml_setting(setting_name text) TO candlecast_cron;
GRANT ALL ON FUNCTION public.ml_setting(setting_name text) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.ml_setting(setting_name text) TO candlecast_operator;
GRANT ALL ON FUNCTION public.ml_setting(setting_name text) TO candlecast_reader;

REVOKE ALL ON FUNCTION public.monitoring_metrics() FROM PUBLIC;
GRANT ALL ON FUNCTION public.monitoring_metrics() TO candlecast_trainer;
GRANT ALL ON FUNCTION public.monitoring_metrics() TO candlecast_operator;
GRANT ALL ON FUNCTION public.monitoring_metrics() TO candlecast_reader;

REVOKE ALL ON FUNCTION public.out_of_sample_from(of_ensemble bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.out_of_sample_from(of_ensemble bigint) TO candlecast_cron;
GRANT ALL ON FUNCTION public.out_of_sample_from(of_ensemble bigint) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.out_of_sample_from(of_ensemble bigint) TO candlecast_operator;
GRANT ALL ON FUNCTION public.out_of_sample_from(of_ensemble bigint) TO candlecast_reader;

REVOKE ALL ON FUNCTION public.predict(for_symbol text, at_time timestamp with time zone, ensemble_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.predict(for_symbol text, at_time timestamp with time zone, ensemble_id bigint) TO candlecast_reader;
GRANT ALL ON FUNCTION public.predict(for_symbol text, at_time timestamp with time zone, ensemble_id bigint) TO candlecast_operator;
GRANT ALL ON FUNCTION public.predict(for_symbol text, at_time timestamp with time zone, ensemble_id bigint) TO candlecast_trainer;

REVOKE ALL ON FUNCTION public.predict_now(for_symbol text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.predict_now(for_symbol text) TO candlecast_reader;
GRANT ALL ON FUNCTION public.predict_now(for_symbol text) TO candlecast_operator;
GRANT ALL ON FUNCTION public.predict_now(for_symbol text) TO candlecast_trainer;

REVOKE ALL ON FUNCTION public.predict_range(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone, ensemble_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.predict_range(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone, ensemble_id bigint) TO candlecast_reader;
GRANT ALL ON FUNCTION public.predict_range(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone, ensemble_id bigint) TO candlecast_operator;
GRANT ALL ON FUNCTION public.predict_range(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone, ensemble_id bigint) TO candlecast_trainer;

REVOKE ALL ON FUNCTION public.preview_ab(at_time timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.preview_ab(at_time timestamp with time zone) TO candlecast_cron;
GRANT ALL ON FUNCTION public.preview_ab(at_time timestamp with time zone) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.preview_ab(at_time timestamp with time zone) TO candlecast_operator;
GRANT ALL ON FUNCTION public.preview_ab(at_time timestamp with time zone) TO candlecast_reader;

REVOKE ALL ON PROCEDURE public.prune_history(IN batch integer) FROM PUBLIC;
GRANT ALL ON PROCEDURE public.prune_history(IN batch integer) TO candlecast_cron;

REVOKE ALL ON FUNCTION public.prune_measurements() FROM PUBLIC;
GRANT ALL ON FUNCTION public.prune_measurements() TO candlecast_cron;
GRANT ALL ON FUNCTION public.prune_measurements() TO candlecast_operator;

REVOKE ALL ON FUNCTION public.prune_versions(older_than interval, keep integer, for_symbol text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.prune_versions(older_than interval, keep integer, for_symbol text) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.prune_versions(older_than interval, keep integer, for_symbol text) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.record_ensemble_event() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.register_model(model_type text, version text, symbol text, model_path text, facts jsonb, names text[], contents bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.register_model(model_type text, version text, symbol text, model_path text, facts jsonb, names text[], contents bytea[]) TO candlecast_trainer;

REVOKE ALL ON FUNCTION public.rollback_ensemble(for_symbol text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.rollback_ensemble(for_symbol text) TO candlecast_operator;

REVOKE ALL ON PROCEDURE public.run_inference(IN at_time timestamp with time zone) FROM PUBLIC;
GRANT ALL ON PROCEDURE public.run_inference(IN at_time timestamp with time zone) TO candlecast_cron;

REVOKE ALL ON FUNCTION public.test_ensemble(ensemble_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.test_ensemble(ensemble_id bigint) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.test_ensemble(ensemble_id bigint) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.wilson_interval(share double precision, trials double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.wilson_interval(share double precision, trials double precision) TO candlecast_cron;
GRANT ALL ON FUNCTION public.wilson_interval(share double precision, trials double precision) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.wilson_interval(share double precision, trials double precision) TO candlecast_operator;
GRANT ALL ON FUNCTION public.wilson_interval(share double precision, trials double precision) TO candlecast_reader;

REVOKE ALL ON FUNCTION public.withdraw_ensemble(ensemble_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.withdraw_ensemble(ensemble_id bigint) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.withdraw_ensemble(ensemble_id bigint) TO candlecast_operator;

REVOKE ALL ON FUNCTION public.decayed_sums(double precision, double precision, double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decayed_sums(double precision, double precision, double precision) TO candlecast_cron;
GRANT ALL ON FUNCTION public.decayed_sums(double precision, double precision, double precision) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.decayed_sums(double precision, double precision, double precision) TO candlecast_operator;
GRANT ALL ON FUNCTION public.decayed_sums(double precision, double precision, double precision) TO candlecast_reader;

REVOKE ALL ON FUNCTION public.paired_moments(double precision, double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.paired_moments(double precision, double precision) TO candlecast_cron;
GRANT ALL ON FUNCTION public.paired_moments(double precision, double precision) TO candlecast_trainer;
GRANT ALL ON FUNCTION public.paired_moments(double precision, double precision) TO candlecast_operator;
GRANT ALL ON FUNCTION public.paired_moments(double precision, double precision) TO candlecast_reader;

GRANT SELECT ON TABLE public.ab_status TO candlecast_trainer;
GRANT SELECT ON TABLE public.ab_status TO candlecast_operator;
GRANT SELECT ON TABLE public.ab_status TO candlecast_reader;

GRANT SELECT ON TABLE public.active_ensembles TO candlecast_cron;
GRANT SELECT ON TABLE public.active_ensembles TO candlecast_trainer;
GRANT SELECT ON TABLE public.active_ensembles TO candlecast_operator;
GRANT SELECT ON TABLE public.active_ensembles TO candlecast_reader;

GRANT SELECT,INSERT,UPDATE ON TABLE public.candles_1m TO candlecast_feeder;
GRANT SELECT,DELETE ON TABLE public.candles_1m TO candlecast_operator;
GRANT SELECT ON TABLE public.candles_1m TO candlecast_cron;
GRANT SELECT ON TABLE public.candles_1m TO candlecast_trainer;
GRANT SELECT ON TABLE public.candles_1m TO candlecast_reader;

GRANT SELECT,INSERT,DELETE ON TABLE public.predictions TO candlecast_cron;
GRANT SELECT ON TABLE public.predictions TO candlecast_trainer;
GRANT SELECT ON TABLE public.predictions TO candlecast_operator;
GRANT SELECT ON TABLE public.predictions TO candlecast_reader;

GRANT SELECT ON TABLE public.prediction_outcomes TO candlecast_cron;
GRANT SELECT ON TABLE public.prediction_outcomes TO candlecast_trainer;
GRANT SELECT ON TABLE public.prediction_outcomes TO candlecast_operator;
GRANT SELECT ON TABLE public.prediction_outcomes TO candlecast_reader;

GRANT SELECT ON TABLE public.accuracy_24h TO candlecast_trainer;
GRANT SELECT ON TABLE public.accuracy_24h TO candlecast_operator;
GRANT SELECT ON TABLE public.accuracy_24h TO candlecast_reader;

GRANT SELECT ON TABLE public.accuracy_by_coverage TO candlecast_trainer;
GRANT SELECT ON TABLE public.accuracy_by_coverage TO candlecast_operator;
GRANT SELECT ON TABLE public.accuracy_by_coverage TO candlecast_reader;

GRANT SELECT ON TABLE public.predicted_symbols TO candlecast_cron;
GRANT SELECT ON TABLE public.predicted_symbols TO candlecast_trainer;
GRANT SELECT ON TABLE public.predicted_symbols TO candlecast_operator;
GRANT SELECT ON TABLE public.predicted_symbols TO candlecast_reader;

GRANT SELECT ON TABLE public.accuracy_hourly TO candlecast_trainer;
GRANT SELECT ON TABLE public.accuracy_hourly TO candlecast_operator;
GRANT SELECT ON TABLE public.accuracy_hourly TO candlecast_reader;

GRANT SELECT ON TABLE public.candle_symbols TO candlecast_cron;
GRANT SELECT ON TABLE public.candle_symbols TO candlecast_feeder;
GRANT SELECT ON TABLE public.candle_symbols TO candlecast_trainer;
GRANT SELECT ON TABLE public.candle_symbols TO candlecast_operator;
GRANT SELECT ON TABLE public.candle_symbols TO candlecast_reader;

GRANT SELECT ON TABLE public.feed_status TO candlecast_cron;
GRANT SELECT ON TABLE public.feed_status TO candlecast_trainer;
GRANT SELECT,DELETE ON TABLE public.feed_status TO candlecast_operator;
GRANT SELECT ON TABLE public.feed_status TO candlecast_reader;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.feed_status TO candlecast_feeder;

GRANT SELECT ON TABLE public.candle_status TO candlecast_feeder;
GRANT SELECT ON TABLE public.candle_status TO candlecast_trainer;
GRANT SELECT ON TABLE public.candle_status TO candlecast_operator;
GRANT SELECT ON TABLE public.candle_status TO candlecast_reader;

GRANT SELECT ON TABLE public.ensemble_events TO candlecast_cron;
GRANT SELECT ON TABLE public.ensemble_events TO candlecast_trainer;
GRANT SELECT ON TABLE public.ensemble_events TO candlecast_operator;
GRANT SELECT ON TABLE public.ensemble_events TO candlecast_reader;

GRANT SELECT ON TABLE public.ensemble_history TO candlecast_trainer;
GRANT SELECT ON TABLE public.ensemble_history TO candlecast_operator;
GRANT SELECT ON TABLE public.ensemble_history TO candlecast_reader;

GRANT SELECT ON TABLE public.ensemble_leaderboard TO candlecast_trainer;
GRANT SELECT ON TABLE public.ensemble_leaderboard TO candlecast_operator;
GRANT SELECT ON TABLE public.ensemble_leaderboard TO candlecast_reader;

GRANT SELECT ON TABLE public.features_1m TO candlecast_cron;
GRANT SELECT ON TABLE public.features_1m TO candlecast_trainer;
GRANT SELECT ON TABLE public.features_1m TO candlecast_operator;
GRANT SELECT ON TABLE public.features_1m TO candlecast_reader;

GRANT SELECT ON TABLE public.freshness_limits TO candlecast_trainer;
GRANT SELECT ON TABLE public.freshness_limits TO candlecast_operator;
GRANT SELECT ON TABLE public.freshness_limits TO candlecast_reader;

GRANT SELECT ON TABLE public.inference_runs TO candlecast_trainer;
GRANT SELECT ON TABLE public.inference_runs TO candlecast_operator;
GRANT SELECT ON TABLE public.inference_runs TO candlecast_reader;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.inference_runs TO candlecast_cron;

GRANT SELECT ON TABLE public.latest_predictions TO candlecast_trainer;
GRANT SELECT ON TABLE public.latest_predictions TO candlecast_operator;
GRANT SELECT ON TABLE public.latest_predictions TO candlecast_reader;

GRANT SELECT ON TABLE public.loaded_archives TO candlecast_trainer;
GRANT SELECT,DELETE ON TABLE public.loaded_archives TO candlecast_operator;
GRANT SELECT ON TABLE public.loaded_archives TO candlecast_reader;
GRANT SELECT,INSERT,UPDATE ON TABLE public.loaded_archives TO candlecast_feeder;

GRANT SELECT ON TABLE public.ml_settings TO candlecast_cron;
GRANT SELECT ON TABLE public.ml_settings TO candlecast_trainer;
GRANT SELECT ON TABLE public.ml_settings TO candlecast_operator;
GRANT SELECT ON TABLE public.ml_settings TO candlecast_reader;

GRANT UPDATE(value) ON TABLE public.ml_settings TO candlecast_operator;

GRANT SELECT ON TABLE public.model_artifacts TO candlecast_cron;

GRANT SELECT(model_version_id) ON TABLE public.model_artifacts TO candlecast_trainer;
GRANT SELECT(model_version_id) ON TABLE public.model_artifacts TO candlecast_operator;
GRANT SELECT(model_version_id) ON TABLE public.model_artifacts TO candlecast_reader;

GRANT SELECT(name) ON TABLE public.model_artifacts TO candlecast_trainer;
GRANT SELECT(name) ON TABLE public.model_artifacts TO candlecast_operator;
GRANT SELECT(name) ON TABLE public.model_artifacts TO candlecast_reader;

GRANT SELECT(sha256) ON TABLE public.model_artifacts TO candlecast_trainer;
GRANT SELECT(sha256) ON TABLE public.model_artifacts TO candlecast_operator;
GRANT SELECT(sha256) ON TABLE public.model_artifacts TO candlecast_reader;

GRANT SELECT ON TABLE public.model_versions TO candlecast_cron;
GRANT SELECT ON TABLE public.model_versions TO candlecast_trainer;
GRANT SELECT ON TABLE public.model_versions TO candlecast_operator;
GRANT SELECT ON TABLE public.model_versions TO candlecast_reader;

GRANT SELECT ON TABLE public.symbol_health TO candlecast_trainer;
GRANT SELECT ON TABLE public.symbol_health TO candlecast_operator;
GRANT SELECT ON TABLE public.symbol_health TO candlecast_reader;

GRANT SELECT ON TABLE public.training_runs TO candlecast_operator;
GRANT SELECT ON TABLE public.training_runs TO candlecast_reader;
GRANT SELECT,INSERT,UPDATE ON TABLE public.training_runs TO candlecast_trainer;
