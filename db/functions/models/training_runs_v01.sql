create table training_runs (
    id bigint generated always as identity primary key,
    symbol text not null check (symbol <> ''),
    status text not null default 'running' check (status in ('running', 'published', 'refused', 'failed', 'lost')),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    host text not null,
    pid integer not null,
    backend_pid integer not null default pg_backend_pid(),
    window_from timestamptz,
    window_to timestamptz,
    test_from timestamptz,
    version text,
    ensemble_id bigint references active_ensembles (id),
    reason text,
    metrics jsonb not null default '{}',
    constraint training_runs_finished check ((status = 'running') = (finished_at is null)),
    constraint training_runs_published check (status <> 'published' or ensemble_id is not null)
);
create index training_runs_by_symbol on training_runs (symbol, id desc);
create index training_runs_running on training_runs (id) where status = 'running';
alter table training_runs owner to candlecast_owner;
grant select on training_runs to candlecast_operator, candlecast_reader;
grant select, insert, update on training_runs to candlecast_trainer;
comment on table training_runs is
'Log of `candlecast retrain`: one row per run and symbol.
- running: not finished yet
- published: ensemble_id is on test, or waits for a free place
- refused: not better than the majority class
- failed: see reason
- lost: the process was killed before it finished';
comment on column training_runs.id is 'Primary key.';
comment on column training_runs.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column training_runs.status is 'running, published, refused, failed or lost.';
comment on column training_runs.started_at is 'When the run started.';
comment on column training_runs.finished_at is 'When the run finished. Null while it is running.';
comment on column training_runs.host is 'Host of the trainer.';
comment on column training_runs.pid is 'Process id of the trainer.';
comment on column training_runs.backend_pid is 'PostgreSQL process that held the advisory lock of the run.';
comment on column training_runs.window_from is 'First candle of the requested range.';
comment on column training_runs.window_to is 'End of the requested range (exclusive).';
comment on column training_runs.test_from is 'First minute of the test rows.';
comment on column training_runs.version is 'Name of the folders under models/.';
comment on column training_runs.ensemble_id is 'Published ensemble, active_ensembles.id.';
comment on column training_runs.reason is 'Why it was refused or failed, with figures.';
comment on column training_runs.metrics is
'Figures of the comparison with the baseline, on_test, and the pruned versions.';
