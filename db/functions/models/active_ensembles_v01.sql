-- change_evaluation_id gets its foreign key in ab/ab_evaluations_v01.sql: the two tables reference each other.
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
comment on table active_ensembles is
'Ensembles, active or not: one row per Mamba version, LightGBM version, weight and calibration of
a symbol.
- active: serves predict_now(); at most one per symbol
- test: predicts every minute; evaluate_ab() compares it with the active one
- shadow: was active before a promotion, and predicts until the promotion is evaluated; at most
  one per symbol
- retired: was active, on test or in shadow
- waiting: created, none of these yet';
comment on column active_ensembles.id is 'Primary key.';
comment on column active_ensembles.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column active_ensembles.mamba_version_id is 'Mamba version, model_versions.id.';
comment on column active_ensembles.lgbm_version_id is 'LightGBM version, model_versions.id.';
comment on column active_ensembles.feature_hash is 'Hash of the feature definitions, the same for both versions.';
comment on column active_ensembles.mamba_type is 'Always mamba, for the foreign key.';
comment on column active_ensembles.lgbm_type is 'Always lgbm, for the foreign key.';
comment on column active_ensembles.mamba_weight is
'Weight of the Mamba version, 0 to 1. Null: the setting mamba_weight.';
comment on column active_ensembles.is_active is 'True in state active.';
comment on column active_ensembles.is_test is 'True in state test.';
comment on column active_ensembles.is_shadow is 'True in state shadow.';
comment on column active_ensembles.is_retired is 'True in state retired.';
comment on column active_ensembles.state is 'active, test, shadow, retired or waiting.';
comment on column active_ensembles.created_at is 'When it was created.';
comment on column active_ensembles.activated_at is 'When it last became active (server clock).';
comment on column active_ensembles.deactivated_at is
'When it last stopped being active (server clock). Null: never, or not a rollback candidate.';
comment on column active_ensembles.rolled_back_at is
'When a rollback replaced it (server clock). Null after it is activated again.';
comment on column active_ensembles.changed_at is 'Start of the state. After evaluate_ab(at_time): at_time.';
comment on column active_ensembles.change_event is 'Event of the last change, see ensemble_events.event.';
comment on column active_ensembles.change_reason is 'Reason of the last change.';
comment on column active_ensembles.change_evaluation_id is
'Evaluation that decided the last change, ab_evaluations.id.';
comment on column active_ensembles.calibration is
'Text of calibration.json: probability, interval, training ranges. Null: uncalibrated.';
comment on column active_ensembles.calibration_sha256 is 'SHA-256 of calibration, verified at loading.';
comment on column active_ensembles.golden is
'Test vectors: raw windows and the outputs that the ensemble must return for them.';
