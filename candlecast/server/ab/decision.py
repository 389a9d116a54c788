"""The decision rule: promote, keep or retire a challenger, with the reason as text.

An ensemble on test is promoted when its direction accuracy at one minute exceeds that of the active one by more than
promotion_margin over the last 24 hours and, with promotion_guard 'confidence', when the confidence sequence since the
start of the test is above 0. It is retired when the sequence is below 0, or when ab_max_days have passed.

A shadow (the active ensemble before a promotion) is evaluated once, a day after the promotion, by the same rule: it
becomes active again, or it is retired. For a single evaluation the guard is the plain 95 % interval of those 24 hours:
a confidence sequence would need more than five points in one day (docs/explanation/ab-tests.md).
"""

import math
from dataclasses import dataclass

from candlecast.core.settings import Settings
from candlecast.core.times import DAY_SECONDS, format_timestamp
from candlecast.server.ab.challenges import Challenge
from candlecast.server.ab.confidence_sequence import ConfidenceSequence
from candlecast.server.ab.figures import Accuracies, DayFigures


@dataclass(frozen=True)
class Comparison:
    """The figures of a challenge at ``at``: those of the 24 hours before, and the sequence since it began.

    ``since``: the first minute that both predicted. Epoch seconds.
    """

    challenge: Challenge
    at: float
    since: float | None
    sequence: ConfidenceSequence
    day: DayFigures


@dataclass(frozen=True)
class Decision:
    """``kind`` is promote, roll_back, retire, refuse or keep."""

    kind: str
    reason: str


def decide(comparison: Comparison, settings: Settings) -> Decision:
    """Decide one challenge on its own. Changes nothing and does not run test vectors."""
    challenge = comparison.challenge
    if challenge.active_id is None:
        return Decision("keep", f"no ensemble is active for {challenge.symbol}, so there is nothing to compare with")
    if challenge.changed_later is not None:
        later = format_timestamp(challenge.changed_later)
        return Decision("keep", f"an ensemble changed its state after at_time, at {later}: no decision for the past")
    waiting = _find_wait(comparison, settings)
    if waiting:
        return _keep_unless_over(comparison, settings, waiting)
    assert comparison.day.one_minute is not None, "_find_wait returns a reason for this case"
    verdict, explanation = _assess(comparison, comparison.day.one_minute, settings)
    if challenge.role == "shadow":
        if verdict == "better":
            return Decision("roll_back", explanation)
        return Decision("retire", f"the promotion of ensemble {challenge.active_id} is confirmed: {explanation}")
    if verdict == "clearly worse":
        return Decision("retire", explanation)
    if verdict != "better":
        return _keep_unless_over(comparison, settings, explanation)
    until = None
    if challenge.active_since is not None and settings.promotion_cooldown is not None:
        until = challenge.active_since + settings.promotion_cooldown
    if until is not None and comparison.at < until:
        return Decision(
            "keep", f"{explanation}; promotion_cooldown allows no promotion before {format_timestamp(until)}"
        )
    return Decision("promote", explanation)


def _find_wait(comparison: Comparison, settings: Settings) -> str | None:
    """Why there are not enough data for a verdict yet; None: there are."""
    if comparison.since is None:
        return "no minute has predictions of both ensembles and an outcome yet; if this lasts, see inference_runs"
    hours = (comparison.at - comparison.since) / 3600
    if hours < 24:
        return f"{math.floor(10 * hours) / 10} of 24 hours so far"
    if comparison.day.pairs < settings.ab_min_pairs:
        return f"{comparison.day.pairs} of {settings.ab_min_pairs} paired minutes in the last 24 hours (ab_min_pairs)"
    if comparison.day.one_minute is None:
        return "the price did not change in the last 24 hours"
    return None


def _assess(comparison: Comparison, one: Accuracies, settings: Settings) -> tuple[str, str]:
    """A verdict on the challenger, and its explanation with figures; ``one``: accuracies at one minute ahead."""
    pair = comparison.challenge
    low, high = comparison.sequence.bounds
    surely_above = one.low if pair.role == "shadow" else low
    if high < 0:
        verdict = "clearly worse"
    elif not one.difference > settings.promotion_margin:
        verdict = "not better by the margin"
    elif settings.promotion_guard == "confidence" and not surely_above > 0:
        verdict = "better, but not significant"
    else:
        verdict = "better"
    active, challenger = f"{100 * one.active:.2f} %", f"{100 * one.challenger:.2f} %"
    difference = _format_points(one.difference, one.low, one.high)
    since = "promotion" if pair.role == "shadow" else "test began"
    return verdict, (
        f"{verdict}: ensemble {pair.challenger_id} was right in {challenger} of the minutes of 24 hours, "
        f"ensemble {pair.active_id} in {active}: {difference} points, "
        f"margin {_format_points(settings.promotion_margin)}; since the {since} "
        f"{_format_points(comparison.sequence.difference or 0.0, low, high)}"
    )


def _keep_unless_over(comparison: Comparison, settings: Settings, reason: str) -> Decision:
    """Keep an undecided challenger, or retire it after ab_max_days."""
    start = comparison.challenge.together_since or comparison.since
    if start is not None and comparison.at - start >= settings.ab_max_days * DAY_SECONDS:
        return Decision("retire", f"undecided after {settings.ab_max_days} days (ab_max_days): {reason}")
    return Decision("keep", reason)


def _format_points(share: float, *interval: float) -> str:
    """A share in percentage points, with the bounds of its interval."""
    bounds = ", ".join(f"{100 * bound:+.2f}" for bound in interval)
    return f"{100 * share:+.2f}" + (f" [{bounds}]" if bounds else "")
