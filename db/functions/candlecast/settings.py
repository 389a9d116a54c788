"""Settings: what ml_settings says, else the server's environment, else the default.

Never a custom parameter of PostgreSQL: any role may set those, and these functions run with more
rights than their caller. Paths, and whether TorchScript is allowed, come from the environment only.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from candlecast.errors import SettingInvalid

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DEFAULTS = {
    "enabled": "true",
    "mamba_weight": "0.5",
    "device": "cpu",
    "mamba_runtime": "auto",
    "candle_timeout": "25 s",
    "max_candle_age": "none",
}


@dataclass(frozen=True)
class Settings:
    """Resolved settings; times in seconds, ``max_candle_age`` None where there is no limit."""

    enabled: bool
    mamba_weight: float
    device: str
    mamba_runtime: str
    candle_timeout: float
    max_candle_age: float | None


def resolve(stored: str | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Resolve from ml_settings as a JSON object of name: value. Raises SettingInvalid."""
    rows = json.loads(stored) if stored else {}

    def text(name: str) -> str:
        value = rows.get(name)
        return value if value is not None else environment.get(f"ML_{name.upper()}", _DEFAULTS[name])

    return Settings(
        enabled=_choice("enabled", text("enabled").lower(), ("true", "false", "on", "off")) in ("true", "on"),
        mamba_weight=_weight(text("mamba_weight")),
        device=_choice("device", text("device"), ("cpu", "cuda")),
        mamba_runtime=_choice("mamba_runtime", text("mamba_runtime"), ("auto", "onnx", "torchscript")),
        candle_timeout=_seconds("candle_timeout", text("candle_timeout")),
        max_candle_age=None if text("max_candle_age") == "none" else _seconds("max_candle_age", text("max_candle_age")),
    )


def torchscript_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the server's administrator lets TorchScript files be loaded (they can run code)."""
    return environment.get("ML_TORCHSCRIPT", "off").lower() in ("on", "true", "1")


@dataclass(frozen=True)
class ModelPaths:
    """Files of the server's environment, used only where no ensemble is active."""

    mamba: str
    lgbm: str
    normalization: str


def model_paths(environment: Mapping[str, str] = os.environ) -> ModelPaths | None:
    """The three paths, or None where the environment names none of them."""
    names = ("ML_MAMBA_MODEL_PATH", "ML_LGBM_MODELS_DIR", "ML_NORM_PARAMS_PATH")
    values = [environment.get(name, "") for name in names]
    if not any(values):
        return None
    for name, value in zip(names, values, strict=True):
        if not Path(value).is_absolute():
            raise SettingInvalid(
                name=name, value=value, reason="all three paths are needed, each absolute, or none of them"
            )
    return ModelPaths(*values)


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SettingInvalid(name=name, value=value, reason=f"it is one of {', '.join(allowed)}")
    return value


def _weight(value: str) -> float:
    try:
        weight = float(value)
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight <= 1.0:
        raise SettingInvalid(name="mamba_weight", value=value, reason="it is a number from 0 to 1")
    return weight


def _seconds(name: str, value: str) -> float:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?) ?(ms|s|min|h)", value)
    if not match:
        raise SettingInvalid(name=name, value=value, reason="it is a length of time like '25 s' or '10 min'")
    return float(match[1]) * _UNITS[match[2]]
