create table feature_drift (
    symbol text not null,
    day date not null,
    ensemble_id bigint not null references active_ensembles (id),
    feature text not null,
    rows integer not null check (rows >= 0),
    psi double precision check (psi >= 0),
    ks double precision check (ks between 0 and 1),
    threshold double precision check (threshold > 0),
    drifted boolean generated always as (psi > threshold) stored,
    model_type text check (model_type in ('mamba', 'lgbm')),
    version text,
    reason text,
    measured_at timestamptz not null default clock_timestamp(),
    primary key (symbol, day, ensemble_id, feature),
    constraint feature_drift_measured_or_why check (
        num_nulls(psi, ks, threshold, model_type, version) in (0, 5) and num_nulls(psi, reason) < 2
    )
);
alter table feature_drift owner to candlecast_owner;
grant select on feature_drift to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on table feature_drift is
'Daily drift of the features of the active ensembles: one row per symbol, day (UTC), ensemble and
feature, written by measure_drift(). Of the ensemble''s two versions a row has the one with the
larger drift. The figures are null if reason says why nothing was measured.';
comment on column feature_drift.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column feature_drift.day is 'Day (UTC).';
comment on column feature_drift.ensemble_id is 'Ensemble that was active at the measurement, active_ensembles.id.';
comment on column feature_drift.feature is 'Name of the feature.';
comment on column feature_drift.rows is 'Minutes of the day that have features.';
comment on column feature_drift.psi is 'Population stability index over the deciles of the normalized training rows.';
comment on column feature_drift.ks is 'Kolmogorov-Smirnov distance, 0 to 1, at most 0.05 below the exact one.';
comment on column feature_drift.threshold is
'Limit of psi: 0.25, or the largest psi of a training day if that is more.';
comment on column feature_drift.drifted is 'True if psi is above threshold.';
comment on column feature_drift.model_type is 'Model type of the measured version: mamba or lgbm.';
comment on column feature_drift.version is 'Name of the measured version.';
comment on column feature_drift.reason is 'Why nothing was measured. With figures: why the other version was not.';
comment on column feature_drift.measured_at is 'When it was measured.';
