create or replace function record_ensemble_event()
returns trigger
language plpgsql
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Functions set changed_at; an update of the table by hand leaves it as it is.
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
        case when directly then 'changed directly in the table' else new.change_reason end,
        case when not directly then new.change_evaluation_id end
    )
    returning * into written;
    -- A payload is limited to 8,000 bytes: 1,000 characters of the reason are at most 6,000 as JSON.
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
comment on function record_ensemble_event() is
'Trigger of active_ensembles: writes each change of state to ensemble_events and notifies the
channel candlecast.';
