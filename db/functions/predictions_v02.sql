-- predictions, version 2: what a calibrated ensemble says beside its forecast; forecast_v02.sql has the meanings.
--
-- Limits   what was predicted before, or by an uncalibrated ensemble, has nulls, and did not abstain.
alter table predictions
add column probability_up double precision check (probability_up between 0 and 1),
add column lower_price double precision,
add column upper_price double precision,
add column abstained boolean not null default false,
add column out_of_distribution boolean,
add column furthest_feature text,
add constraint predictions_interval_around_the_price check (predicted_price between lower_price and upper_price),
add constraint predictions_calibrated_or_not check (
    num_nulls(probability_up, lower_price, upper_price, out_of_distribution) in (0, 4)
),
add constraint predictions_abstained_by_probability check (probability_up is not null or not abstained),
add constraint predictions_furthest_feature_where_out check (
    (furthest_feature is not null) = coalesce(out_of_distribution, false)
);
