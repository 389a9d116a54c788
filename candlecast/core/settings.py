"""Settings: the value in ml_settings, else in the server's environment, else the default.

``Settings`` is the one table of them. `make golden` generates the CHECK and the rows of ml_settings and
docs/reference/settings.md from it, and a test compares them.

Settings are never custom parameters of PostgreSQL: any role may set those, and these functions run with more rights
than their caller. ML_TORCHSCRIPT and the model paths are read from the environment only.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from candlecast.core.errors import SettingInvalid
from candlecast.core.setting_kinds import Setting, choice, count, limit, number, seconds, setting, switch

_DAYS = r"^(none|[1-9][0-9]{0,4}(\.[0-9]+)? d)$"


# fmt: off
@dataclass(frozen=True)
class Settings:
    """Resolved settings; times in seconds, None for no limit."""

    enabled: bool = setting(
        "true", switch, ("true", "false"), "true or false: whether predictions are made"
    )
    mamba_weight: float = setting(
        "0.5", number(1.0), r"^(0(\.[0-9]+)?|1(\.0+)?)$",
        "0 to 1: the weight of Mamba in ensembles without their own weight",
    )
    device: str = choice("cpu", ("cpu", "cuda"), "cpu or cuda: where Mamba runs")
    mamba_runtime: str = choice(
        "auto", ("auto", "onnx", "torchscript"), "auto, onnx or torchscript: which file of Mamba runs"
    )
    candle_timeout: float = setting(
        "25 s", seconds, r"^([0-9]{1,5} ms|[0-5]?[0-9](\.[0-9]+)? s)$",
        "like '25 s', under a minute: how long run_inference() waits for the minute's candle",
    )
    max_candle_age: float | None = setting(
        "none", limit(), r"^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h))$",
        "none, or like '10 min': predict_now() fails when the newest candle is older",
    )
    min_confidence: float = setting(
        "0", number(0.5), r"^0(\.[0-4][0-9]*|\.50*)?$",
        "0 to 0.5: a prediction whose |probability_up - 0.5| is smaller abstains",
    )
    model_expiry: float | None = setting(
        "7 d", limit(), r"^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h|d))$",
        "none, or like '7 d': a warning when the older model of an ensemble was trained longer ago",
    )
    max_test_ensembles: int = setting(
        "3", count(0, 999), r"^[0-9]{1,3}$", "like '3': the most ensembles of a symbol that are on test at once"
    )
    promotion_margin: float = setting(
        "0.005", number(1.0), r"^0(\.[0-9]+)?$",
        "like '0.01', under 1: a promotion needs a larger difference in accuracy over 24 hours",
    )
    promotion_guard: str = choice(
        "confidence", ("confidence", "none"),
        "confidence: the confidence sequence must also exclude 0; none: it need not",
    )
    promotion_cooldown: float | None = setting(
        "24 h", limit(9_999), r"^(none|[0-9]{1,5}(\.[0-9]+)? (s|min|h)|[0-9]{1,3}(\.[0-9]+)? d)$",
        "none, or like '24 h': the shortest time between a change of the active ensemble and a promotion",
    )
    ab_min_pairs: int = setting(
        "1300", count(1, 1439), r"^([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9])$",
        "1 to 1439: minutes of the last 24 hours that both ensembles must have predicted",
    )
    ab_max_days: int = setting(
        "30", count(1, 999), r"^[1-9][0-9]{0,2}$",
        "1 to 999: days after which an undecided test ends and its ensemble is retired",
    )
    keep_predictions: float | None = setting(
        "365 d", limit(99_999), _DAYS,
        "none, or like '365 d': predictions of older candles are deleted, their hourly sums are kept",
    )
    keep_runs: float | None = setting(
        "30 d", limit(99_999), _DAYS,
        "none, or like '30 d': older rows of inference_runs and of pg_cron's log are deleted",
    )
    keep_measurements: float | None = setting(
        "365 d", limit(99_999), _DAYS,
        "none, or like '365 d': older daily measurements (drift, consistency) are deleted",
    )
# fmt: on


TABLE: dict[str, Setting] = {one.name: one.metadata["setting"] for one in fields(Settings)}


def resolve(stored: str | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Resolve all settings; ``stored`` is ml_settings as a JSON object of name: value. Raises SettingInvalid."""
    rows = json.loads(stored) if stored else {}
    return Settings(**{name: _resolve_one(name, rows, environment) for name in TABLE})


def _resolve_one(name: str, stored: Mapping, environment: Mapping[str, str]) -> Any:
    text = in_effect(name, stored, environment)
    try:
        return TABLE[name].parse(text)
    except ValueError as error:
        raise SettingInvalid(name=name, value=text, reason=str(error)) from None


def in_effect(name: str, stored: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> str:
    """A setting's text: from ml_settings, else the environment, else the default. Raises SettingInvalid."""
    if name not in TABLE:
        raise SettingInvalid(name=name, value=None, reason=f"no such setting; the settings are {', '.join(TABLE)}")
    value = stored.get(name)
    return value if value is not None else environment.get(environment_variable(name), TABLE[name].default)


def environment_variable(name: str) -> str:
    """Name of the environment variable: ML_ENABLED for enabled."""
    return f"ML_{name.upper()}"


def is_torchscript_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the server's administrator allows TorchScript files, which can run code."""
    return environment.get("ML_TORCHSCRIPT", "off").lower() in ("on", "true", "1")
