-- active_ensembles, version 3: the state that an ensemble is in, since when, and why.
--
-- state   active   serves predict_now()
--         test     predicts beside the active one; evaluate_ab() compares them
--         shadow   was active until another was promoted; predicts on until it is judged against that one
--         retired  was active, on test or a shadow
--         waiting  created, and none of these yet
-- Grain   at most one active and one shadow for a symbol; at most max_test_ensembles on test predict.
-- Times   changed_at is since when the state holds, by the clock of the candles: a decision of evaluate_ab(at_time) holds
--         since at_time. activated_at, deactivated_at and rolled_back_at are the server's clock.
alter table active_ensembles
add column is_shadow boolean not null default false,
add column is_retired boolean not null default false,
add column state text not null generated always as (
    case
        when is_active then 'active'
        when is_test then 'test'
        when is_shadow then 'shadow'
        when is_retired then 'retired'
        else 'waiting'
    end
) stored,
add column changed_at timestamptz not null default clock_timestamp(),
add column change_event text not null default 'created',
add column change_reason text,
add column change_evaluation_id bigint references ab_evaluations (id),
add constraint active_ensembles_one_state check (
    is_active::integer + is_test::integer + is_shadow::integer + is_retired::integer <= 1
);
create unique index active_ensembles_one_shadow_per_symbol on active_ensembles (symbol) where is_shadow;
