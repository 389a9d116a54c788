-- ml_settings: what operators set; running sessions see a change at their next call.
--
-- Grain    one row per setting. value null: as the server's environment says (ML_ENABLED, ...), else the default.
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
            else false
        end
    )
);
insert into ml_settings (name, meaning) values
('enabled', 'true or false: whether predictions are made at all; default true'),
('mamba_weight', '0 to 1: the weight of Mamba in ensembles that have none of their own; default 0.5'),
('device', 'cpu or cuda: where Mamba runs; default cpu'),
('mamba_runtime', 'auto, onnx or torchscript: which file of Mamba is run; default auto'),
('candle_timeout', 'like ''25 s'', under a minute: how long run_inference() waits for the minute''s candle; default 25 s'),
('max_candle_age', 'none, or like ''10 min'': the oldest newest candle that predict_now() accepts; default none'),
('min_confidence', '0 to 0.5: a prediction whose |probability_up - 0.5| is below it has abstained; default 0'),
('model_expiry', 'none, or like ''7 d'': models whose older one was trained longer ago bring a warning; default 7 d'),
('max_test_ensembles', 'like ''3'': of a symbol''s ensembles on test candlecast retrain keeps the newest; default 3');
alter table ml_settings owner to candlecast_owner;
grant select on ml_settings to candlecast_cron, candlecast_trainer, candlecast_operator, candlecast_reader;
grant update (value) on ml_settings to candlecast_operator;
