-- record_ensemble_event: the trigger that keeps ensemble_events whole, and tells who listens on the channel candlecast.
--
-- Whoever changes a state leaves a row, a superuser who updates the table by hand too: such a change has the changed_at of
-- the one before it, by which it is told apart. A notification holds under 8,000 bytes; a thousand characters are at most
-- 6,000, as JSON escapes them.
create or replace function record_ensemble_event()
returns trigger
language plpgsql
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    directly boolean := tg_op = 'UPDATE' and new.changed_at is not distinct from old.changed_at;
    written public.ensemble_events;
begin
    insert into public.ensemble_events (
        symbol, ensemble_id, event, from_state, to_state, at_time, reason, evaluation_id
    )
    values (
        new.symbol, new.id,
        case when directly then 'changed' else new.change_event end,
        case when tg_op = 'UPDATE' then old.state end,
        new.state,
        case when directly then clock_timestamp() else new.changed_at end,
        case when directly then 'changed in the table itself' else new.change_reason end,
        case when not directly then new.change_evaluation_id end
    )
    returning * into written;
    if written.event <> 'created' then
        perform pg_notify('candlecast', json_build_object(
            'event', written.event, 'symbol', written.symbol, 'ensemble_id', written.ensemble_id,
            'from_state', written.from_state, 'to_state', written.to_state,
            'at_time', written.at_time, 'reason', left(written.reason, 1000)
        )::text);
    end if;
    return null;
end
$$;
alter function record_ensemble_event() owner to candlecast_owner;
revoke all on function record_ensemble_event() from public;
create trigger ensemble_created after insert on active_ensembles
for each row execute function record_ensemble_event();
create trigger ensemble_changed after update on active_ensembles
for each row when (old.state is distinct from new.state) execute function record_ensemble_event();
