-- model_versions: what was trained, on what, and how good it was.
--
-- Grain    one row per model type, symbol and version; written by register_model() and never changed.
-- Units    accuracy_1m is direction accuracy at one minute, a fraction, on rows the model never saw;
--          rmse is the root mean squared error of its log returns there, over all five horizons together.
create table model_versions (
    id bigint generated always as identity primary key,
    model_type text not null check (model_type in ('mamba', 'lgbm')),
    version text not null check (version <> ''),
    symbol text not null check (symbol <> ''),
    model_path text not null,
    accuracy_1m numeric(5, 4) check (accuracy_1m between 0 and 1),
    rmse numeric(20, 8) check (rmse >= 0),
    trained_at timestamptz not null,
    training_from timestamptz not null,
    training_to timestamptz not null,
    features text [] not null,
    feature_hash text not null,
    params jsonb not null default '{}',
    metrics jsonb not null default '{}',
    facts jsonb not null,
    git_commit text,
    created_at timestamptz not null default now(),
    unique (model_type, symbol, version),
    unique (id, model_type, feature_hash),
    check (training_from < training_to)
);
alter table model_versions owner to candlecast_owner;
grant select on model_versions to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
