"""Settings: what ml_settings says, else the server's environment, else the default.

``Settings`` is the one table of them. The CHECK and the rows of ml_settings and docs/reference/settings.md repeat it:
``python3 -m tests.support.settings_texts`` writes them anew (`make golden` runs it), and a test compares.

Never a custom parameter of PostgreSQL: any role may set those, and these functions run with more
rights than their caller. Whether TorchScript is allowed comes from the environment only, as do paths.
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
    """Resolved settings; times in seconds, None where ``max_candle_age`` and the like have no limit."""

    enabled: bool = setting(
        "true", switch, ("true", "false"), "true or false: whether predictions are made at all"
    )
    mamba_weight: float = setting(
        "0.5", number(1.0), r"^(0(\.[0-9]+)?|1(\.0+)?)$",
        "0 to 1: the weight of Mamba in ensembles that have none of their own",
    )
    device: str = choice("cpu", ("cpu", "cuda"), "cpu or cuda: where Mamba runs")
    mamba_runtime: str = choice(
        "auto", ("auto", "onnx", "torchscript"), "auto, onnx or torchscript: which file of Mamba is run"
    )
    candle_timeout: float = setting(
        "25 s", seconds, r"^([0-9]{1,5} ms|[0-5]?[0-9](\.[0-9]+)? s)$",
        "like '25 s', under a minute: how long run_inference() waits for the minute's candle",
    )
    max_candle_age: float | None = setting(
        "none", limit(), r"^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h))$",
        "none, or like '10 min': the oldest newest candle that predict_now() accepts",
    )
    min_confidence: float = setting(
        "0", number(0.5), r"^0(\.[0-4][0-9]*|\.50*)?$",
        "0 to 0.5: a prediction whose |probability_up - 0.5| is below it has abstained",
    )
    model_expiry: float | None = setting(
        "7 d", limit(), r"^(none|[0-9]{1,9}(\.[0-9]+)? (s|min|h|d))$",
        "none, or like '7 d': models whose older one was trained longer ago bring a warning",
    )
    max_test_ensembles: int = setting(
        "3", count(0, 999), r"^[0-9]{1,3}$", "like '3': so many ensembles of a symbol predict on test at once"
    )
    promotion_margin: float = setting(
        "0.005", number(1.0), r"^0(\.[0-9]+)?$",
        "like '0.01', under 1: by more than this a test must be right more often, over 24 hours",
    )
    promotion_guard: str = choice(
        "confidence", ("confidence", "none"),
        "confidence: and the confidence sequence must exclude chance; none: need not",
    )
    promotion_cooldown: float | None = setting(
        "24 h", limit(9_999), r"^(none|[0-9]{1,5}(\.[0-9]+)? (s|min|h)|[0-9]{1,3}(\.[0-9]+)? d)$",
        "none, or like '24 h': no promotion so soon after another change of the active",
    )
    ab_min_pairs: int = setting(
        "1300", count(1, 1439), r"^([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9])$",
        "1 to 1439: minutes of the last 24 hours that both must have predicted",
    )
    ab_max_days: int = setting(
        "30", count(1, 999), r"^[1-9][0-9]{0,2}$",
        "1 to 999: a test that is undecided after so many days is retired",
    )
    keep_predictions: float | None = setting(
        "365 d", limit(99_999), _DAYS,
        "none, or like '365 d': predictions of older candles are deleted, their hourly sums stay",
    )
    keep_runs: float | None = setting(
        "30 d", limit(99_999), _DAYS,
        "none, or like '30 d': rows of inference_runs and of pg_cron's log that are older go",
    )
    keep_measurements: float | None = setting(
        "365 d", limit(99_999), _DAYS,
        "none, or like '365 d': daily measurements (drift, consistency) that are older go",
    )
# fmt: on


TABLE: dict[str, Setting] = {one.name: one.metadata["setting"] for one in fields(Settings)}


def resolve(stored: str | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Resolve from ml_settings as a JSON object of name: value. Raises SettingInvalid."""
    rows = json.loads(stored) if stored else {}
    return Settings(**{name: _resolve_one(name, rows, environment) for name in TABLE})


def _resolve_one(name: str, stored: Mapping, environment: Mapping[str, str]) -> Any:
    text = in_effect(name, stored, environment)
    try:
        return TABLE[name].parse(text)
    except ValueError as error:
        raise SettingInvalid(name=name, value=text, reason=str(error)) from None


def in_effect(name: str, stored: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> str:
    """A setting's text: what ml_settings says, else the environment, else the default. Raises SettingInvalid."""
    if name not in TABLE:
        raise SettingInvalid(name=name, value=None, reason=f"there is no such setting; {', '.join(TABLE)} are")
    value = stored.get(name)
    return value if value is not None else environment.get(environment_variable(name), TABLE[name].default)


def environment_variable(name: str) -> str:
    """ML_ENABLED of enabled."""
    return f"ML_{name.upper()}"


def is_torchscript_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the server's administrator lets TorchScript files be loaded (they can run code)."""
    return environment.get("ML_TORCHSCRIPT", "off").lower() in ("on", "true", "1")
