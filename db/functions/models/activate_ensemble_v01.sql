create or replace function activate_ensemble(ensemble_id bigint)
returns void
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
from candlecast.server.registry.ensembles import activate_ensemble
activate_ensemble(plpy, GD, ensemble_id)
$$;
alter function activate_ensemble(bigint) owner to candlecast_owner;
revoke all on function activate_ensemble(bigint) from public;
grant execute on function activate_ensemble(bigint) to candlecast_operator;
comment on function activate_ensemble(bigint) is
'Makes an ensemble the active one of its symbol, after it was loaded and its test vectors passed.
Other sessions use it at their next call after COMMIT. ROLLBACK undoes it.';
