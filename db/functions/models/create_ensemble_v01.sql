-- create_ensemble: joins a Mamba and a LightGBM version; returns the ensemble's id. The same again: the same id.
--
-- mamba_weight null: as the setting mamba_weight says. is_test true: the ensemble is proved by its test vectors and then
-- predicts beside the active one. symbol null: the symbol that both versions were trained for.
-- calibration: the text of calibration.json, fitted for mamba_weight, which must then be given; golden: raw windows
-- with the predicted_close, probability_up, lower and upper that they must give (log returns). Both or neither.
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
