-- forecast, version 2: what a calibrated ensemble says beside its forecast. predictions has the same columns.
--
-- probability_up       that the price will be above reference_close at target_time, given that it moves
-- lower_price          the prediction interval in money; it holds the price with the level of the ensemble's
-- upper_price          calibration, 90 % unless that says otherwise
-- abstained            |probability_up - 0.5| is below the setting min_confidence; false where there is no probability
-- out_of_distribution  a feature of the candle lies over a tenth of its range on training rows outside of that range
-- furthest_feature     the one that is furthest out; null unless out_of_distribution
--
-- All but abstained are null where the ensemble is uncalibrated: then nobody knows.
alter type forecast
add attribute probability_up double precision,
add attribute lower_price double precision,
add attribute upper_price double precision,
add attribute abstained boolean,
add attribute out_of_distribution boolean,
add attribute furthest_feature text;
