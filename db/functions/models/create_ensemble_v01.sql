create or replace function create_ensemble(
    mamba_version_id bigint, lgbm_version_id bigint, mamba_weight double precision default 0.5,
    is_test boolean default false, symbol text default null, calibration text default null, golden jsonb default null
)
returns bigint
language plpython3u
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
from candlecast.server.registry.ensembles import create_ensemble
return create_ensemble(
    plpy, GD, mamba_version_id, lgbm_version_id, mamba_weight, is_test, symbol, calibration, golden
)
$$;
alter function create_ensemble(bigint, bigint, double precision, boolean, text, text, jsonb) owner to candlecast_owner;
revoke all on function create_ensemble(bigint, bigint, double precision, boolean, text, text, jsonb) from public;
grant execute on function create_ensemble(bigint, bigint, double precision, boolean, text, text, jsonb)
to candlecast_trainer, candlecast_operator;
comment on function create_ensemble(bigint, bigint, double precision, boolean, text, text, jsonb) is
'Joins a Mamba and a LightGBM version to an ensemble; returns its id. The same arguments again
return the same id. mamba_weight null: the setting mamba_weight. symbol null: the symbol of both
versions. is_test: puts it on test, see test_ensemble(). calibration: text of calibration.json,
fitted for mamba_weight. golden: test vectors, raw windows with their outputs. Give both or
neither.';
