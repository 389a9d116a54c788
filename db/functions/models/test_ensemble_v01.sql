create or replace function test_ensemble(ensemble_id bigint)
returns boolean
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
from candlecast.server.registry.ensembles import test_ensemble
return test_ensemble(plpy, GD, ensemble_id)
$$;
alter function test_ensemble(bigint) owner to candlecast_owner;
revoke all on function test_ensemble(bigint) from public;
grant execute on function test_ensemble(bigint) to candlecast_trainer, candlecast_operator;
comment on function test_ensemble(bigint) is
'Puts an ensemble on test, after its test vectors passed. Returns whether it is on test: an
active ensemble stays active. Refused if max_test_ensembles are on test already.';
