"""Expected calibration error, and its range under perfect calibration on the same rows.

The error is never 0: by chance, each bin's share of rises differs from its mean probability. So outcomes are simulated
from the forecast probabilities themselves. These draws are perfectly calibrated, and their errors give the range that
the actual error is compared with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from candlecast.trainer.evaluation.intervals import Estimate, mean_estimate
from candlecast.trainer.evaluation.metrics import Cells

BINS = 10
DRAWS = 500


@dataclass(frozen=True)
class Bin:
    """Rows of similar probability: their number, mean probability, and share of rises with its interval."""

    rows: int
    probability: float
    rose: Estimate


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error, and its 95 % ranges under perfect calibration.

    ``perfect``: simulated outcomes overlap like the actual ones. ``independent``: each outcome is drawn independently.
    """

    value: float
    perfect: tuple[float, float]
    independent: tuple[float, float]

    @property
    def holds(self) -> bool:
        """Whether the error is within the range of perfect calibration, with overlapping outcomes."""
        return self.value <= self.perfect[1]

    def document(self) -> dict[str, object]:
        """As evaluation.json holds it."""
        return {
            "value": self.value,
            "perfect_calibration": {"low": self.perfect[0], "high": self.perfect[1]},
            "perfect_calibration_independent_rows": {"low": self.independent[0], "high": self.independent[1]},
            "holds": self.holds,
        }


class _Binned:
    """Probabilities (minutes, horizons) in ten bins of equal size: for each horizon, then for all horizons."""

    def __init__(self, probability: np.ndarray, moved: np.ndarray) -> None:
        horizons = moved.shape[1]
        columns = [_bin_of(probability[:, i], moved[:, i]) + i * (BINS + 1) for i in range(horizons)]
        self.numbers = (np.stack(columns, axis=1).ravel(), _bin_of(probability, moved).ravel())
        self.sizes = (horizons, 1)
        self.rows = np.append(moved.sum(axis=0), moved.sum())
        self.expected = self._sums(probability)

    def errors(self, up: np.ndarray) -> np.ndarray:
        """Sum over bins of |mean probability - share of rises| * share of rows (Naeini, Cooper & Hauskrecht 2015)."""
        distances: np.ndarray = np.abs(self.expected - self._sums(up)).sum(axis=1) / self.rows
        return distances

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """(horizons + 1, bins) sums of (minutes, horizons) values. Cells without a direction are left out."""
        sums = [
            np.bincount(number, values.ravel(), size * (BINS + 1)).reshape(size, BINS + 1)[:, :BINS]
            for number, size in zip(self.numbers, self.sizes, strict=True)
        ]
        return np.concatenate(sums)


def _bin_of(probability: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Each cell's bin number, in order of probability, ties in order of time; ``BINS`` for a cell without direction."""
    number = np.full(moved.size, BINS)
    cells = np.flatnonzero(moved)
    order = cells[np.argsort(probability.ravel()[cells], kind="stable")]
    for bin_number, part in enumerate(np.array_split(order, BINS)):
        number[part] = bin_number
    return number.reshape(moved.shape)


def reliability(cells: Cells) -> list[Bin]:
    """The ten bins of the reliability diagram, in ascending order of probability."""
    if cells.probability is None:
        return []
    number = _bin_of(cells.probability, cells.moved)
    bins = [number == one for one in range(BINS)]
    return [
        Bin(
            rows=int(chosen.sum()),
            probability=float(cells.probability[chosen].mean()),
            rose=mean_estimate(cells.up.astype(np.float64), chosen, cells.horizon),
        )
        for chosen in bins
        if chosen.any()
    ]


def calibration_errors(
    forecasts: Mapping[str, np.ndarray], outcome: np.ndarray, candle_time: np.ndarray, seed: int = 0
) -> dict[str, list[CalibrationError]]:
    """For each forecast, (minutes, 5) probabilities: its error at each horizon, then at all horizons.

    outcome: (minutes, 5) scaled returns; candle_time: (minutes,) epoch seconds. All forecasts use the same draws. A
    draw is a random walk of normal one-minute steps. A horizon's outcome is the sum of its steps; it is a rise if the
    sum is below the p-quantile of its distribution. So each rise has exactly its probability, and outcomes that share
    minutes are dependent.
    """
    moved, up = outcome != 0, outcome > 0
    if not moved.any(axis=0).all():
        return {}
    bins = {name: _Binned(probability, moved) for name, probability in forecasts.items()}
    least = {name: norm.ppf(probability) for name, probability in forecasts.items()}
    columns = outcome.shape[1] + 1
    drawn = {name: np.empty((2, DRAWS, columns)) for name in forecasts}
    random = np.random.default_rng(seed)
    for draw in range(DRAWS):
        kinds = (_walk(random, candle_time, outcome.shape[1]), random.standard_normal(outcome.shape))
        for kind, numbers in enumerate(kinds):
            for name in forecasts:
                drawn[name][kind, draw] = bins[name].errors(numbers < least[name])
    found = {}
    for name in forecasts:
        low, high = np.quantile(drawn[name], (0.025, 0.975), axis=1)  # (kinds, columns) each
        found[name] = [
            CalibrationError(
                value=float(value),
                perfect=(float(low[0, column]), float(high[0, column])),
                independent=(float(low[1, column]), float(high[1, column])),
            )
            for column, value in enumerate(bins[name].errors(up))
        ]
    return found


def _walk(random: np.random.Generator, candle_time: np.ndarray, horizons: int) -> np.ndarray:
    """(minutes, horizons) standard normal numbers: sums of the next h steps of one random walk, divided by sqrt(h)."""
    minute = (candle_time - candle_time[0]) // 60
    walk = np.concatenate([[0.0], np.cumsum(random.standard_normal(int(minute[-1]) + horizons))])
    ahead = np.arange(1, horizons + 1)
    return (walk[minute[:, np.newaxis] + ahead] - walk[minute][:, np.newaxis]) / np.sqrt(ahead)
