create or replace function monitoring_metrics()
returns table (name text, labels jsonb, value double precision, type text, help text)
language sql
stable parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
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
alter function monitoring_metrics() owner to candlecast_owner;
revoke all on function monitoring_metrics() from public;
grant execute on function monitoring_metrics() to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function monitoring_metrics() is
'The metrics of drift and consistency checks, a part of metrics(): for each symbol with an active
ensemble, its newest complete day that was measured.';
