create or replace function rollback_ensemble(for_symbol text default 'BTCUSDT')
returns bigint
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
from candlecast.server.registry.ensembles import rollback_ensemble
return rollback_ensemble(plpy, GD, for_symbol)
$$;
alter function rollback_ensemble(text) owner to candlecast_owner;
revoke all on function rollback_ensemble(text) from public;
grant execute on function rollback_ensemble(text) to candlecast_operator;
comment on function rollback_ensemble(text) is
'Makes the ensemble that was active before active again; returns its id. A second call goes back
one more: an ensemble that was rolled back is skipped until it is activated again.';
