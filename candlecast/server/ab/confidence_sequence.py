"""The confidence sequence of an A/B test: an interval that stays valid when it is checked after every minute.

A 95 % interval that is checked daily almost surely excludes the true value on some day. A confidence sequence contains
the true value at all times simultaneously with 95 % probability. So a test may stop as soon as it excludes 0.

Where two ensembles predict the same direction, both are right or both are wrong: the difference of their hits is 0.
Where they disagree (known before the outcome), the difference is in [-1, 1]. Given the past it is sub-Gaussian with
variance 1 around its mean (Hoeffding 1963), and that mean may change from minute to minute. For V disagreements with a
sum S of hit differences, Robbins' (1970) normal mixture bounds |S - its mean| by

    sqrt((V + rho) ln((V + rho) / (rho alpha^2)))        at all times simultaneously, with probability 1 - alpha

(Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49, the two-sided normal mixture). Only horizon 1 is used:
outcomes of longer horizons overlap, so the hits of one minute would depend on those of the minute before.
"""

import math
from dataclasses import dataclass

#: The largest probability that the sequence excludes the true value at any time.
ALPHA = 0.05
#: The number of disagreements at which the sequence is narrowest. Any number is valid if it is chosen in advance.
NARROWEST_AT = 4_000


def _solve_rho() -> float:
    """The rho that is best at NARROWEST_AT: V / rho = x - 1, x - ln x = 1 - 2 ln alpha (Howard et al. 2021)."""
    target = 1.0 - 2.0 * math.log(ALPHA)
    x = target
    for _ in range(60):  # a contraction: the derivative of the step is 1 / x
        x = target + math.log(x)
    return NARROWEST_AT / (x - 1.0)


RHO = _solve_rho()


def radius(disagreements: float) -> float:
    """Half the width of the interval for S, the sum of hit differences, after ``disagreements`` disagreements."""
    spread = disagreements + RHO
    return math.sqrt(spread * math.log(spread / (RHO * ALPHA**2)))


@dataclass(frozen=True)
class ConfidenceSequence:
    """The state of the sequence since the test began.

    minutes: those with a price change; disagreements: those with different directions. hits_more: challenger's hits
    minus active hits.
    """

    minutes: int
    disagreements: int
    hits_more: int

    @property
    def difference(self) -> float | None:
        """Accuracy of the challenger minus that of the active one; None before the first minute."""
        return self.hits_more / self.minutes if self.minutes else None

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval for the difference of their true accuracies over these minutes."""
        if not self.minutes:
            return -1.0, 1.0
        half = radius(self.disagreements)
        return (
            max(-1.0, (self.hits_more - half) / self.minutes),
            min(1.0, (self.hits_more + half) / self.minutes),
        )
