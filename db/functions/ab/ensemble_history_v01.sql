create or replace view ensemble_history as
select
    entry.symbol,
    entry.ensemble_id,
    entry.recorded_at as live_from,
    coalesce(successor.recorded_at, leaving.recorded_at) as live_to,
    entry.event as came_by,
    entry.reason as came_because,
    entry.at_time as decided_at,
    entry.changed_by,
    entry.evaluation_id,
    leaving.event as went_by,
    leaving.reason as went_because
from public.ensemble_events as entry
left join lateral (
    select
        later.id,
        later.recorded_at,
        later.event,
        later.reason
    from public.ensemble_events as later
    where later.ensemble_id = entry.ensemble_id and later.id > entry.id and later.from_state = 'active'
    order by later.id
    limit 1
) as leaving on true
left join public.ensemble_events as successor
    on leaving.id + 1 = successor.id and entry.symbol = successor.symbol and successor.to_state = 'active'
where entry.to_state = 'active';
alter view ensemble_history owner to candlecast_owner;
grant select on ensemble_history to candlecast_trainer, candlecast_operator, candlecast_reader;
comment on view ensemble_history is
'Periods in which an ensemble was the active one of its symbol, with the reasons: one row per
period.';
comment on column ensemble_history.symbol is 'Market, as the exchange writes it: BTCUSDT.';
comment on column ensemble_history.ensemble_id is 'Ensemble, active_ensembles.id.';
comment on column ensemble_history.live_from is 'Start of the period (server clock).';
comment on column ensemble_history.live_to is 'End of the period (server clock). Null: still active.';
comment on column ensemble_history.came_by is 'Event that made it active, see ensemble_events.';
comment on column ensemble_history.came_because is 'Reason of that event.';
comment on column ensemble_history.decided_at is 'at_time of that event.';
comment on column ensemble_history.changed_by is 'User of the session that made it active.';
comment on column ensemble_history.evaluation_id is 'Evaluation that decided it, ab_evaluations.id. Null: none did.';
comment on column ensemble_history.went_by is 'Event that ended the period. Null: still active.';
comment on column ensemble_history.went_because is 'Reason of that event.';
