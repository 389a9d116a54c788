-- ml_setting(setting_name): a setting as the functions read it: ml_settings, else the server's environment, else the
-- default. Only the server sees its environment, so whoever asks from outside asks here.
-- Parallel unsafe: PL/Python's queries open subtransactions, which no parallel plan allows.
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
