"""The rule: what becomes of a challenger, and why, in words.

A test is promoted where it was right at one minute more often than the active one by more than promotion_margin over
the last 24 hours, and, with promotion_guard 'confidence', where the confidence sequence since the test began lies above
0. It is retired where the sequence lies below 0, or where ab_max_days have passed.

A shadow, which was active until that one was promoted, is judged once, a day later, by the same rule: it comes back, or
it retires. Since that is one look, the guard is the plain 95 % interval of those 24 hours: a sequence, which allows for
looks at all times, would need over five points in a day (docs/explanation/ab-tests.md).
"""

import math
from dataclasses import dataclass

from candlecast.core.settings import Settings
from candlecast.core.times import DAY_SECONDS, format_timestamp
from candlecast.server.ab.challenges import Challenge
from candlecast.server.ab.confidence_sequence import ConfidenceSequence
from candlecast.server.ab.figures import Accuracies, DayFigures


@dataclass(frozen=True)
class Standing:
    """Where a challenge stands at ``at``: the figures of the 24 hours before, and the sequence since it began.

    ``since``: the first minute that both predicted. Epoch seconds.
    """

    challenge: Challenge
    at: float
    since: float | None
    sequence: ConfidenceSequence
    day: DayFigures


@dataclass(frozen=True)
class Decision:
    """promote, roll_back, retire, refuse or keep, and the reason."""

    kind: str
    reason: str


def decide(standing: Standing, settings: Settings) -> Decision:
    """Judge one challenge by itself; nothing is changed, and test vectors are not tried."""
    challenge = standing.challenge
    if challenge.active_id is None:
        return Decision("keep", f"no ensemble is active for {challenge.symbol}, so there is nothing to compare with")
    if challenge.changed_later is not None:
        later = format_timestamp(challenge.changed_later)
        return Decision("keep", f"what is live or on test has changed since, at {later}: the past decides nothing")
    waiting = _find_wait(standing, settings)
    if waiting:
        return _keep_unless_over(standing, settings, waiting)
    assert standing.day.one_minute is not None, "else it would wait"
    verdict, judged = _judge(standing, standing.day.one_minute, settings)
    if challenge.role == "shadow":
        if verdict == "better":
            return Decision("roll_back", judged)
        return Decision("retire", f"the promotion of ensemble {challenge.active_id} stands: {judged}")
    if verdict == "clearly worse":
        return Decision("retire", judged)
    if verdict != "better":
        return _keep_unless_over(standing, settings, judged)
    until = None
    if challenge.active_since is not None and settings.promotion_cooldown is not None:
        until = challenge.active_since + settings.promotion_cooldown
    if until is not None and standing.at < until:
        return Decision(
            "keep", f"{judged}; but promotion_cooldown lets nothing change before {format_timestamp(until)}"
        )
    return Decision("promote", judged)


def _find_wait(standing: Standing, settings: Settings) -> str | None:
    """What a judgment still waits for; None: it can be made."""
    if standing.since is None:
        return "no minute has been predicted by both yet, with an outcome; if that lasts, see inference_runs"
    hours = (standing.at - standing.since) / 3600
    if hours < 24:
        return f"{math.floor(10 * hours) / 10} of 24 hours so far"
    if standing.day.pairs < settings.ab_min_pairs:
        return f"{standing.day.pairs} of {settings.ab_min_pairs} paired minutes in the last 24 hours (ab_min_pairs)"
    if standing.day.one_minute is None:
        return "the price moved in none of the last 24 hours' minutes"
    return None


def _judge(standing: Standing, one: Accuracies, settings: Settings) -> tuple[str, str]:
    """A verdict on the challenger, and the same with its figures; ``one``: of one minute ahead."""
    pair = standing.challenge
    low, high = standing.sequence.bounds
    surely_above = one.low if pair.role == "shadow" else low
    if high < 0:
        verdict = "clearly worse"
    elif not one.difference > settings.promotion_margin:
        verdict = "not better by the margin"
    elif settings.promotion_guard == "confidence" and not surely_above > 0:
        verdict = "better, but it may be chance"
    else:
        verdict = "better"
    active, challenger = f"{100 * one.active:.2f} %", f"{100 * one.challenger:.2f} %"
    difference = _format_points(one.difference, one.low, one.high)
    since = "promotion" if pair.role == "shadow" else "test began"
    return verdict, (
        f"{verdict}: ensemble {pair.challenger_id} was right in {challenger} of 24 hours' minutes, "
        f"ensemble {pair.active_id} in {active}: {difference} points, "
        f"margin {_format_points(settings.promotion_margin)}; since the {since} "
        f"{_format_points(standing.sequence.difference or 0.0, low, high)}"
    )


def _keep_unless_over(standing: Standing, settings: Settings, why: str) -> Decision:
    """Keep an undecided one, or retire it where its days are over."""
    start = standing.challenge.together_since or standing.since
    if start is not None and standing.at - start >= settings.ab_max_days * DAY_SECONDS:
        return Decision("retire", f"undecided after {settings.ab_max_days} days (ab_max_days): {why}")
    return Decision("keep", why)


def _format_points(share: float, *interval: float) -> str:
    """In percentage points, with the ends of its interval."""
    ends = ", ".join(f"{100 * end:+.2f}" for end in interval)
    return f"{100 * share:+.2f}" + (f" [{ends}]" if ends else "")
