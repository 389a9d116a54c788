-- Parallel unsafe: PL/Python's queries open subtransactions, which parallel plans do not allow.
create or replace function ml_setting(setting_name text)
returns text
language plpython3u
stable parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
from candlecast.server.settings import ml_setting
return ml_setting(plpy, GD, setting_name)
$$;
alter function ml_setting(text) owner to candlecast_owner;
revoke all on function ml_setting(text) from public;
grant execute on function ml_setting(text)
to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
comment on function ml_setting(text) is
'The value of a setting in effect: the one in ml_settings, else the server''s environment
variable, else the default.';
