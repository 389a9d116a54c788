-- active_ensembles: one Mamba version and one LightGBM version, and the weight that joins them.
--
-- Grain    one row per pair and weight. At most one is active for a symbol; any number are on test beside it;
--          the others wait or are retired. mamba_weight null: as the setting mamba_weight says.
-- Limits   both versions are of one feature hash; rolled_back_at marks what rollback_ensemble() left.
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
    created_at timestamptz not null default now(),
    activated_at timestamptz,
    deactivated_at timestamptz,
    rolled_back_at timestamptz,
    foreign key (mamba_version_id, mamba_type, feature_hash) references model_versions (id, model_type, feature_hash),
    foreign key (lgbm_version_id, lgbm_type, feature_hash) references model_versions (id, model_type, feature_hash),
    unique nulls not distinct (symbol, mamba_version_id, lgbm_version_id, mamba_weight),
    constraint active_ensembles_active_or_test check (not (is_active and is_test))
);
create unique index active_ensembles_one_active_per_symbol on active_ensembles (symbol) where is_active;
alter table active_ensembles owner to candlecast_owner;
grant select on active_ensembles to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
