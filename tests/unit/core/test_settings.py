"""Sources of a setting (ml_settings, the server's environment, the default), and the values that are rejected."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.core.errors import SettingInvalid
from candlecast.core.settings import Settings, is_torchscript_allowed, resolve
from candlecast.server.environment_models import ModelPaths, read_model_paths

DEFAULTS = Settings(
    enabled=True,
    mamba_weight=0.5,
    device="cpu",
    mamba_runtime="auto",
    candle_timeout=25.0,
    max_candle_age=None,
    min_confidence=0.0,
    model_expiry=604_800.0,
    max_test_ensembles=3,
    promotion_margin=0.005,
    promotion_guard="confidence",
    promotion_cooldown=86400.0,
    ab_min_pairs=1300,
    ab_max_days=30,
    keep_predictions=365 * 86400.0,
    keep_runs=30 * 86400.0,
    keep_measurements=365 * 86400.0,
)


def resolved(stored: dict | None = None, **environment: str) -> Settings:
    return resolve(None if stored is None else json.dumps(stored), environment)


@pytest.mark.parametrize("stored", [None, {}, dict.fromkeys(("enabled", "mamba_weight", "device", "max_candle_age"))])
def test_without_values_the_defaults_apply(stored):
    assert resolved(stored) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "stored", "environment", "default"),
    [
        ("enabled", ("false", False), ("on", True), True),
        ("enabled", ("true", True), ("off", False), True),
        ("mamba_weight", ("0.25", 0.25), ("1", 1.0), 0.5),
        ("device", ("cpu", "cpu"), ("cuda", "cuda"), "cpu"),
        ("mamba_runtime", ("onnx", "onnx"), ("torchscript", "torchscript"), "auto"),
        ("candle_timeout", ("100 ms", 0.1), ("2 min", 120.0), 25.0),
        ("max_candle_age", ("10 min", 600.0), ("2 h", 7200.0), None),
        ("max_candle_age", ("none", None), ("2 h", 7200.0), None),
        ("max_candle_age", ("1 d", 86_400.0), ("2 h", 7200.0), None),
        ("min_confidence", ("0.05", 0.05), ("0.5", 0.5), 0.0),
        ("model_expiry", ("36 h", 129_600.0), ("30 d", 2_592_000.0), 604_800.0),
        ("model_expiry", ("7 d", 604_800.0), ("none", None), 604_800.0),
        ("max_test_ensembles", ("0", 0), ("12", 12), 3),
    ],
)
def test_the_order_is_table_environment_default(name, stored, environment, default):
    variable = {f"ML_{name.upper()}": environment[0]}
    assert getattr(resolved({name: stored[0]}, **variable), name) == stored[1]
    assert getattr(resolved({name: None}, **variable), name) == environment[1]
    assert getattr(resolved({}, **variable), name) == environment[1]
    assert getattr(resolved({name: None}), name) == default


INVALID = [
    ("enabled", ["yes", "1", "", " true"]),
    ("mamba_weight", ["-0.1", "1.1", "nan", "inf", "half", ""]),
    ("device", ["CPU", "cuda:0", "gpu", ""]),
    ("mamba_runtime", ["pytorch", "ONNX", ""]),
    ("candle_timeout", ["25", "25 sec", "-1 s", "none", "1 day", "25 s ", "1e3 s", "s", "25 s\n", ""]),
    ("max_candle_age", ["None", "10", "-1 min", "forever", "1 day", ""]),
    ("min_confidence", ["-0.1", "0.51", "nan", "half", ""]),
    ("model_expiry", ["None", "7", "-7 d", "7 days", "1 w", ""]),
    ("max_test_ensembles", ["-1", "1.5", "none", "1000", "٣", ""]),
    ("promotion_margin", ["-0.1", "1.1", "nan", ""]),
    ("promotion_guard", ["Confidence", "on", ""]),
    ("promotion_cooldown", ["None", "24", "-1 d", "10000 d", "999999999 h", ""]),
    ("ab_min_pairs", ["0", "1440", "-1", "1e3", ""]),
    ("ab_max_days", ["0", "1000", "30 d", ""]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in INVALID for value in values])
def test_invalid_values_of_any_source_are_rejected_by_name(name, value):
    for stored, environment in (({name: value}, {}), ({}, {f"ML_{name.upper()}": value})):
        with pytest.raises(SettingInvalid) as error:
            resolved(stored, **environment)
        assert error.value.sqlstate == "CC013"
        assert f"setting {name} = {value!r}" in error.value.message
        assert error.value.hint


@given(st.text())
def test_any_text_is_a_setting_in_bounds_or_rejected(text):
    for name in DEFAULTS.__dataclass_fields__:
        try:
            settings = resolved({name: text})
        except SettingInvalid:
            continue
        assert 0 <= settings.mamba_weight <= 1
        assert settings.candle_timeout >= 0
        assert settings.max_candle_age is None or settings.max_candle_age >= 0
        assert settings.device in ("cpu", "cuda")
        assert 0 <= settings.min_confidence <= 0.5
        assert settings.model_expiry is None or settings.model_expiry >= 0
        assert 0 <= settings.max_test_ensembles <= 999
        assert 0 <= settings.promotion_margin <= 1
        assert settings.promotion_guard in ("confidence", "none")
        assert settings.promotion_cooldown is None or settings.promotion_cooldown >= 0
        assert 1 <= settings.ab_min_pairs <= 1439
        assert 1 <= settings.ab_max_days <= 999


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        (None, False),
        ("off", False),
        ("", False),
        ("no", False),
        ("on", True),
        ("ON", True),
        ("true", True),
        ("1", True),
    ],
)
def test_torchscript_needs_the_administrators_permission(value, allowed):
    assert is_torchscript_allowed({} if value is None else {"ML_TORCHSCRIPT": value}) is allowed


PATHS = {"ML_MAMBA_MODEL_PATH": "/m/mamba.onnx", "ML_LGBM_MODELS_DIR": "/m/lgbm", "ML_NORM_PARAMS_PATH": "/m/n.json"}


def test_paths_come_from_the_environment_all_or_none():
    assert read_model_paths({}) is None
    assert read_model_paths(dict.fromkeys(PATHS, "")) is None
    assert read_model_paths(PATHS) == ModelPaths("/m/mamba.onnx", "/m/lgbm", "/m/n.json")


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("value", ["", "models/x", "~/x"])
def test_a_missing_or_relative_path_is_rejected_by_its_name(name, value):
    with pytest.raises(SettingInvalid, match=name):
        read_model_paths(PATHS | {name: value})


def test_paths_and_permission_never_come_from_the_table():
    """A role that may write ml_settings is not the server's administrator."""
    assert resolved({"torchscript": "on", "mamba_model_path": "/tmp/x", "ML_TORCHSCRIPT": "on"}) == DEFAULTS  # noqa: S108  # a name, no file
