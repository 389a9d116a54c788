-- ensemble_events: every change of an ensemble's state, by whom and why. Written by a trigger on active_ensembles.
--
-- Grain    one row per change; rows are added, never changed.
-- Event    created   tested     activated (by hand)    promoted (by evaluate_ab)   restored (active again, rolled back to)
--          replaced (active until another came)        rolled_back (active until it was rolled back)
--          retired   withdrawn (off test, by hand)     changed (in the table itself, by no function of candlecast)
-- Times    at_time is the clock of the candles: evaluate_ab(at_time) decides as of then. recorded_at is the server's.
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
