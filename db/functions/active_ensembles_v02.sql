-- active_ensembles, version 2: what belongs to a pair and its weight besides the two versions.
--
-- calibration         calibration.json of the ensemble, its text: probabilities, prediction interval, the range of
--                     features that training saw (candlecast/calibration.py reads it). null: the pair is uncalibrated.
-- calibration_sha256  of that text; serving holds the text to it, and to the row's own mamba_weight.
-- golden              raw windows with the final outputs that the pair must give before it goes live.
--
-- Grain    one row per pair, weight and calibration.
alter table active_ensembles
add column calibration text,
add column calibration_sha256 text check (calibration_sha256 ~ '^[0-9a-f]{64}$'),
add column golden jsonb,
add constraint active_ensembles_calibration_whole check (num_nulls(calibration, calibration_sha256, golden) in (0, 3)),
add constraint active_ensembles_calibration_of_a_weight check (calibration is null or mamba_weight is not null),
add constraint active_ensembles_one_of_each
unique nulls not distinct (symbol, mamba_version_id, lgbm_version_id, mamba_weight, calibration_sha256),
drop constraint active_ensembles_symbol_mamba_version_id_lgbm_version_id_ma_key;
