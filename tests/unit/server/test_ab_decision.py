"""A/B decisions: given the figures of a comparison -> the expected decision, on both sides of every limit."""

import json
import math
from dataclasses import replace

import pytest

from candlecast.core.settings import resolve
from candlecast.core.times import DAY_SECONDS as DAY
from candlecast.server.ab.challenges import Challenge
from candlecast.server.ab.confidence_sequence import ConfidenceSequence, radius
from candlecast.server.ab.decision import Comparison, Decision, decide
from candlecast.server.ab.figures import Accuracies, DayFigures

HOUR = 3_600
AT = 1_777_853_400.0  # 2026-05-04 00:10 UTC
CHALLENGE = Challenge(
    symbol="BTCUSDT",
    active_id=1,
    challenger_id=2,
    role="test",
    began=AT - 10 * DAY,
    together_since=AT - 10 * DAY,
    active_since=AT - 10 * DAY,
    changed_later=None,
)
SURELY_ABOVE = ConfidenceSequence(10_000, 1_000, 300)  # [+1.97, +4.03] points
UNDECIDED = ConfidenceSequence(10_000, 1_000, 60)
SURELY_BELOW = ConfidenceSequence(10_000, 1_000, -300)


def accuracies(challenger=0.54, active=0.52, low=0.001, high=0.039):
    return Accuracies(active, challenger, challenger - active, low, high)


#: The figures of all horizons, McNemar's test and the loss do not affect the decision.
FIGURES = DayFigures(1_439, accuracies(), None, {}, 0, 0, None, None)
WINNING = Comparison(CHALLENGE, AT, AT - 10 * DAY, SURELY_ABOVE, FIGURES)
SHADOW = replace(
    WINNING, challenge=replace(CHALLENGE, role="shadow", together_since=AT - DAY, active_since=AT - DAY),
    since=AT - DAY, sequence=ConfidenceSequence(1_400, 150, 28),
)  # fmt: skip


def decided(comparison, *, of=None, stored=None, **changed):
    """`of`: changes of the challenge; `stored`: of the settings; others: of the day's figures or the comparison."""
    day = {name: changed.pop(name) for name in ("pairs", "one_minute") if name in changed}
    comparison = replace(comparison, **changed, day=replace(comparison.day, **day))
    comparison = replace(comparison, challenge=replace(comparison.challenge, **(of or {})))
    return decide(comparison, resolve(json.dumps(stored or {}), {}))


def sequence_with(low=None, high=None):
    """A sequence with exactly this bound, which no whole number of hits gives."""
    half = radius(400) / 2_000
    middle = low + half if low is not None else high - half
    found = ConfidenceSequence(2_000, 400, middle * 2_000)
    assert (low, high) in ((found.bounds[0], None), (None, found.bounds[1]))
    return found


