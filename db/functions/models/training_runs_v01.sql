-- training_runs: what every `candlecast retrain` did, good or bad. A night without a new model is a row that says why.
--
-- Grain    one row per run and symbol, written by the trainer.
-- Status   running   not finished yet           published  ensemble_id is on test, or waits for a place
--          refused   the gate: not better than the majority baseline; reason has the figures
--          failed    reason says why            lost       its process ended before it could say (killed, or the machine)
-- Columns  window_from to window_to are the candles that were asked for, test_from where the test part begins; version is
--          the name of the folders under models/; host and pid are the trainer's, backend_pid is the server's process
--          that held the run's advisory lock; metrics hold the gate's figures, on_test, and what was pruned.
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
