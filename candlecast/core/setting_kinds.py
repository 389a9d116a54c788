"""The kinds of settings: how their texts are parsed, and the messages for invalid ones."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Setting:
    """One setting. ``parse`` converts the text; it raises ValueError with the reason.

    ``stored`` is what ml_settings accepts, which is stricter than ``parse``: words, or a PostgreSQL regular expression.
    """

    default: str
    parse: Callable[[str], Any]
    stored: tuple[str, ...] | str
    meaning: str


def setting(default: str, parse: Callable[[str], Any], stored: tuple[str, ...] | str, meaning: str) -> Any:
    """A field of the dataclass ``Settings``."""
    return field(metadata={"setting": Setting(default, parse, stored, meaning)})


def choice(default: str, words: tuple[str, ...], meaning: str) -> Any:
    """A field of the dataclass ``Settings`` that is one of several words."""
    return setting(default, lambda text: _word(text, words), words, meaning)


def number(largest: float) -> Callable[[str], float]:
    """A number from 0 to ``largest``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= largest:
            raise ValueError(f"it must be a number from 0 to {largest:g}")
        return value

    return parse


def count(smallest: int, largest: int) -> Callable[[str], int]:
    """A whole number from ``smallest`` to ``largest``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,4}", text) or not smallest <= int(text) <= largest:
            raise ValueError(f"it must be a whole number from {smallest} to {largest}")
        return int(text)

    return parse


def limit(max_days: float = math.inf) -> Callable[[str], float | None]:
    """A length of time in seconds; 'none' is None. ``max_days`` keeps the sum with a timestamp in its range."""

    def parse(text: str) -> float | None:
        length = None if text == "none" else seconds(text)
        if length is not None and length > max_days * _UNITS["d"]:
            raise ValueError(f"it must be at most {max_days:g} d")
        return length

    return parse


def seconds(text: str) -> float:
    """A length of time, in seconds."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?) ?(ms|s|min|h|d)", text)
    if not match:
        raise ValueError("it must be a length of time like '25 s', '10 min' or '7 d'")
    return float(match[1]) * _UNITS[match[2]]


def switch(text: str) -> bool:
    """On or off."""
    return _word(text.lower(), ("true", "false", "on", "off")) in ("true", "on")


def _word(text: str, words: tuple[str, ...]) -> str:
    if text not in words:
        raise ValueError(f"it must be one of {', '.join(words)}")
    return text
