-- inference_runs, version 2: warning says what is wrong with a run that goes on all the same: its models are older than
-- the setting model_expiry allows.
alter table inference_runs add column warning text;
