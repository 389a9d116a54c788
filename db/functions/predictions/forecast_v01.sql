-- forecast: one predicted horizon, as predict_now(), predict() and predict_range() return it.
--
-- Units    predicted_close, mamba_close, lgbm_close are log returns from reference_close; predicted_price is money;
--          confidence in [0, 1] says how far the two models agree. ensemble_id null: models of the server's paths.
--
-- What a calibrated ensemble says beside it; all but abstained are null where the ensemble is uncalibrated:
-- probability_up       that the price will be above reference_close at target_time, given that it moves
-- lower_price          the prediction interval in money; it holds the price with the level of the ensemble's
-- upper_price          calibration, 90 % unless that says otherwise
-- abstained            |probability_up - 0.5| is below the setting min_confidence; false where there is no probability
-- out_of_distribution  a feature of the candle lies over a tenth of its range on training rows outside of that range
-- furthest_feature     the one that is furthest out; null unless out_of_distribution
create type forecast as (
    symbol text,
    candle_time timestamptz,
    target_time timestamptz,
    horizon smallint,
    reference_close double precision,
    predicted_close double precision,
    predicted_price double precision,
    mamba_close double precision,
    lgbm_close double precision,
    confidence double precision,
    ensemble_id bigint,
    probability_up double precision,
    lower_price double precision,
    upper_price double precision,
    abstained boolean,
    out_of_distribution boolean,
    furthest_feature text
);
alter type forecast owner to candlecast_owner;
revoke all on type forecast from public;
grant usage on type forecast to candlecast_reader, candlecast_operator, candlecast_trainer;
