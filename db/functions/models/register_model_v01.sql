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
comment on function register_model(text, text, text, text, jsonb, text [], bytea []) is
'Stores the files and facts of a model version; returns its id. The same files again return the
same id. The files are verified by the sha256 in facts. Sizes are limited, and ONNX external
data is refused. Nothing is loaded yet.';
