-- register_model: stores a version's files and facts; returns its id. The same files again return the same id.
--
-- Limits   files are checked against the sha256 in facts; sizes are capped; ONNX external data is refused. Nothing is
--          loaded yet: that happens before the version goes live.
create or replace function register_model(
    model_type text, version text, symbol text, model_path text, facts jsonb, names text [], contents bytea []
)
returns bigint
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
from candlecast.server.registry.versions import register_model
return register_model(plpy, GD, model_type, version, symbol, model_path, facts, names, contents)
$$;
alter function register_model(text, text, text, text, jsonb, text [], bytea []) owner to candlecast_owner;
revoke all on function register_model(text, text, text, text, jsonb, text [], bytea []) from public;
grant execute on function register_model(text, text, text, text, jsonb, text [], bytea []) to candlecast_trainer;
