"""A year of nightly challengers: the effect of a promotion rule on the accuracy of the active ensemble.

Every night a new challenger takes one of three places if one is free, for at most ``max_days`` days. Its true accuracy
is random. A promoted challenger is active the next day. The previous ensemble is a shadow for that day and may return.
Accuracies are shares, relative to the ensemble that is active at the start.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from candlecast.server.ab.confidence_sequence import ALPHA
from research.ab_pairs import MINUTES, radii
from research.ab_rules import MARGIN, SIGMAS

#: (disagreements, hit difference) since the start of a test -> whether the guard allows a promotion.
Guard = Callable[[np.ndarray, np.ndarray], np.ndarray]

YEAR = 365
PLACES = 3
#: Share of the minutes at which a challenger's direction differs from the active ensemble's.
DISAGREEMENT = 0.3


@dataclass(frozen=True)
class Year:
    """Means over the runs. ``gain``: true accuracy of the active ensemble over the year; ``last``: on the last day.

    Both are in percentage points above the first ensemble.
    """

    gain: float
    gain_error: float
    last: float
    promotions: float
    to_a_worse: float
    rollbacks: float


@dataclass
class _Tests:
    """The three places of each run, (runs, places). ``accuracy`` is NaN for a free place."""

    accuracy: np.ndarray
    disagreements: np.ndarray
    hits: np.ndarray
    days: np.ndarray

    def free(self, where: np.ndarray) -> None:
        self.accuracy[where] = np.nan
        self.restart(where)

    def restart(self, where: np.ndarray) -> None:
        for values in (self.disagreements, self.hits, self.days):
            values[where] = 0


def none(_: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """No guard."""
    return np.ones(hits.shape, dtype=bool)


def interval(disagreements: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """A plain 95 % interval is above 0."""
    return hits > SIGMAS * np.sqrt(disagreements)


def sequence(disagreements: np.ndarray, hits: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """The confidence sequence is above 0."""
    return hits > radii(int(disagreements.max()), alpha=alpha)[disagreements]


def simulate(
    promotes: Guard, rolls_back: Guard, max_days: int, mean: float, spread: float, runs: int, seed: int
) -> Year:
    """The rule ``margin`` with one guard for promotions and one for rollbacks.

    Challengers' true accuracies are normal (``mean``, ``spread``).
    """
    rng = np.random.default_rng(seed)
    tests = _Tests(np.full((runs, PLACES), np.nan), *(np.zeros((runs, PLACES), dtype=np.int64) for _ in range(3)))
    every = np.arange(runs)
    live, before = np.zeros(runs), np.full(runs, np.nan)
    total, counts = np.zeros(runs), np.zeros(3)
    for _ in range(YEAR):
        places = np.isnan(tests.accuracy)
        first = (every[places.any(axis=1)], places.argmax(axis=1)[places.any(axis=1)])
        tests.accuracy[first] = rng.normal(mean, spread, len(first[0]))
        total += live
        # Add the day's results to the tests and to the shadow of the last promotion.
        differ, hits = _day(tests.accuracy - live[:, None], rng)
        tests.disagreements += differ
        tests.hits += hits
        tests.days += ~np.isnan(tests.accuracy)
        shadow_differ, shadow_hits = _day(before - live, rng)
        back = (shadow_hits > MARGIN * MINUTES) & rolls_back(shadow_differ, shadow_hits)
        better = (hits > MARGIN * MINUTES) & promotes(tests.disagreements, tests.hits) & ~back[:, None]
        best = np.where(better, hits, -1).argmax(axis=1)
        promoted = better.any(axis=1)
        ended = sequence(tests.disagreements, -tests.hits) | (tests.days >= max_days)
        ended[promoted, best[promoted]] = True
        chosen = tests.accuracy[every, best]
        counts += [promoted.sum(), (promoted & (chosen < live)).sum(), back.sum()]
        tests.free(ended)
        tests.restart(promoted | back)
        after = np.where(promoted, chosen, np.where(back, before, live))
        before = np.where(promoted, live, np.nan)
        live = after
    means = 100 * total / YEAR
    return Year(
        gain=float(means.mean()),
        gain_error=float(means.std() / np.sqrt(runs)),
        last=float(100 * live.mean()),
        promotions=float(counts[0] / runs),
        to_a_worse=float(counts[1] / runs),
        rollbacks=float(counts[2] / runs),
    )


def _day(difference: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A day's disagreements and hit difference; 0 where ``difference`` is NaN (a free place)."""
    running = ~np.isnan(difference)
    differ = rng.binomial(MINUTES, np.where(running, DISAGREEMENT, 0.0))
    right = rng.binomial(differ, 0.5 + np.nan_to_num(difference) / (2 * DISAGREEMENT))
    return differ, 2 * right - differ
