-- run_inference: what pg_cron calls every minute. Predicts each symbol with its active and test ensembles.
--
-- Loads the models, waits for the minute's candle (at most candle_timeout), predicts, writes, commits, and logs in
-- inference_runs. With at_time it replays that minute and reads no later candle. Everything is idempotent by key.
-- Limits   a procedure that commits can have neither SET nor SECURITY DEFINER, so every name in it is qualified
--          and it runs with its caller's rights.
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
