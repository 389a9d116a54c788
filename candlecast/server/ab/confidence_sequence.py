"""The confidence sequence of an A/B test: an interval that may be looked at after every minute.

A 95 % interval that is looked at daily excludes the truth on some day almost surely. A confidence sequence holds the
truth at all times at once with that probability, so a test may be stopped whenever it excludes 0.

Two ensembles whose directions agree at a minute are both right or both wrong: their difference is 0, whatever comes.
Where they disagree, which is known before the outcome is, the difference of their hits lies in [-1, 1], so it is
sub-Gaussian with variance 1 (Hoeffding 1963) about its mean given the past, whatever that mean does from minute to
minute. Over V disagreements with S hits more, Robbins' (1970) normal mixture bounds |S - its mean| by

    sqrt((V + rho) ln((V + rho) / (rho alpha^2)))        at all times at once, with probability 1 - alpha

(Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49, the two-sided normal mixture). Only horizon 1 may
enter: outcomes of several minutes overlap, so the hits of one minute would be known partly from the minute before.
"""

import math
from dataclasses import dataclass

#: The sequence misses the truth at some time with at most this probability.
ALPHA = 0.05
#: Disagreements at which the sequence is as narrow as it can be made: any number is valid, if chosen beforehand.
NARROWEST_AT = 4_000


def _solve_rho() -> float:
    """Makes the bound narrowest at NARROWEST_AT: V / rho = x - 1, x - ln x = 1 - 2 ln alpha (Howard et al. 2021)."""
    target = 1.0 - 2.0 * math.log(ALPHA)
    x = target
    for _ in range(60):  # a contraction: the derivative of the step is 1 / x
        x = target + math.log(x)
    return NARROWEST_AT / (x - 1.0)


RHO = _solve_rho()


def radius(disagreements: float) -> float:
    """Half the width of the sequence for S, the sum of hits more, after so many disagreements."""
    spread = disagreements + RHO
    return math.sqrt(spread * math.log(spread / (RHO * ALPHA**2)))


@dataclass(frozen=True)
class ConfidenceSequence:
    """Minutes that moved since a test began, on how many of them directions differed, the challenger's hits more."""

    minutes: int
    disagreements: int
    hits_more: int

    @property
    def difference(self) -> float | None:
        """The challenger's accuracy less the active one's; None before the first minute."""
        return self.hits_more / self.minutes if self.minutes else None

    @property
    def bounds(self) -> tuple[float, float]:
        """What the difference of their true accuracies over these minutes lies between."""
        if not self.minutes:
            return -1.0, 1.0
        half = radius(self.disagreements)
        return (
            max(-1.0, (self.hits_more - half) / self.minutes),
            min(1.0, (self.hits_more + half) / self.minutes),
        )
