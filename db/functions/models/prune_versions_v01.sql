create or replace function prune_versions(
    older_than interval default '30 days', keep integer default 3, for_symbol text default null
)
returns table (model_type text, symbol text, version text, created_at timestamptz, bytes bigint)
language sql
volatile parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
with ranked as (
    select id, row_number() over (partition by symbol, model_type order by created_at desc, id desc) as place
    from public.model_versions
),

deleted as (
    delete from public.model_versions as old
    using ranked
    where
        old.id = ranked.id
        and ranked.place > keep
        and old.created_at < now() - older_than
        and (for_symbol is null or old.symbol = for_symbol)
        and not exists (
            select from public.active_ensembles as ensemble
            where old.id in (ensemble.mamba_version_id, ensemble.lgbm_version_id)
        )
    returning old.id, old.model_type, old.symbol, old.version, old.created_at
)

select
    deleted.model_type, deleted.symbol, deleted.version, deleted.created_at,
    (
        select coalesce(sum(length(artifact.content)), 0)
        from public.model_artifacts as artifact where artifact.model_version_id = deleted.id
    )::bigint as bytes
from deleted
order by deleted.created_at, deleted.model_type
$$;
alter function prune_versions(interval, integer, text) owner to candlecast_owner;
revoke all on function prune_versions(interval, integer, text) from public;
grant execute on function prune_versions(interval, integer, text) to candlecast_trainer, candlecast_operator;
comment on function prune_versions(interval, integer, text) is
'Deletes old model versions with their files; returns what it deleted. A version is deleted if it
was registered more than `older_than` ago, no ensemble uses it, and it is not among the newest
`keep` of its symbol and model type. for_symbol null: all symbols.';
