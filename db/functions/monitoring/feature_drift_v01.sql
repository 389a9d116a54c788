-- feature_drift: how far each day's features lie from those that the active models were trained on.
--
-- Grain    one row per symbol, day (UTC), ensemble that was active when it was measured, and feature; written by
--          measure_drift(day), again where the day is measured again.
-- Columns  rows: minutes of the day with features. psi: population stability index over the deciles of a version's training
--          rows, after its normalization; ks: Kolmogorov-Smirnov distance, at most 0.05 under the true one.
--          threshold: 0.25, or what the furthest day of the training itself had, whichever is more: slow features
--          (volatility) lie elsewhere on most days. drifted: psi is above it. model_type and version: of the ensemble's two
--          the one that the day lies further from; both are alike where they were trained together.
-- Limits   they are null where reason says why nothing is measured; beside figures, it is of the other version.
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
