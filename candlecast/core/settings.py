"""Settings: what ml_settings says, else the server's environment, else the default.

Never a custom parameter of PostgreSQL: any role may set those, and these functions run with more
rights than their caller. Whether TorchScript is allowed comes from the environment only, as do paths.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from candlecast.core.errors import SettingInvalid

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
#: Added to a time it still is one.
_DECADES = 9_999 * _UNITS["d"]
_KEPT = 99_999 * _UNITS["d"]
_DEFAULTS = {
    "enabled": "true",
    "mamba_weight": "0.5",
    "device": "cpu",
    "mamba_runtime": "auto",
    "candle_timeout": "25 s",
    "max_candle_age": "none",
    "min_confidence": "0",
    "model_expiry": "7 d",
    "max_test_ensembles": "3",
    "promotion_margin": "0.005",
    "promotion_guard": "confidence",
    "promotion_cooldown": "24 h",
    "ab_min_pairs": "1300",
    "ab_max_days": "30",
    "keep_predictions": "365 d",
    "keep_runs": "30 d",
    "keep_measurements": "365 d",
}


@dataclass(frozen=True)
class Settings:
    """Resolved settings; times in seconds, None where ``max_candle_age`` and the like have no limit."""

    enabled: bool
    mamba_weight: float
    device: str
    mamba_runtime: str
    candle_timeout: float
    max_candle_age: float | None
    min_confidence: float
    model_expiry: float | None
    max_test_ensembles: int
    promotion_margin: float
    promotion_guard: str
    promotion_cooldown: float | None
    ab_min_pairs: int
    ab_max_days: int
    keep_predictions: float | None
    keep_runs: float | None
    keep_measurements: float | None


def resolve(stored: str | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Resolve from ml_settings as a JSON object of name: value. Raises SettingInvalid."""
    rows = json.loads(stored) if stored else {}

    def text(name: str) -> str:
        return in_effect(name, rows, environment)

    return Settings(
        enabled=_choice("enabled", text("enabled").lower(), ("true", "false", "on", "off")) in ("true", "on"),
        mamba_weight=_number("mamba_weight", text("mamba_weight"), 1.0),
        device=_choice("device", text("device"), ("cpu", "cuda")),
        mamba_runtime=_choice("mamba_runtime", text("mamba_runtime"), ("auto", "onnx", "torchscript")),
        candle_timeout=_seconds("candle_timeout", text("candle_timeout")),
        max_candle_age=_limit("max_candle_age", text("max_candle_age")),
        min_confidence=_number("min_confidence", text("min_confidence"), 0.5),
        model_expiry=_limit("model_expiry", text("model_expiry")),
        max_test_ensembles=_count("max_test_ensembles", text("max_test_ensembles"), 0, 999),
        promotion_margin=_number("promotion_margin", text("promotion_margin"), 1.0),
        promotion_guard=_choice("promotion_guard", text("promotion_guard"), ("confidence", "none")),
        promotion_cooldown=_limit("promotion_cooldown", text("promotion_cooldown"), _DECADES),
        ab_min_pairs=_count("ab_min_pairs", text("ab_min_pairs"), 1, 1439),
        ab_max_days=_count("ab_max_days", text("ab_max_days"), 1, 999),
        keep_predictions=_limit("keep_predictions", text("keep_predictions"), _KEPT),
        keep_runs=_limit("keep_runs", text("keep_runs"), _KEPT),
        keep_measurements=_limit("keep_measurements", text("keep_measurements"), _KEPT),
    )


def in_effect(name: str, stored: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> str:
    """A setting's text: what ml_settings says, else the environment, else the default. Raises SettingInvalid."""
    if name not in _DEFAULTS:
        raise SettingInvalid(name=name, value=None, reason=f"there is no such setting; {', '.join(_DEFAULTS)} are")
    value = stored.get(name)
    return value if value is not None else environment.get(f"ML_{name.upper()}", _DEFAULTS[name])


def torchscript_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the server's administrator lets TorchScript files be loaded (they can run code)."""
    return environment.get("ML_TORCHSCRIPT", "off").lower() in ("on", "true", "1")


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SettingInvalid(name=name, value=value, reason=f"it is one of {', '.join(allowed)}")
    return value


def _number(name: str, value: str, largest: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= largest:
        raise SettingInvalid(name=name, value=value, reason=f"it is a number from 0 to {largest:g}")
    return number


def _count(name: str, value: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value) or not least <= int(value) <= most:
        raise SettingInvalid(name=name, value=value, reason=f"it is a number from {least} to {most}")
    return int(value)


def _limit(name: str, value: str, most: float = math.inf) -> float | None:
    seconds = None if value == "none" else _seconds(name, value)
    if seconds is not None and seconds > most:
        raise SettingInvalid(name=name, value=value, reason=f"it is at most {most / _UNITS['d']:g} d")
    return seconds


def _seconds(name: str, value: str) -> float:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?) ?(ms|s|min|h|d)", value)
    if not match:
        raise SettingInvalid(name=name, value=value, reason="it is a length of time like '25 s', '10 min' or '7 d'")
    return float(match[1]) * _UNITS[match[2]]
