create table ml_settings (
    name text primary key,
    value text,
    meaning text not null,
    constraint ml_settings_value_valid check (
        case name
            when 'enabled' then value in ('true', 'false')
            when 'mamba_weight' then value ~ '^(0(\.[0-9]+)?|1(\.0+)?)$'
            when 'device' then value in ('cpu', 'cuda')
            when 'mamba_runtime' then value in ('auto', 'onnx', 'torchscript')
            when 'candle_timeout' then value ~ '^([0-9]{1,5} ms|[0-5]?[0-9](\.[0-9]+)? s)$'
            when 'max_candle_age' then value ~ '^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h))$'
            when 'min_confidence' then value ~ '^0(\.[0-4][0-9]*|\.50*)?$'
            when 'model_expiry' then value ~ '^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h|d))$'
            when 'max_test_ensembles' then value ~ '^[0-9]{1,3}$'
            when 'promotion_margin' then value ~ '^0(\.[0-9]+)?$'
            when 'promotion_guard' then value in ('confidence', 'none')
            when 'promotion_cooldown' then value ~ '^(none|[0-9]{1,5}(\.[0-9]+)? (s|min|h)|[0-9]{1,3}(\.[0-9]+)? d)$'
            when 'ab_min_pairs' then value ~ '^([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9])$'
            when 'ab_max_days' then value ~ '^[1-9][0-9]{0,2}$'
            when 'keep_predictions' then value ~ '^(none|[1-9][0-9]{0,4}(\.[0-9]+)? d)$'
            when 'keep_runs' then value ~ '^(none|[1-9][0-9]{0,4}(\.[0-9]+)? d)$'
            when 'keep_measurements' then value ~ '^(none|[1-9][0-9]{0,4}(\.[0-9]+)? d)$'
            else false
        end
    )
);
insert into ml_settings (name, meaning) values
('enabled', 'true or false: whether predictions are made; default true'),
('mamba_weight', '0 to 1: the weight of Mamba in ensembles without their own weight; default 0.5'),
('device', 'cpu or cuda: where Mamba runs; default cpu'),
('mamba_runtime', 'auto, onnx or torchscript: which file of Mamba runs; default auto'),
('candle_timeout', 'like ''25 s'', under a minute: how long run_inference() waits for the minute''s candle; default 25 s'),
('max_candle_age', 'none, or like ''10 min'': predict_now() fails when the newest candle is older; default none'),
('min_confidence', '0 to 0.5: a prediction whose |probability_up - 0.5| is smaller abstains; default 0'),
('model_expiry', 'none, or like ''7 d'': a warning when the older model of an ensemble was trained longer ago; default 7 d'),
('max_test_ensembles', 'like ''3'': the most ensembles of a symbol that are on test at once; default 3'),
('promotion_margin', 'like ''0.01'', under 1: a promotion needs a larger difference in accuracy over 24 hours; default 0.005'),
('promotion_guard', 'confidence: the confidence sequence must also exclude 0; none: it need not; default confidence'),
('promotion_cooldown', 'none, or like ''24 h'': the shortest time between a change of the active ensemble and a promotion; default 24 h'),
('ab_min_pairs', '1 to 1439: minutes of the last 24 hours that both ensembles must have predicted; default 1300'),
('ab_max_days', '1 to 999: days after which an undecided test ends and its ensemble is retired; default 30'),
('keep_predictions', 'none, or like ''365 d'': predictions of older candles are deleted, their hourly sums are kept; default 365 d'),
('keep_runs', 'none, or like ''30 d'': older rows of inference_runs and of pg_cron''s log are deleted; default 30 d'),
('keep_measurements', 'none, or like ''365 d'': older daily measurements (drift, consistency) are deleted; default 365 d');
alter table ml_settings owner to candlecast_owner;
grant select on ml_settings to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
grant update (value) on ml_settings to candlecast_operator;
comment on table ml_settings is
'Settings of the operator: one row per setting. Running sessions use a new value at their next
call.';
comment on column ml_settings.name is 'Name of the setting.';
comment on column ml_settings.value is
'Value as text. Null: the environment variable ML_<NAME> of the server, else the default.';
comment on column ml_settings.meaning is 'Accepted values, meaning and default.';
