"""The gate of `candlecast retrain`: only an ensemble that is better than the majority class is published.

    verdict = compare_with_majority(scaled_forecast, returns)
    verdict.passed, verdict.reason()

Both arrays are of the test part, (minutes, 5), in time order. Returns of 0 have no direction and do not count.
The majority class is, per horizon, the more frequent direction of the test part itself. It is known only in hindsight,
so no constant forecast is better. The ensemble passes if its direction accuracy is above the majority's at one minute
and over all horizons together. The intervals are shown but do not decide: over a week, a true difference of one point
is only two standard errors, and the A/B test compares the ensemble again, minute by minute.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from candlecast.core.windows import HORIZONS
from candlecast.trainer.evaluation.intervals import Estimate, mean_estimate


@dataclass(frozen=True)
class MajorityComparison:
    """Direction accuracies over the same minutes and their paired difference, with 95 % intervals."""

    ensemble: Estimate
    majority: Estimate
    difference: Estimate

    @property
    def passed(self) -> bool:
        """Whether the ensemble is better. False if the price never moved (NaN)."""
        return self.difference.value > 0


@dataclass(frozen=True)
class Verdict:
    """The gate's figures: at one minute, and over all five horizons together."""

    minutes: int
    one_minute: MajorityComparison
    all_horizons: MajorityComparison

    @property
    def passed(self) -> bool:
        """Whether the ensemble beats the majority class at one minute and over all horizons."""
        return self.one_minute.passed and self.all_horizons.passed

    def reason(self) -> str:
        """One line: both comparisons, in percent."""
        return "; ".join(
            f"{name}: ensemble {_percent(one.ensemble)}, majority class {_percent(one.majority)}, "
            f"difference {_percent(one.difference, '+')}"
            for name, one in (("1 min", self.one_minute), ("all horizons", self.all_horizons))
        )

    def document(self) -> dict[str, Any]:
        """The figures for training_runs.metrics: shares, not percent."""
        return asdict(self) | {"passed": self.passed}


def compare_with_majority(scaled_forecast: np.ndarray, returns: np.ndarray) -> Verdict:
    """Compare forecasts (minutes, 5) with actual log returns (minutes, 5)."""
    moved = returns != 0
    up = returns > 0
    right = np.sign(scaled_forecast) == np.sign(returns)
    mostly_up = 2 * up.sum(axis=0) >= moved.sum(axis=0)
    majority = up == mostly_up
    return Verdict(
        minutes=len(returns),
        one_minute=_compare(right[:, :1], majority[:, :1], moved[:, :1], HORIZONS[0]),
        all_horizons=_compare(right, majority, moved, HORIZONS[-1]),
    )


def _compare(right: np.ndarray, majority: np.ndarray, moved: np.ndarray, horizon: int) -> MajorityComparison:
    first, second = right.astype(np.float64), majority.astype(np.float64)
    return MajorityComparison(
        mean_estimate(first, moved, horizon),
        mean_estimate(second, moved, horizon),
        mean_estimate(first - second, moved, horizon),
    )


def _percent(one: Estimate, sign: str = "") -> str:
    return f"{100 * one.value:{sign}.2f} [{100 * one.low:{sign}.2f}, {100 * one.high:{sign}.2f}]"
