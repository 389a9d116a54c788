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
comment on table model_versions is
'Trained models: one row per model type, symbol and version, written by register_model() and
never changed.';
comment on column model_versions.id is 'Primary key.';
comment on column model_versions.model_type is 'mamba or lgbm.';
comment on column model_versions.version is 'Name of the version, unique per model type and symbol.';
comment on column model_versions.symbol is 'Symbol that the version was trained for.';
comment on column model_versions.model_path is 'Folder that the files were registered from. Informational.';
comment on column model_versions.accuracy_1m is 'Direction accuracy at one minute on out-of-sample rows, a fraction.';
comment on column model_versions.rmse is
'Root mean squared error of the log returns on out-of-sample rows, all horizons together.';
comment on column model_versions.trained_at is 'When it was trained.';
comment on column model_versions.training_from is 'First minute of the training rows.';
comment on column model_versions.training_to is 'Last minute of the rows that the model was fitted on.';
comment on column model_versions.features is 'Names of the features, in order.';
comment on column model_versions.feature_hash is 'Hash of the feature definitions.';
comment on column model_versions.params is 'Hyperparameters, from facts.';
comment on column model_versions.metrics is 'Evaluation metrics, from facts.';
comment on column model_versions.facts is 'The complete facts.json of the version.';
comment on column model_versions.git_commit is 'Commit of the code that trained it.';
comment on column model_versions.created_at is 'When it was registered.';
