create or replace function withdraw_ensemble(ensemble_id bigint)
returns boolean
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
from candlecast.server.registry.ensembles import withdraw_ensemble
return withdraw_ensemble(plpy, GD, ensemble_id)
$$;
alter function withdraw_ensemble(bigint) owner to candlecast_owner;
revoke all on function withdraw_ensemble(bigint) from public;
grant execute on function withdraw_ensemble(bigint) to candlecast_trainer, candlecast_operator;
comment on function withdraw_ensemble(bigint) is
'Takes an ensemble off test; its predictions stay. Returns false, and changes nothing, if it is
not on test.';
