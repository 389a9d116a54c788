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
comment on function out_of_sample_from(bigint) is
'The first out-of-sample candle_time of an ensemble: five minutes after the last training row of
its two versions, because the labels of that row end there.';
