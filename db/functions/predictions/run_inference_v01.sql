-- It commits, so it can have neither SET nor SECURITY DEFINER, and every name is qualified.
create or replace procedure run_inference(at_time timestamptz default null)
language plpython3u
security invoker
as $$
from candlecast.server.run_inference import run_inference
run_inference(plpy, GD, at_time)
$$;
alter procedure run_inference(timestamptz) owner to candlecast_owner;
revoke all on procedure run_inference(timestamptz) from public;
grant execute on procedure run_inference(timestamptz) to candlecast_cron;
comment on procedure run_inference(timestamptz) is
'Predicts the newest minute of each symbol with its active ensemble and those on test and in
shadow; pg_cron calls it every minute. It loads the models, waits for the candle (at most
candle_timeout), predicts, writes, commits, and logs in inference_runs. at_time: replays that
minute and reads no later candle. A repeated call writes nothing twice.';
