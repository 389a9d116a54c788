create table inference_runs (
    id bigint generated always as identity primary key,
    symbol text,
    ensemble_id bigint references active_ensembles (id),
    candle_time timestamptz not null,
    status text not null check (
        status in ('running', 'predicted', 'already', 'no_candle', 'stale', 'failed', 'lost', 'disabled', 'no_ensemble')
    ),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    backend_pid integer not null default pg_backend_pid(),
    mamba_runtime text,
    load_ms double precision,
    wait_ms double precision,
    features_ms double precision,
    models_ms double precision,
    write_ms double precision,
    latency_ms double precision,
    error text,
    error_sqlstate text,
    warning text
);
create index inference_runs_by_start on inference_runs (started_at);
create index inference_runs_by_symbol on inference_runs (symbol, id desc);
create index inference_runs_running on inference_runs (id) where status = 'running';
alter table inference_runs owner to candlecast_owner;
grant select on inference_runs to candlecast_trainer, candlecast_operator, candlecast_reader;
grant select, insert, update, delete on inference_runs to candlecast_cron;
comment on table inference_runs is
'Log of run_inference(), including failures: one row per run and ensemble.
- running: not finished yet
- predicted: five rows were written
- already: another run had written them
- no_candle: the candle did not arrive within candle_timeout
- stale: the symbol''s newest candle is over an hour old; logged once
- failed: see error
- lost: the backend ended before it finished
- disabled: inference is disabled
- no_ensemble: nothing is active or on test';
comment on column inference_runs.id is 'Primary key.';
comment on column inference_runs.symbol is 'Market. Null if there was nothing to run.';
comment on column inference_runs.ensemble_id is
'Ensemble, active_ensembles.id. Null: none, or model files of the server''s environment.';
comment on column inference_runs.candle_time is 'Minute of the run: open_time of the candle to predict from.';
comment on column inference_runs.status is
'running, predicted, already, no_candle, stale, failed, lost, disabled or no_ensemble.';
comment on column inference_runs.started_at is 'When the run started.';
comment on column inference_runs.finished_at is 'When the run finished.';
comment on column inference_runs.backend_pid is 'PostgreSQL process of the run.';
comment on column inference_runs.mamba_runtime is 'Runtime of Mamba: onnx or torchscript.';
comment on column inference_runs.load_ms is 'Milliseconds to load the models.';
comment on column inference_runs.wait_ms is 'Milliseconds from the start of the run to the candle.';
comment on column inference_runs.features_ms is 'Milliseconds to read the features.';
comment on column inference_runs.models_ms is 'Milliseconds to run the models.';
comment on column inference_runs.write_ms is 'Milliseconds to write the predictions.';
comment on column inference_runs.latency_ms is 'Milliseconds from the detected candle to the start of the commit.';
comment on column inference_runs.error is 'Error message with its remedy.';
comment on column inference_runs.error_sqlstate is 'SQLSTATE of the error.';
comment on column inference_runs.warning is
'Problem that did not stop the run: the models are older than model_expiry.';
