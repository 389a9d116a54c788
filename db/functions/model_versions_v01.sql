-- model_versions: what was trained, on what, and how good it was.
--
-- Grain    one row per model type, symbol and version; written by register_model() and never changed.
-- Units    accuracy_1m is direction accuracy at one minute, a fraction, on rows the model never saw;
--          rmse is the root mean squared error of its one-minute log returns there.
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

-- model_artifacts: the bytes that the database serves; a model is deployed by COMMIT and undone by ROLLBACK.
--
-- Grain    one row per version and file. Only what predicts may read content: artifacts are code (see the README).
create table model_artifacts (
    model_version_id bigint not null references model_versions (id) on delete cascade,
    name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    content bytea not null,
    primary key (model_version_id, name)
);
alter table model_artifacts alter column content set storage external;
alter table model_artifacts owner to candlecast_owner;
grant select on model_artifacts to candlecast_cron;
grant select (model_version_id, name, sha256) on model_artifacts
to candlecast_trainer, candlecast_operator, candlecast_reader;