# fmt: off
GIVEN = {  # name: (comparison, expected decision, text in the reason, changes)
    "better in 24 hours and surely better overall": (WINNING, "promote", "better: ensemble 2 was right in 54.00 %", {}),
    # the rule: strictly more than the margin
    "by exactly the margin": (WINNING, "keep", "not better by the margin",
        {"one_minute": accuracies(0.50390625, 0.5), "stored": {"promotion_margin": "0.00390625"}}),
    "by just more than the margin": (WINNING, "promote", "better:",
        {"one_minute": accuracies(0.50390625 + 1e-12, 0.5), "stored": {"promotion_margin": "0.00390625"}}),
    "equal, margin 0": (WINNING, "keep", "not better by the margin",
        {"one_minute": accuracies(0.52, 0.52), "stored": {"promotion_margin": "0"}}),
    "a wider margin": (WINNING, "keep", "margin +2.50", {"stored": {"promotion_margin": "0.025"}}),
    "surely better overall, worse today": (WINNING, "keep", "not better", {"one_minute": accuracies(0.51, 0.52)}),
    # duration and number of pairs
    "23.99 hours": (WINNING, "keep", "23.9 of 24 hours so far", {"since": AT - 23.99 * HOUR}),
    "half an hour": (WINNING, "keep", "0.5 of 24 hours so far", {"since": AT - HOUR / 2}),
    "24 hours": (WINNING, "promote", "better:", {"since": AT - 24 * HOUR}),
    "1299 pairs": (WINNING, "keep", "1299 of 1300 paired minutes in the last 24 hours", {"pairs": 1_299}),
    "1300 pairs": (WINNING, "promote", "better:", {"pairs": 1_300}),
    "a larger ab_min_pairs": (WINNING, "keep", "1300 of 1301", {
        "pairs": 1_300, "stored": {"ab_min_pairs": "1301"}}),
    "no pair at all": (WINNING, "keep", "no minute has predictions of both ensembles",
        {"since": None, "pairs": 0, "one_minute": None, "sequence": ConfidenceSequence(0, 0, 0)}),
    "the price never changed": (WINNING, "keep", "the price did not change", {"one_minute": None}),
    "too few pairs, surely worse": (WINNING, "keep", "1299 of", {"pairs": 1_299, "sequence": SURELY_BELOW}),
    # the guard
    "not significant": (WINNING, "keep", "better, but not significant", {"sequence": UNDECIDED}),
    "a sequence that begins exactly at 0": (WINNING, "keep", "not significant", {"sequence": sequence_with(low=0.0)}),
    "a sequence that begins just above 0": (WINNING, "promote", "better:", {"sequence": sequence_with(low=2.0**-30)}),
    "the day's interval does not guard a test": (WINNING, "promote", "better:", {
        "one_minute": accuracies(low=-0.01)}),
    "no guard": (WINNING, "promote", "better:", {
        "sequence": UNDECIDED, "one_minute": accuracies(low=-0.01), "stored": {"promotion_guard": "none"}}),
    "no guard, not better": (WINNING, "keep", "not better", {
        "one_minute": accuracies(0.521, 0.52), "stored": {"promotion_guard": "none"}}),
    # clearly worse
    "clearly worse": (WINNING, "retire", "clearly worse:", {
        "sequence": SURELY_BELOW, "one_minute": accuracies(0.5, 0.52, -0.04, 0.0)}),
    "clearly worse, a good day": (WINNING, "retire", "clearly worse:", {"sequence": SURELY_BELOW}),
    "clearly worse without a guard": (WINNING, "retire", "clearly worse:", {
        "sequence": SURELY_BELOW, "stored": {"promotion_guard": "none"}}),
    "a sequence that ends exactly at 0": (WINNING, "keep", "not significant", {"sequence": sequence_with(high=0.0)}),
    "a sequence that ends just below 0": (WINNING, "retire", "clearly", {"sequence": sequence_with(high=-(2.0**-30))}),
    # ab_max_days
    "undecided after its days": (WINNING, "retire", "undecided after 10 days (ab_max_days): better, but", {
        "sequence": UNDECIDED, "stored": {"ab_max_days": "10"}}),
    "undecided a minute before": (WINNING, "keep", "better, but not significant", {
        "sequence": UNDECIDED, "stored": {"ab_max_days": "10"}, "of": {"together_since": AT - 10 * DAY + 60}}),
    "the default is 30 days": (WINNING, "retire", "undecided after 30 days", {
        "sequence": UNDECIDED, "of": {"together_since": AT - 30 * DAY}}),
    "29 days are not": (WINNING, "keep", "not significant", {
        "sequence": UNDECIDED, "of": {"together_since": AT - 29 * DAY}}),
    "not better after its days": (WINNING, "retire", "undecided after 10 days (ab_max_days): not better", {
        "one_minute": accuracies(0.52, 0.52), "stored": {"ab_max_days": "10"}}),
    "better after its days": (WINNING, "promote", "better:", {"stored": {"ab_max_days": "10"}}),
    "after its days, too few pairs": (WINNING, "retire", "undecided after 10 days (ab_max_days): 3 of 1300", {
        "pairs": 3, "stored": {"ab_max_days": "10"}}),
    "after its days, without a single pair": (WINNING, "retire", "(ab_max_days): no minute has predictions of both", {
        "since": None, "pairs": 0, "one_minute": None, "sequence": ConfidenceSequence(0, 0, 0),
        "stored": {"ab_max_days": "10"}}),
    "after its days, a flat market": (WINNING, "retire", "(ab_max_days): the price did not change", {
        "one_minute": None, "stored": {"ab_max_days": "10"}}),
    "in a replay the days count from the first pair": (WINNING, "retire", "undecided after 10 days", {
        "sequence": UNDECIDED, "stored": {"ab_max_days": "10"}, "of": {"together_since": None}}),
    "in a replay without a pair the days have not begun": (WINNING, "keep", "no minute", {
        "since": None, "pairs": 0, "one_minute": None, "stored": {"ab_max_days": "1"}, "of": {"together_since": None}}),
    # promotion_cooldown
    "a minute before the cooldown ends": (WINNING, "keep", "promotion_cooldown allows no promotion before", {
        "of": {"active_since": AT - DAY + 60}}),
    "the cooldown has ended": (WINNING, "promote", "better:", {"of": {"active_since": AT - DAY}}),
    "a longer cooldown": (WINNING, "keep", "before 2026-05-05 00:10:00+00", {
        "of": {"active_since": AT - DAY}, "stored": {"promotion_cooldown": "2 d"}}),
    "no cooldown": (WINNING, "promote", "better:", {
        "of": {"active_since": AT}, "stored": {"promotion_cooldown": "none"}}),
    "no change known": (WINNING, "promote", "better:", {"of": {"active_since": None}}),
    "after its days, during the cooldown": (WINNING, "keep", "promotion_cooldown allows no promotion", {
        "of": {"active_since": AT - HOUR}, "stored": {"ab_max_days": "10"}}),
    "a clearly worse one is retired during the cooldown": (WINNING, "retire", "clearly worse", {
        "sequence": SURELY_BELOW, "of": {"active_since": AT - HOUR}}),
    # the shadow: decided once, by the plain interval
    "a shadow that was better": (SHADOW, "roll_back", "better: ensemble 2 was right in 54.00 %", {}),
    "a shadow whose interval begins at 0": (SHADOW, "retire", "the promotion of ensemble 1 is confirmed: better, but", {
        "one_minute": accuracies(low=0.0)}),
    "a shadow without a guard": (SHADOW, "roll_back", "better:", {
        "one_minute": accuracies(low=-0.01), "stored": {"promotion_guard": "none"}}),
    "a shadow by exactly the margin": (SHADOW, "retire", "is confirmed: not better by the margin", {
        "one_minute": accuracies(0.50390625, 0.5), "stored": {"promotion_margin": "0.00390625"}}),
    "a shadow that was worse": (SHADOW, "retire", "confirmed: not better", {"one_minute": accuracies(0.50, 0.52)}),
    "a shadow that was clearly worse": (SHADOW, "retire", "confirmed: clearly worse", {"sequence": SURELY_BELOW}),
    "a shadow before its day is over": (SHADOW, "keep", "12.0 of 24 hours so far", {"since": AT - 12 * HOUR}),
    "a shadow with too few pairs": (SHADOW, "keep", "1299 of 1300", {"pairs": 1_299}),
    "a shadow that stays undecided": (SHADOW, "retire", "undecided after 30 days (ab_max_days): 7 of 1300", {
        "pairs": 7, "of": {"together_since": AT - 30 * DAY}}),
    "a cooldown does not delay a rollback": (SHADOW, "roll_back", "better:", {"stored": {"promotion_cooldown": "9 d"}}),
    # no decision
    "no active ensemble": (WINNING, "keep", "no ensemble is active for BTCUSDT, so there is nothing to compare with", {
        "of": {"active_id": None, "together_since": AT - 99 * DAY}}),
    "changed later": (WINNING, "keep", "after at_time, at 2026-05-05 00:10:00+00: no decision for the past", {
        "of": {"changed_later": AT + DAY, "together_since": AT - 99 * DAY}}),
    "a shadow changed later": (SHADOW, "keep", "no decision for the past", {"of": {"changed_later": AT + DAY}}),
}
# fmt: on


