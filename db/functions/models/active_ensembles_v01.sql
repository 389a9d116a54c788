-- active_ensembles: one Mamba version and one LightGBM version, the weight that joins them, and the state they are in.
--
-- Grain     one row per pair, weight and calibration. At most one active and one shadow for a symbol; at most
--           max_test_ensembles on test predict. mamba_weight null: as the setting mamba_weight says.
-- State     active   serves predict_now()
--           test     predicts beside the active one; evaluate_ab() compares them
--           shadow   was active until another was promoted; predicts on until it is judged against that one
--           retired  was active, on test or a shadow
--           waiting  created, and none of these yet
-- Columns   calibration is the text of the ensemble's calibration.json: probabilities, prediction interval, the range of
--           features that training saw (candlecast/core/calibration.py reads it); null: the pair is uncalibrated.
--           calibration_sha256 is of that text; serving holds the text to it, and to the row's own mamba_weight.
--           golden has raw windows with the final outputs that the pair must give before it goes live.
-- Times     changed_at is since when the state holds, by the clock of the candles: a decision of evaluate_ab(at_time) holds
--           since at_time. activated_at, deactivated_at and rolled_back_at are the server's clock; rolled_back_at marks what
--           rollback_ensemble() left.
-- Limits    both versions are of one feature hash. change_evaluation_id references ab_evaluations, which references this
--           table: its foreign key stands in ab/ab_evaluations_v01.sql, behind the second of the two.
create table active_ensembles (
    id bigint generated always as identity primary key,
    symbol text not null check (symbol <> ''),
    mamba_version_id bigint not null,
    lgbm_version_id bigint not null,
    feature_hash text not null,
    mamba_type text not null generated always as ('mamba') stored,
    lgbm_type text not null generated always as ('lgbm') stored,
    mamba_weight numeric(5, 4) default 0.5 check (mamba_weight between 0 and 1),
    is_active boolean not null default false,
    is_test boolean not null default false,
    is_shadow boolean not null default false,
    is_retired boolean not null default false,
    state text not null generated always as (
        case
            when is_active then 'active'
            when is_test then 'test'
            when is_shadow then 'shadow'
            when is_retired then 'retired'
            else 'waiting'
        end
    ) stored,
    created_at timestamptz not null default now(),
    activated_at timestamptz,
    deactivated_at timestamptz,
    rolled_back_at timestamptz,
    changed_at timestamptz not null default clock_timestamp(),
    change_event text not null default 'created',
    change_reason text,
    change_evaluation_id bigint,
    calibration text,
    calibration_sha256 text check (calibration_sha256 ~ '^[0-9a-f]{64}$'),
    golden jsonb,
    foreign key (mamba_version_id, mamba_type, feature_hash) references model_versions (id, model_type, feature_hash),
    foreign key (lgbm_version_id, lgbm_type, feature_hash) references model_versions (id, model_type, feature_hash),
    constraint active_ensembles_one_of_each
    unique nulls not distinct (symbol, mamba_version_id, lgbm_version_id, mamba_weight, calibration_sha256),
    constraint active_ensembles_active_or_test check (not (is_active and is_test)),
    constraint active_ensembles_one_state check (
        is_active::integer + is_test::integer + is_shadow::integer + is_retired::integer <= 1
    ),
    constraint active_ensembles_calibration_whole check (num_nulls(calibration, calibration_sha256, golden) in (0, 3)),
    constraint active_ensembles_calibration_of_a_weight check (calibration is null or mamba_weight is not null)
);
create unique index active_ensembles_one_active_per_symbol on active_ensembles (symbol) where is_active;
create unique index active_ensembles_one_shadow_per_symbol on active_ensembles (symbol) where is_shadow;
alter table active_ensembles owner to candlecast_owner;
grant select on active_ensembles to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
