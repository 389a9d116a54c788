create table ensemble_events (
    id bigint generated always as identity primary key,
    symbol text not null,
    ensemble_id bigint not null references active_ensembles (id),
    event text not null check (event in (
        'created', 'tested', 'activated', 'promoted', 'restored', 'replaced', 'rolled_back', 'retired', 'withdrawn',
        'changed'
    )),
    from_state text,
    to_state text not null,
    at_time timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    reason text,
    evaluation_id bigint references ab_evaluations (id),
    changed_by name not null default session_user
);
create index ensemble_events_by_symbol on ensemble_events (symbol, id);
create index ensemble_events_by_ensemble on ensemble_events (ensemble_id, id);
alter table ensemble_events owner to candlecast_owner;
grant select on ensemble_events to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on table ensemble_events is
'History of the states of ensembles: one row per change, written by a trigger on
active_ensembles, never changed.
- created
- tested: put on test
- activated: by hand
- promoted: by evaluate_ab()
- restored: active again by a rollback
- replaced: another one became active
- rolled_back: a rollback replaced it
- retired: by evaluate_ab(), or because another one became active
- withdrawn: off test, by hand
- changed: directly in the table, by no function of candlecast';
comment on column ensemble_events.id is 'Primary key.';
comment on column ensemble_events.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column ensemble_events.ensemble_id is 'Ensemble, active_ensembles.id.';
comment on column ensemble_events.event is 'What happened, see the comment of the table.';
comment on column ensemble_events.from_state is 'Previous state. Null: created.';
comment on column ensemble_events.to_state is 'New state.';
comment on column ensemble_events.at_time is 'When the change takes effect. After evaluate_ab(at_time): at_time.';
comment on column ensemble_events.recorded_at is 'When the row was written (server clock).';
comment on column ensemble_events.reason is 'Reason of the change.';
comment on column ensemble_events.evaluation_id is 'Evaluation that decided it, ab_evaluations.id. Null: none did.';
comment on column ensemble_events.changed_by is 'User of the session that made the change.';
