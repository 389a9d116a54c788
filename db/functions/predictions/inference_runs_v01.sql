-- inference_runs: what every run_inference() did, good or bad. A failed minute is a row, not a gap.
--
-- Grain    one row per run and ensemble (symbol and ensemble null where there was nothing to run).
-- Status   running   not finished yet
--          predicted five rows were written        already    another run had written them
--          no_candle the minute's candle did not come within candle_timeout
--          stale     the symbol's newest candle is over an hour old; logged once when that begins
--          failed    error says why                 lost       the backend ended before it could say
--          disabled  inference is switched off      no_ensemble  nothing is active or on test
-- Columns  warning says what is wrong with a run that goes on all the same: its models are older than model_expiry allows.
-- Units    milliseconds; wait_ms is the wait for the candle, latency_ms from the candle seen to the commit's start.
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
