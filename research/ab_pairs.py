"""Simulated pairs of ensembles, minute by minute: where they disagree, which one is right, and the daily totals.

A pair's directions differ where an AR(1) process is above a threshold. The sign of a second process decides which one
predicts up. So disagreements are autocorrelated, like those of real forecasts (pairs for BTCUSDT: hit differences of
neighboring minutes correlate by 0.0 at one minute, by up to 0.3 at five). Where the directions differ, the minute's
return follows the challenger's direction with probability 1/2 + difference / (2 disagreement), elsewhere with 1/2. So
the accuracy at one minute differs by exactly ``difference``. The outcome at h minutes is the sign of the sum of h
returns.

Left out: minutes without a price change, and directions that differ between horizons. With one direction for all
horizons, a day's pooled difference varies 0.9 to 1.0 times as much as the difference at one minute; for real pairs it
varies 0.4 to 0.9 times as much, 0.6 on average.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from candlecast.core.windows import HORIZONS
from candlecast.server.ab.confidence_sequence import ALPHA, NARROWEST_AT, RHO, radius

MINUTES = 1_440
#: Autocorrelation of the AR(1) processes from minute to minute.
PERSISTENCE = 0.7
#: Minutes after the end of a day whose returns its outcomes need.
_AHEAD = max(HORIZONS) - 1
#: Runs that are simulated together: a day of them fits into the processor's cache.
_CHUNK = 250


@dataclass(frozen=True, order=True)
class Pair:
    """``difference``: the challenger's accuracy at one minute minus the active ensemble's. Both fields are shares."""

    disagreement: float
    difference: float

    def __post_init__(self) -> None:
        if not 0 <= self.difference <= self.disagreement:
            raise ValueError(
                f"{self}: the difference must be in [0, disagreement]. Use Days.swapped() for a worse challenger"
            )


@dataclass(frozen=True)
class Days:
    """Results of each day of each run, (days, runs): minutes whose directions differ, and hit differences.

    ``hits``: the challenger's hits minus the active ensemble's, at one minute. ``pooled``: over the five horizons.
    ``missed``, (runs,): whether the confidence sequence excluded the true difference at some minute.
    """

    disagreements: np.ndarray
    hits: np.ndarray
    pooled: np.ndarray
    missed: np.ndarray

    def swapped(self) -> "Days":
        """The same days with swapped roles: the challenger is worse by the same difference."""
        return Days(self.disagreements, -self.hits, -self.pooled, self.missed)


@dataclass(frozen=True)
class Minutes:
    """Random numbers that all pairs of a chunk share, (minutes, runs), so that pairs do not differ by chance."""

    disagreeing: np.ndarray  # standard normal; above a threshold the directions differ
    challenger_up: np.ndarray  # whether the challenger predicts up, where they differ
    coin: np.ndarray  # uniform; decides which one is right
    size: np.ndarray  # size of the return

    @classmethod
    def of_days(cls, runs: int, rng: np.random.Generator) -> Iterator["Minutes"]:
        """Infinite days. A day's first minutes are the last minutes that the previous day used for its outcomes."""
        state = rng.standard_normal((2, runs), dtype=np.float32)
        kept: list[np.ndarray] | None = None
        while True:
            drawn = MINUTES + (_AHEAD if kept is None else 0)
            noise = rng.standard_normal((drawn, 2, runs), dtype=np.float32)
            noise *= np.float32(np.sqrt(1 - PERSISTENCE**2))
            for minute in noise:  # in place: noise is overwritten by the process
                state *= np.float32(PERSISTENCE)
                state += minute
                minute[:] = state
            new = [
                noise[:, 0],
                noise[:, 1] > 0,
                rng.random((drawn, runs), dtype=np.float32),
                rng.standard_exponential((drawn, runs), dtype=np.float32),
            ]
            day = new if kept is None else [np.concatenate(both) for both in zip(kept, new, strict=True)]
            kept = [values[-_AHEAD:].copy() for values in day]
            yield cls(*day)

    def of_pair(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        """Whether directions differ, and whether the challenger is right at each horizon (5, ...), per minute."""
        differ = self.disagreeing > np.float32(NormalDist().inv_cdf(1 - pair.disagreement))
        right = self.coin < np.float32(0.5)
        if pair.difference:
            right |= differ & (self.coin < np.float32(0.5 + pair.difference / (2 * pair.disagreement)))
        returns = np.where(right == self.challenger_up, self.size, -self.size)
        up = self.challenger_up[:MINUTES]
        challenger_right = np.empty((len(HORIZONS), *up.shape), dtype=bool)
        challenger_right[0] = right[:MINUTES]
        total = returns[:MINUTES].copy()
        for ahead in range(1, len(HORIZONS)):
            total += returns[ahead : MINUTES + ahead]
            np.equal(total > 0, up, out=challenger_right[ahead])
        return differ[:MINUTES], challenger_right


def simulate(
    pairs: Sequence[Pair], runs: int, days: int, seed: int, on_step: Callable[[int, int, str], None]
) -> dict[Pair, Days]:
    """Simulate every pair over ``days`` days, ``runs`` times."""
    widths = radii(days * MINUTES).astype(np.float32)
    chunks = [min(_CHUNK, runs - start) for start in range(0, runs, _CHUNK)]
    parts: dict[Pair, list[Days]] = {pair: [] for pair in pairs}
    for number, (chunk, child) in enumerate(zip(chunks, np.random.SeedSequence(seed).spawn(len(chunks)), strict=True)):
        minutes = Minutes.of_days(chunk, np.random.default_rng(child))
        results = {pair: _nothing_yet(days, chunk) for pair in pairs}
        for day in range(days):
            shared = next(minutes)
            for pair, result in results.items():
                _add_day(result, day, pair, shared, widths)
        for pair, result in results.items():
            parts[pair].append(result)
        on_step(number + 1, len(chunks), f"{sum(chunks[: number + 1]):,} runs")
    return {
        pair: Days(
            *(np.concatenate([getattr(part, name) for part in several], axis=-1) for name in Days.__dataclass_fields__)
        )
        for pair, several in parts.items()
    }


def radii(most: int, narrowest_at: float = NARROWEST_AT, alpha: float = ALPHA) -> np.ndarray:
    """``confidence_sequence.radius`` for 0 to ``most`` disagreements. rho is proportional to ``narrowest_at``."""
    rho = RHO * narrowest_at / NARROWEST_AT
    spread = np.arange(most + 1) + rho
    result = np.sqrt(spread * np.log(spread / (rho * alpha**2)))
    if (narrowest_at, alpha) == (NARROWEST_AT, ALPHA):
        assert all(np.isclose(result[n], radius(n)) for n in (0, most // 2, most))
    return result


def _nothing_yet(days: int, runs: int) -> Days:
    return Days(*(np.zeros((days, runs), dtype=np.int32) for _ in range(3)), np.zeros(runs, dtype=bool))


def _add_day(result: Days, day: int, pair: Pair, shared: Minutes, widths: np.ndarray) -> None:
    differ, right = shared.of_pair(pair)
    right &= differ
    # Where directions differ, either the challenger is right (`right`) or the active ensemble.
    result.disagreements[day] = differ.sum(axis=0, dtype=np.int16)
    result.hits[day] = 2 * right[0].sum(axis=0, dtype=np.int16) - result.disagreements[day]
    pooled = right.view(np.int8).sum(axis=0, dtype=np.int8).sum(axis=0, dtype=np.int16)
    result.pooled[day] = 2 * pooled - len(HORIZONS) * result.disagreements[day]
    seen = np.cumsum(differ, axis=0, dtype=np.int32)
    seen += result.disagreements[:day].sum(axis=0, dtype=np.int32)
    more = np.cumsum(right[0], axis=0, dtype=np.int32)
    more *= 2
    more -= seen
    more += (result.hits[:day] + result.disagreements[:day]).sum(axis=0, dtype=np.int32)
    off = more - np.float32(pair.difference / pair.disagreement) * seen.astype(np.float32)
    np.logical_or(result.missed, (np.abs(off) > widths[seen]).any(axis=0), out=result.missed)
