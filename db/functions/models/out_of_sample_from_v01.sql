-- out_of_sample_from(of_ensemble): the first candle_time whose outcomes none of the ensemble's models was fitted on. Five minutes
-- after the last row that they were, since the outcomes of that row reach so far. What is predicted before proves nothing.
create or replace function out_of_sample_from(of_ensemble bigint)
returns timestamptz
language sql
stable parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
select max(version.training_to) + interval '5 minutes'
from public.active_ensembles as ensemble
inner join public.model_versions as version on version.id in (ensemble.mamba_version_id, ensemble.lgbm_version_id)
where ensemble.id = of_ensemble
$$;
alter function out_of_sample_from(bigint) owner to candlecast_owner;
revoke all on function out_of_sample_from(bigint) from public;
grant execute on function out_of_sample_from(bigint)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
