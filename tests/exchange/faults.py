"""Faults of an exchange, drawn at random from a seed.

A draw depends only on the seed and its subject (a symbol's minute, the number of a connection or request), not on the
time of the draw. So all connections see the same frames, and the same seed repeats a run.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

#: Faults of a symbol's minute -> rate in the menu.
FRAME_FAULTS = {
    "duplicate closed frame": 0.04,
    "late closed frame": 0.03,
    "closed frame out of order": 0.02,
    "open candle after its close": 0.04,
    "malformed frame": 0.04,
    "malformed closed frame": 0.02,
    "revised, with a frame": 0.012,
    "revised without a frame": 0.012,
    "minute without trades": 0.02,
    "minute without trades or frame": 0.01,
}
#: Faults of a connection, some time after its start.
CONNECTION_FAULTS = {"dropped": 0.4, "silent": 0.15, "serverShutdown": 0.2, "handshake refused": 0.08}
#: Faults of a REST request.
REQUEST_FAULTS = {
    "429": 0.015,
    "418": 0.015,
    "5xx": 0.05,
    "malformed body": 0.03,
    "body cut off": 0.02,
}
#: Faults of a download.
ARCHIVE_FAULTS = {"truncated zip": 0.15, "wrong checksum": 0.15, "archive 5xx": 0.1}
_MENU = FRAME_FAULTS | CONNECTION_FAULTS | REQUEST_FAULTS | ARCHIVE_FAULTS
#: Mean time until a connection's fault, in seconds of the exchange's clock.
_CONNECTION_LIFE = 1200.0


@dataclass(frozen=True)
class Faults:
    """Rates by name, none by default. Faults occur in [since, until), seconds by the exchange's clock."""

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    since: float = -math.inf
    until: float = math.inf

    def __post_init__(self) -> None:
        assert set(self.rates) <= set(_MENU), set(self.rates) - set(_MENU)

    @classmethod
    def menu(cls, seed: int, since: float = -math.inf, until: float = math.inf) -> "Faults":
        """All faults at the rates of the menu."""
        return cls(seed, _MENU, since, until)

    def of_minutes(self, symbol: str, minutes: np.ndarray) -> dict[str, np.ndarray]:
        """The FRAME_FAULTS of each minute (epoch seconds, int64): name -> bool."""
        within = (minutes >= self.since) & (minutes + 60 <= self.until)
        found = {}
        for name in FRAME_FAULTS:
            # Counter-based, so that a minute's draw does not depend on the range.
            draws = _uniform(minutes // 60, crc32(f"{self.seed} {symbol} {name}".encode()))
            found[name] = within & (draws < self.rates.get(name, 0.0))
        return found

    def of_connection(self, number: int, now: float) -> tuple[str | None, float]:
        """The fault of the connection of this number, and the seconds until it occurs."""
        draw = self.drawn("connection", number)
        return self._one_of(CONNECTION_FAULTS, draw, now), draw.expovariate(1 / _CONNECTION_LIFE)

    def of_request(self, number: int, now: float) -> str | None:
        """The fault of the REST request of this number."""
        return self._one_of(REQUEST_FAULTS, self.drawn("request", number), now)

    def of_download(self, number: int, now: float) -> str | None:
        """The fault of the download of this number."""
        return self._one_of(ARCHIVE_FAULTS, self.drawn("download", number), now)

    def drawn(self, *about: object) -> random.Random:
        """A random generator that depends on the seed and these arguments."""
        return random.Random(f"{self.seed} {about}")

    def _one_of(self, names: Mapping[str, float], draw: random.Random, now: float) -> str | None:
        choice = draw.random()
        if not self.since <= now < self.until:
            return None
        for name in names:
            choice -= self.rates.get(name, 0.0)
            if choice < 0:
                return name
        return None


def _uniform(counters: np.ndarray, key: int) -> np.ndarray:
    """A number in [0, 1) for each counter: splitmix64's finalizer."""
    x = counters.astype(np.uint64) + np.uint64(key * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
