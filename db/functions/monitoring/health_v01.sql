create or replace function health(for_symbol text default null)
returns jsonb
language plpgsql
stable parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
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
alter function health(text) owner to candlecast_owner;
revoke all on function health(text) from public;
grant execute on function health(text) to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function health(text) is
'Health of the forecasts as JSON, as /health serves it. status is ok, degraded (see reasons) or
down: no forecast, or no fresh one. It is the worst status of all symbols. The top-level figures
are of one symbol: for_symbol, else BTCUSDT if it has an active ensemble, else the first by
name. `symbols` has the rows of symbol_health. `scheduler` has the last start of
run_inference(), which is a reason only if the status is not ok. It raises no errors of its own:
what it cannot determine is a reason.';