@pytest.mark.parametrize("name", GIVEN)
def test_decision_of_each_case(name):
    comparison, expected, message, changes = GIVEN[name]
    decision = decided(comparison, **changes)
    assert decision.kind == expected
    assert message in decision.reason


def test_full_text_of_the_reasons():
    since = "since the test began +3.00 [+1.97, +4.03]"
    rates = (
        "ensemble 2 was right in 54.00 % of the minutes of 24 hours, ensemble 1 in 52.00 %: +2.00 [+0.10, +3.90] points"
    )
    assert decided(WINNING) == Decision(
        "promote",
        f"better: {rates}, margin +0.50; {since}",
    )
    assert decided(WINNING, of={"active_since": AT - HOUR}).reason == (
        f"better: {rates}, margin +0.50; {since}; promotion_cooldown allows no promotion before 2026-05-04 23:10:00+00"
    )
    assert decided(WINNING, one_minute=accuracies(0.49, 0.52, -0.05, -0.01), stored={"ab_max_days": "9"}).reason == (
        "undecided after 9 days (ab_max_days): not better by the margin: ensemble 2 was right in 49.00 % of the"
        f" minutes of 24 hours, ensemble 1 in 52.00 %: -3.00 [-5.00, -1.00] points, margin +0.50; {since}"
    )
    assert "; since the promotion +2.00 [" in decided(SHADOW).reason
    assert decided(SHADOW, pairs=1_299).reason == "1299 of 1300 paired minutes in the last 24 hours (ab_min_pairs)"


def test_nan_never_changes_the_active_ensemble():
    unknown = Accuracies(math.nan, math.nan, math.nan, math.nan, math.nan)
    assert decided(WINNING, one_minute=unknown).kind == "keep"
    assert decided(SHADOW, one_minute=unknown).kind == "retire"
    assert decided(SHADOW, one_minute=accuracies(low=math.nan)).kind == "retire"
