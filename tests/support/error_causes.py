"""When each error of the database is raised: the part of docs/reference/errors.md that no code says."""

#: By the name of the class in candlecast.core.errors.
CAUSES = {
    "NoCandles": "A forecast is requested for a symbol that has no rows in candles_1m.",
    "CandleMissing": "predict() is called with an at_time that is not on the minute, or at which no candle is stored.",
    "GapInCandles": "One of the 209 candles that end at candle_time is missing.",
    "StaleCandles": "predict_now() is called, max_candle_age is set, and the newest candle is older.",
    "NoActiveEnsemble": "A forecast is requested without an ensemble id, no ensemble of the symbol is active, and the "
    "server's environment names no model files.",
    "EnsembleUnknown": "The ensemble id does not exist, or it belongs to another symbol.",
    "ArtifactDamaged": "A stored file does not match its sha256, cannot be read, or the model returns invalid values.",
    "ArtifactRefused": "A file is too large, refers to external data, or belongs to other features.",
    "RuntimeMissing": "The server's Python cannot import ONNX Runtime or torch.",
    "TorchScriptNotAllowed": "A TorchScript file is to be loaded, and ML_TORCHSCRIPT is not on.",
    "InferenceDisabled": "predict_now() is called while the setting enabled is false.",
    "TestVectorsFailed": "An ensemble is to become active or be put on test, and its outputs differ from its test "
    "vectors.",
    "SettingInvalid": "A value in ml_settings or in the server's environment is invalid, or there is no such setting.",
    "NothingToRollBackTo": "rollback_ensemble() is called, and no earlier ensemble is left.",
    "VersionConflict": "register_model() is called with the name of an existing version and other files.",
    "RegistrationRefused": "register_model() or create_ensemble() is called with invalid or inconsistent arguments.",
    "TimeUnreadable": "A time is outside 1970 to 2100, or its text cannot be parsed.",
    "OtherFeatures": "The feature hash of the ensemble differs from that of the server.",
    "CalibrationInvalid": "The text of the calibration cannot be parsed, or it does not match the ensemble.",
    "ModelExpired": "A warning: the older version was trained longer ago than model_expiry. The forecast is returned.",
    "TestsFull": "test_ensemble() or create_ensemble() would exceed max_test_ensembles.",
    "TimeNotReached": "evaluate_ab() or preview_ab() is called with an at_time in the future.",
    "InShadow": "test_ensemble() is called for an ensemble in state shadow.",
    "DistributionInvalid": "The stored distribution of the training rows cannot be parsed.",
    "DayNotBegun": "measure_drift() or check_consistency() is called with a day in the future.",
    "NoDistribution": "A reason in feature_drift: the version was registered without a distribution.",
    "TooFewRows": "A reason in feature_drift: the day has too few minutes with features.",
    "VersionUnknown": "A reason in consistency_checks: model files of the server's environment made the predictions.",
    "DayUnreadable": "measure_drift() or check_consistency() is called with a day before 1970, or an infinite one.",
}
