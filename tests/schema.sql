-- pg_dump --schema-only on PostgreSQL 15, settings and comments left out. Written by: make golden

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

CREATE FUNCTION public.activate_ensemble(ensemble_id bigint) RETURNS void
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import activate_ensemble
activate_ensemble(plpy, GD, ensemble_id)
$$;

ALTER FUNCTION public.activate_ensemble(ensemble_id bigint) OWNER TO candlecast_owner;

CREATE PROCEDURE public.aggregate_hours(IN from_time timestamp with time zone DEFAULT NULL::timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
declare
    zero constant timestamptz := '2000-01-01 00:00:00+00';
    ends_at constant timestamptz := pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - interval '6 minutes', zero);
    again constant interval := case
        when extract(hour from pg_catalog.clock_timestamp() at time zone 'UTC') = 0 then interval '30 hours'
        else interval '3 hours'
    end;
    whose text;
    oldest timestamptz;
    start_hour timestamptz;
    stop_hour timestamptz;
begin
    for whose, oldest in select s.symbol, s.first_candle_time from public.predicted_symbols as s loop
        select pg_catalog.date_bin('1 hour', greatest(coalesce(from_time, max(h.hour) - again), oldest), zero)
        into start_hour
        from public.predictions_hourly as h where h.symbol = whose;
        while start_hour < ends_at loop
            stop_hour := least(start_hour + interval '1 day', ends_at);
            perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('candlecast aggregate_hours', 0));
            delete from public.predictions_hourly as h
            where h.symbol = whose and h.hour >= start_hour and h.hour < stop_hour;
            insert into public.predictions_hourly
            select * from public.aggregate_predictions_hourly(whose, start_hour, stop_hour);
            commit;
            start_hour := stop_hour;
        end loop;
    end loop;
    select pg_catalog.date_bin('1 hour', greatest(
        coalesce(from_time, (select max(h.hour) from public.runs_hourly as h) - again),
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

CREATE FUNCTION public.candle_gaps(for_symbol text, from_time timestamp with time zone, to_time timestamp with time zone) RETURNS TABLE(first_missing timestamp with time zone, last_missing timestamp with time zone, minutes bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
with asked as (
    select
        date_bin('1 minute', from_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as start,
        date_bin('1 minute', to_time + interval '59.999999 s', timestamptz '2000-01-01 00:00:00+00') as stop
),
edges as (
    select start - interval '1 minute' as open_time from asked
    union all
    select candle.open_time
    from public.candles_1m as candle
    where
        candle.symbol = for_symbol
        and candle.open_time >= (select start from asked) and candle.open_time < (select stop from asked)
    union all
    select stop from asked
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
    ('ml_candles_missing_24h', '{}'::jsonb, candles.missing_24h::double precision, 'minutes without a candle, last 24 hours'),
    (
        'ml_feed_state',
        jsonb_build_object('state', candles.feed_state),
        case when candles.feed_state is not null then 1 end,
        '1 for the state that the feed is in'
    )
) as figure (name, labels, value, help)
where figure.value is not null
$$;

ALTER FUNCTION public.data_metrics() OWNER TO candlecast_owner;

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

CREATE FUNCTION public.decayed_sums_remove(sums double precision[], close double precision, gain double precision, loss double precision) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
begin
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
sums_of_5 as (
    select c.*, sum(c.close) over w5 as closes_5, sum(c.volume) over w5 as volumes_5, sum(c.quote_asset_volume) over w5 as quotes_5,
        public.paired_moments(ln(c.close / c.close_1), ln(c.close_1 / c.close_2)) over w5 as moments_5
    from candles as c
    window w5 as (order by c.open_time rows 4 preceding)
),
sums_of_15_and_20 as ( -- lag heeds no frame: w149 is decayed_sums' own, shared so that one pass does both
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
    -- Roll's estimate; an autocorrelation within 1e-6 of 0 is rounding, which the root would blow up
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
            when last_run is null then 'run_inference() is not called: it never began'
            when last_status = 'running'
                then 'the run that began ' || justify_hours(date_trunc('second', now() - last_run)) || ' ago has not ended'
            else 'run_inference() is not called: it began last '
                || justify_hours(date_trunc('second', now() - last_run)) || ' ago'
        end;
    end if;
    select reasons || coalesce(array_agg((found.value ->> 'symbol') || ': ' || reason.said), '{}') into reasons
    from jsonb_array_elements(coalesce(each_symbol, '[]')) as found,
        jsonb_array_elements_text(found.value -> 'reasons') as reason (said);

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
        ('ml_candle_age_seconds', symbols.found -> 'candle_age', 'since the newest closed candle ended'),
        ('ml_prediction_age_seconds', symbols.found -> 'prediction_age', 'since the newest candle predicted from ended'),
        ('ml_prediction_lag_seconds', symbols.found -> 'prediction_lag', 'from a candle''s end to its prediction, newest'),
        ('ml_model_age_seconds', symbols.found -> 'model_age', 'since the older active model was trained'),
        ('ml_model_version_current', symbols.found -> 'ensemble_id', 'id of the active ensemble'),
        ('ml_inference_failed_1h', symbols.found -> 'failed_runs_1h', 'runs that failed or were lost in the last hour'),
        ('ml_inference_skipped_1h', symbols.found -> 'skipped_runs_1h', 'runs without a candle, or switched off, last hour'),
        ('ml_health', case symbols.found ->> 'status' when 'ok' then '1' when 'degraded' then '0.5' else '0' end::jsonb,
        '1 ok, 0.5 degraded, 0 down')
    ) as found (name, value, help)
    cross join lateral (
        select found.name, jsonb_build_object('symbol', symbols.found ->> 'symbol') as labels, found.value, found.help
    ) as figure
)
select 'ml_inference_latency_ms_bucket', jsonb_build_object('symbol', latency.symbol, 'le', bound.le), bucket.total,
    'histogram', 'milliseconds from the candle seen to the predictions written'
from latency
cross join lateral unnest(latency.buckets) with ordinality as bucket (total, place)
inner join unnest(array['5', '10', '25', '50', '100', '250', '500', '1000', '5000', '+Inf'])
    with ordinality as bound (le, place) on bucket.place = bound.place
union all
select 'ml_inference_latency_ms_sum', jsonb_build_object('symbol', latency.symbol), latency.spent,
    'histogram', 'milliseconds from the candle seen to the predictions written'
from latency
union all
select 'ml_inference_latency_ms_count', jsonb_build_object('symbol', latency.symbol), latency.timed,
    'histogram', 'milliseconds from the candle seen to the predictions written'
from latency
union all
select 'ml_inference_runs_total', jsonb_build_object('symbol', coalesce(runs.symbol, ''), 'status', runs.status),
    sum(runs.runs), 'counter', 'inference runs by how they ended'
from runs group by runs.symbol, runs.status
union all
select counted.name, jsonb_build_object(
        'symbol', predicted.symbol, 'horizon', predicted.horizon::text,
        'ensemble', coalesce(predicted.ensemble_id::text, 'files')
    ), counted.total, 'counter', counted.help
from predicted
cross join lateral (values
    ('ml_predictions_total', predicted.predictions, 'predictions stored, of ensembles that are not retired'),
    ('ml_predictions_abstained_total', predicted.abstained, 'predictions that abstained')
) as counted (name, total, help)
union all
select judged.name, jsonb_build_object(
        'symbol', score.symbol, 'horizon', score.horizon::text, 'ensemble', score.ensemble_id::text, 'state', score.state
    ), judged.value, 'gauge', judged.help
from public.accuracy_24h as score
cross join lateral (values
    ('ml_inference_accuracy_24h', score.accuracy, 'share of directions that were right in the last 24 hours'),
    ('ml_inference_accuracy_24h_low', score.low, 'lower end of that share''s 95 % interval'),
    ('ml_inference_accuracy_24h_high', score.high, 'upper end of that share''s 95 % interval'),
    ('ml_inference_accuracy_24h_rows', score.rows, 'predictions that the share is of')
) as judged (name, value, help)
union all
select figures.name, figures.labels, (figures.value #>> '{}')::double precision, 'gauge', figures.help
from figures where figures.value <> 'null'
union all
select 'ml_run_age_seconds', '{}', (health.found -> 'scheduler' ->> 'seconds_ago')::double precision, 'gauge',
    'since run_inference() began last: each minute while there are candles'
from health where health.found -> 'scheduler' ->> 'seconds_ago' is not null
union all
select 'ml_model_expiry_seconds', '{}', (health.found ->> 'model_expiry_seconds')::double precision, 'gauge',
    'the setting model_expiry: older models bring a warning'
from health where health.found ->> 'model_expiry_seconds' is not null
union all
select 'ml_inference_enabled', '{}', (health.found ->> 'ml_inference_enabled')::boolean::integer, 'gauge',
    '1 where the setting enabled is true; absent where the settings cannot be read'
from health where health.found ->> 'ml_inference_enabled' is not null
$$;

ALTER FUNCTION public.inference_metrics() OWNER TO candlecast_owner;

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

CREATE FUNCTION public.ml_setting(setting_name text) RETURNS text
    LANGUAGE plpython3u STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.settings import ml_setting
return ml_setting(plpy, GD, setting_name)
$$;

ALTER FUNCTION public.ml_setting(setting_name text) OWNER TO candlecast_owner;

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
        ('ml_feature_drift_psi', drift.psi, 'population stability index of the newest measured day against the training'),
        ('ml_feature_drift_ks', drift.ks, 'Kolmogorov-Smirnov distance of that day from the training')
    ) as measured (name, value, help)
    union all
    select measured.name, jsonb_build_object('symbol', summed.symbol), measured.value, measured.help
    from (
        select drift.symbol, drift.day, count(*) filter (where drift.drifted) as drifted
        from drift group by drift.symbol, drift.day
    ) as summed
    cross join lateral (values
        ('ml_features_drifted', summed.drifted, 'features that lie further off than 0.25 and than any training day'),
        ('ml_feature_drift_age_seconds', extract(epoch from now() at time zone 'UTC' - (summed.day + 1)),
        'since the newest day whose drift is measured ended')
    ) as measured (name, value, help)
    union all
    select measured.name, jsonb_build_object('symbol', checks.symbol), measured.value, measured.help
    from checks
    cross join lateral (values
        ('ml_prediction_mismatches', checks.mismatches - checks.corrected,
        'sampled minutes that do not come out again, from the same candles: must be 0'),
        ('ml_prediction_mismatches_corrected', checks.corrected,
        'sampled minutes that come out otherwise, since a candle was corrected'),
        ('ml_prediction_checks_failed', checks.unchecked, 'ensembles whose predictions cannot be computed again'),
        ('ml_prediction_check_age_seconds', extract(epoch from now() at time zone 'UTC' - (checks.day + 1)),
        'since the newest checked day ended')
    ) as measured (name, value, help)
) as figure (name, labels, value, help)
where figure.value is not null
$$;

ALTER FUNCTION public.monitoring_metrics() OWNER TO candlecast_owner;

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

CREATE FUNCTION public.predict_now(for_symbol text DEFAULT 'BTCUSDT'::text) RETURNS SETOF public.forecast
    LANGUAGE plpython3u SECURITY DEFINER ROWS 5
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
from candlecast.server.predict import predict_now
return predict_now(plpy, GD, for_symbol)
$$;

ALTER FUNCTION public.predict_now(for_symbol text) OWNER TO candlecast_owner;

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

CREATE PROCEDURE public.prune_history(IN batch integer DEFAULT 10000)
    LANGUAGE plpgsql
    AS $_$
declare
    zero constant timestamptz := '2000-01-01 00:00:00+00';
    keep_predictions constant interval := nullif(public.ml_setting('keep_predictions'), 'none')::interval;
    keep_runs constant interval := nullif(public.ml_setting('keep_runs'), 'none')::interval;
    until timestamptz;
    whose text;
    gone bigint;
begin
    for whose in select s.symbol from public.predicted_symbols as s loop
        select least(
            pg_catalog.date_bin('1 hour', pg_catalog.clock_timestamp() - keep_predictions, zero),
            max(h.hour) + interval '1 hour'
        ) into until
        from public.predictions_hourly as h where h.symbol = whose having count(*) > 0 and keep_predictions is not null;
        loop
            delete from public.predictions as old using (
                select p.id from public.predictions as p
                where p.symbol = whose and p.candle_time < until order by p.candle_time limit batch
            ) as batched
            where old.id = batched.id;
            get diagnostics gone = row_count;
            commit;
            exit when gone < batch;
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
        get diagnostics gone = row_count;
        commit;
        exit when gone < batch;
    end loop;
    if keep_runs is not null and pg_catalog.to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < $1' using pg_catalog.clock_timestamp() - keep_runs;
    end if;
end
$_$;

ALTER PROCEDURE public.prune_history(IN batch integer) OWNER TO candlecast_owner;

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

CREATE FUNCTION public.record_ensemble_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
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
        case when directly then 'changed in the table itself' else new.change_reason end,
        case when not directly then new.change_evaluation_id end
    )
    returning * into written;
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

CREATE FUNCTION public.register_model(model_type text, version text, symbol text, model_path text, facts jsonb, names text[], contents bytea[]) RETURNS bigint
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.versions import register_model
return register_model(plpy, GD, model_type, version, symbol, model_path, facts, names, contents)
$$;

ALTER FUNCTION public.register_model(model_type text, version text, symbol text, model_path text, facts jsonb, names text[], contents bytea[]) OWNER TO candlecast_owner;

CREATE FUNCTION public.rollback_ensemble(for_symbol text DEFAULT 'BTCUSDT'::text) RETURNS bigint
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import rollback_ensemble
return rollback_ensemble(plpy, GD, for_symbol)
$$;

ALTER FUNCTION public.rollback_ensemble(for_symbol text) OWNER TO candlecast_owner;

CREATE PROCEDURE public.run_inference(IN at_time timestamp with time zone DEFAULT NULL::timestamp with time zone)
    LANGUAGE plpython3u
    AS $$
from candlecast.server.run_inference import run_inference
run_inference(plpy, GD, at_time)
$$;

ALTER PROCEDURE public.run_inference(IN at_time timestamp with time zone) OWNER TO candlecast_owner;

CREATE FUNCTION public.test_ensemble(ensemble_id bigint) RETURNS boolean
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import test_ensemble
return test_ensemble(plpy, GD, ensemble_id)
$$;

ALTER FUNCTION public.test_ensemble(ensemble_id bigint) OWNER TO candlecast_owner;

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

CREATE FUNCTION public.withdraw_ensemble(ensemble_id bigint) RETURNS boolean
    LANGUAGE plpython3u SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
from candlecast.server.registry.ensembles import withdraw_ensemble
return withdraw_ensemble(plpy, GD, ensemble_id)
$$;

ALTER FUNCTION public.withdraw_ensemble(ensemble_id bigint) OWNER TO candlecast_owner;

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

CREATE AGGREGATE public.paired_moments(double precision, double precision) (
    SFUNC = float8_regr_accum,
    STYPE = double precision[],
    INITCOND = '{0,0,0,0,0,0}',
    COMBINEFUNC = float8_regr_combine,
    PARALLEL = safe
);

ALTER AGGREGATE public.paired_moments(double precision, double precision) OWNER TO candlecast_owner;

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

ALTER TABLE public.ensemble_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ensemble_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.ensemble_history AS
 SELECT came.symbol,
    came.ensemble_id,
    came.recorded_at AS live_from,
    COALESCE(successor.recorded_at, went.recorded_at) AS live_to,
    came.event AS came_by,
    came.reason AS came_because,
    came.at_time AS decided_at,
    came.changed_by,
    came.evaluation_id,
    went.event AS went_by,
    went.reason AS went_because
   FROM ((public.ensemble_events came
     LEFT JOIN LATERAL ( SELECT later.id,
            later.recorded_at,
            later.event,
            later.reason
           FROM public.ensemble_events later
          WHERE ((later.ensemble_id = came.ensemble_id) AND (later.id > came.id) AND (later.from_state = 'active'::text))
          ORDER BY later.id
         LIMIT 1) went ON (true))
     LEFT JOIN public.ensemble_events successor ON ((((went.id + 1) = successor.id) AND (came.symbol = successor.symbol) AND (successor.to_state = 'active'::text))))
  WHERE (came.to_state = 'active'::text);

ALTER TABLE public.ensemble_history OWNER TO candlecast_owner;

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
        ), unseen AS MATERIALIZED (
         SELECT active_ensembles.id AS ensemble_id,
            public.out_of_sample_from(active_ensembles.id) AS out_of_sample_from
           FROM public.active_ensembles
        ), counted AS (
         SELECT live.symbol,
            windows.window_length,
            seen.horizon,
            seen.ensemble_id,
            seen.rows,
            seen.hits
           FROM ((live
             CROSS JOIN ( VALUES ('01:00:00'::interval), ('24:00:00'::interval), ('7 days'::interval)) windows(window_length))
             CROSS JOIN LATERAL ( SELECT outcome.horizon,
                    outcome.ensemble_id,
                    count(*) AS rows,
                    count(*) FILTER (WHERE outcome.direction_hit) AS hits
                   FROM (public.prediction_outcomes outcome
                     JOIN unseen ON (((outcome.ensemble_id = unseen.ensemble_id) AND (outcome.candle_time >= unseen.out_of_sample_from))))
                  WHERE ((outcome.symbol = live.symbol) AND (outcome.candle_time >= (live.ends_at - windows.window_length)) AND (outcome.candle_time < live.ends_at) AND (outcome.direction_hit IS NOT NULL))
                  GROUP BY outcome.horizon, outcome.ensemble_id) seen)
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

CREATE VIEW public.freshness_limits AS
 SELECT 75 AS late_seconds,
    180 AS missing_seconds;

ALTER TABLE public.freshness_limits OWNER TO candlecast_owner;

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

CREATE TABLE public.migration_notes (
    name text NOT NULL,
    note jsonb NOT NULL
);

ALTER TABLE public.migration_notes OWNER TO superuser;

COMMENT ON TABLE public.migration_notes IS 'What was here before candlecast; its downgrade reads it. Not for users.';

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

CREATE TABLE public.model_artifacts (
    model_version_id bigint NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT model_artifacts_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
);
ALTER TABLE ONLY public.model_artifacts ALTER COLUMN content SET STORAGE EXTERNAL;

ALTER TABLE public.model_artifacts OWNER TO candlecast_owner;

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
        ), judged AS (
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
                    WHEN (measured.newest_candle IS NULL) THEN 'there is no candle'::text
                    WHEN (measured.candle_age >= (freshness_limits.missing_seconds)::double precision) THEN ('no candle for '::text || justify_hours(make_interval(secs => floor(measured.candle_age))))
                    ELSE NULL::text
                END,
                CASE
                    WHEN (measured.newest_predicted IS NULL) THEN 'nothing was predicted in 7 days'::text
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
                    WHEN (measured.future_candle IS NOT NULL) THEN (('a candle lies in the future, at '::text || to_char((measured.future_candle AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD HH24:MI'::text)) || ' UTC: its time is wrong, or the server''s clock is slow'::text)
                    ELSE NULL::text
                END,
                CASE
                    WHEN ((measured.rows_24h >= 300) AND (measured.accuracy_high < (0.5)::double precision)) THEN (('right in '::text || round(((100)::numeric * (measured.accuracy_24h)::numeric), 1)) || ' % of 24 hours: worse than chance'::text)
                    ELSE NULL::text
                END], NULL::text) AS doubts
           FROM (measured
             CROSS JOIN public.freshness_limits)
        )
 SELECT judged.symbol,
        CASE
            WHEN (cardinality(judged.failures) > 0) THEN 'down'::text
            WHEN (cardinality(judged.doubts) > 0) THEN 'degraded'::text
            ELSE 'ok'::text
        END AS status,
    (judged.failures || judged.doubts) AS reasons,
    judged.ensemble_id,
    judged.newest_candle,
    judged.newest_predicted,
    judged.last_prediction,
    judged.candle_age,
    judged.prediction_age,
    judged.prediction_lag,
    judged.model_age,
    judged.rows_24h,
    judged.accuracy_24h,
    judged.accuracy_low,
    judged.accuracy_high,
    judged.last_run_status,
    judged.last_error,
    runs.failed AS failed_runs_1h,
    runs.skipped AS skipped_runs_1h
   FROM (judged
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE (run.status = ANY (ARRAY['failed'::text, 'lost'::text]))) AS failed,
            count(*) FILTER (WHERE (run.status = ANY (ARRAY['no_candle'::text, 'stale'::text, 'disabled'::text]))) AS skipped
           FROM public.inference_runs run
          WHERE ((run.started_at > (now() - '01:00:00'::interval)) AND ((run.symbol IS NULL) OR ((run.symbol = judged.symbol) AND (run.ensemble_id = judged.ensemble_id))))) runs);

ALTER TABLE public.symbol_health OWNER TO candlecast_owner;

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
