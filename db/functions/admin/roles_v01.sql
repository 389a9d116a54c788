-- Roles. Each object's file grants its rights; this file only creates the roles.
--
--   candlecast_owner     owns every object; it cannot log in
--   candlecast_cron      runs pg_cron's jobs: reads models and candles, writes predictions
--   candlecast_feeder    writes candles
--   candlecast_trainer   reads candles and features, registers models and ensembles
--   candlecast_operator  activates, rolls back, changes settings
--   candlecast_reader    predicts and reads
--
-- Roles belong to the whole cluster: existing ones are not changed. pg_cron requires a role that can log in, so
-- candlecast_cron can, but it has no password.
do $$
declare
    role_name text;
begin
    foreach role_name in array array[
        'candlecast_owner', 'candlecast_cron', 'candlecast_feeder',
        'candlecast_trainer', 'candlecast_operator', 'candlecast_reader'
    ] loop
        if not exists (select from pg_roles where rolname = role_name) then
            begin
                execute format(
                    'create role %I %s', role_name,
                    case when role_name = 'candlecast_cron' then 'login' else 'nologin' end
                );
            exception when duplicate_object or unique_violation then
                raise notice 'role % exists already: another upgrade has just created it', role_name;
            end;
        end if;
    end loop;
end
$$;

grant usage on schema public to candlecast_owner, candlecast_cron, candlecast_feeder,
candlecast_trainer, candlecast_operator, candlecast_reader;
