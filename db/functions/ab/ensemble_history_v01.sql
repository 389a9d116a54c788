-- ensemble_history: which ensemble was live when, why it came, and why it went.
--
-- Grain    one row per stretch in which an ensemble was its symbol's active one; live_to null: it still is.
-- Times    live_from and live_to, which is the next one's live_from, are the server's clock; decided_at is the clock of the
--          candles (evaluate_ab's at_time).
create or replace view ensemble_history as
select
    came.symbol,
    came.ensemble_id,
    came.recorded_at as live_from,
    coalesce(successor.recorded_at, went.recorded_at) as live_to,
    came.event as came_by,
    came.reason as came_because,
    came.at_time as decided_at,
    came.changed_by,
    came.evaluation_id,
    went.event as went_by,
    went.reason as went_because
from public.ensemble_events as came
left join lateral (
    select
        later.id,
        later.recorded_at,
        later.event,
        later.reason
    from public.ensemble_events as later
    where later.ensemble_id = came.ensemble_id and later.id > came.id and later.from_state = 'active'
    order by later.id
    limit 1
) as went on true
left join public.ensemble_events as successor
    on went.id + 1 = successor.id and came.symbol = successor.symbol and successor.to_state = 'active'
where came.to_state = 'active';
alter view ensemble_history owner to candlecast_owner;
grant select on ensemble_history to candlecast_trainer, candlecast_operator, candlecast_reader;
