"""The simulated pairs have their stated properties, and the rules give the results of theory on them."""

import re
from statistics import NormalDist

import numpy as np
import pytest

from candlecast.server.ab.confidence_sequence import radius
from research import ab_year
from research.ab_pairs import MINUTES, Days, Minutes, Pair, radii, simulate
from research.ab_report import WITHIN, pairs
from research.ab_rules import ALONE, DAY_INTERVAL, GUARDED, MARGIN, NEVER, RULES, fate, rolled_back, wilson
from research.ab_simulation import BEGIN, END, PAGE, between_marks

EQUAL, BETTER = Pair(0.3, 0.0), Pair(0.3, 0.02)
RUNS, DAYS = 300, 14


@pytest.fixture(scope="module")
def simulated() -> dict[Pair, Days]:
    return simulate([EQUAL, BETTER], RUNS, DAYS, 7, lambda *_: None)


@pytest.mark.parametrize("pair", [Pair(0.1, 0.005), Pair(0.3, 0.0), Pair(0.5, 0.02)])
def test_pairs_have_the_given_disagreement_and_difference(pair: Pair):
    minutes = next(Minutes.of_days(400, np.random.default_rng(1)))
    differ, right = minutes.of_pair(pair)
    # Disagreements are autocorrelated: their share varies as with a quarter of the minutes. Hits are independent.
    assert differ.mean() == pytest.approx(pair.disagreement, abs=4 * np.sqrt(4 * 0.25 / differ.size))
    difference = np.where(differ, np.where(right[0], 1, -1), 0).mean()
    assert difference == pytest.approx(pair.difference, abs=4 * np.sqrt(pair.disagreement / differ.size))


def test_only_overlapping_outcomes_correlate():
    differ, right = next(Minutes.of_days(400, np.random.default_rng(2))).of_pair(EQUAL)
    difference = np.where(differ, np.where(right, 1.0, -1.0), 0.0)  # (5, minutes, runs)
    neighbors = [np.corrcoef(one[1:].ravel(), one[:-1].ravel())[0, 1] for one in difference]
    assert abs(neighbors[0]) < 4 / np.sqrt(differ.size)
    assert 0.1 < neighbors[4] < 0.4
    assert neighbors == sorted(neighbors)


def test_outcomes_are_signs_of_sums_across_midnight():
    days = Minutes.of_days(3, np.random.default_rng(3))
    one, two = next(days), next(days)
    for day in (one, two):
        _, right = day.of_pair(BETTER)
        returns = np.where(right_at_one_minute(day) == day.challenger_up, day.size, -day.size)
        for horizon in range(1, 6):
            total = sum(returns[ahead : MINUTES + ahead] for ahead in range(horizon))
            assert np.array_equal(right[horizon - 1], (total > 0) == day.challenger_up[:MINUTES])
    assert np.array_equal(one.size[MINUTES:], two.size[:4])


def right_at_one_minute(day: Minutes) -> np.ndarray:
    """Whether the challenger is right at one minute, also at the minutes after the day's end."""
    differ = day.disagreeing > NormalDist().inv_cdf(1 - BETTER.disagreement)
    return day.coin < np.where(differ, 0.5 + BETTER.difference / (2 * BETTER.disagreement), 0.5)


def test_the_rule_promotes_at_the_normal_theory_rate(simulated: dict[Pair, Days]):
    deviation = np.sqrt(MINUTES * EQUAL.disagreement)
    expected = 1 - NormalDist(0, deviation).cdf(
        MARGIN * MINUTES + 1
    )  # more than 7.2 means at least 8, in steps of 2: continuity correction
    first = RULES[ALONE](simulated[EQUAL])
    assert first.mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / first.size))
    assert 0.3 < expected < 0.4
    within = fate(RULES[ALONE], simulated[EQUAL]).promoted_within(7)
    assert within == pytest.approx(1 - (1 - expected) ** 7, abs=0.06)


def test_the_sequence_bounds_errors_and_finds_the_better(simulated: dict[Pair, Days]):
    assert 0 < simulated[EQUAL].missed.mean() <= 0.05
    assert 0 < simulated[BETTER].missed.mean() <= 0.05
    assert fate(RULES[GUARDED], simulated[EQUAL]).promoted_within(DAYS) <= 0.025
    assert fate(RULES[GUARDED], simulated[BETTER]).promoted_within(DAYS) > 0.9
    worse = fate(RULES[GUARDED], simulated[BETTER].swapped())
    assert worse.promoted_within(DAYS) == 0
    assert worse.retired_within(DAYS) > 0.9


def test_a_test_ends_with_the_first_decision():
    disagreements = np.full((3, 2), 1000)
    hits = np.array([[-400, 100], [100, 100], [400, 100]])
    one = fate(RULES[ALONE], Days(disagreements, hits, hits, np.zeros(2, dtype=bool)))
    assert one.promoted.tolist() == [NEVER, 1]
    assert one.retired.tolist() == [1, NEVER]
    assert one.median_days() == 1


def test_a_shadow_is_rolled_back_by_the_same_rule():
    hits = np.array([[0, 0, 0, 0], [-8, -7, -60, 50]])  # on the last day only runs 1 and 3 exceed the margin
    days = Days(np.full((2, 4), 432), hits, hits, np.zeros(4, dtype=bool))
    assert rolled_back(RULES[ALONE], days) == pytest.approx(1 / 2)
    assert rolled_back(RULES[DAY_INTERVAL], days) == pytest.approx(1 / 4)
    assert rolled_back(RULES[GUARDED], days) == 0


def test_the_simulation_uses_the_shipped_formula():
    assert [radii(5000)[n] for n in (0, 1, 432, 5000)] == pytest.approx([radius(n) for n in (0, 1, 432, 5000)])
    width = {at: radii(16_000, at) / np.sqrt(np.maximum(np.arange(16_001), 1)) for at in (1_000, 4_000)}
    for at, relative in width.items():
        assert abs(relative[1:].argmin() + 1 - at) <= 2


def test_a_guard_improves_the_year_and_is_reproducible():
    alone = ab_year.simulate(ab_year.none, ab_year.none, 14, -0.003, 0.003, 40, 5)
    guarded = ab_year.simulate(ab_year.sequence, ab_year.interval, 14, -0.003, 0.003, 40, 5)
    assert alone.gain < -0.15 < 0 <= guarded.gain + 3 * guarded.gain_error
    assert alone.promotions > 100
    assert guarded.promotions < 2
    assert guarded == ab_year.simulate(ab_year.sequence, ab_year.interval, 14, -0.003, 0.003, 40, 5)
    # A difference of five points is found in days. Later challengers are equal and rarely promoted.
    best = ab_year.simulate(ab_year.sequence, ab_year.interval, 14, 0.05, 0.0, 40, 5)
    assert 1 <= best.promotions < 1.6
    assert best.last == pytest.approx(5, abs=0.1)
    # A difference of one point takes weeks to detect: tests of two days are too short.
    short, long = (ab_year.simulate(ab_year.sequence, ab_year.interval, days, 0.01, 0.0, 40, 5) for days in (2, 30))
    assert short.gain < long.gain - 0.2


def test_the_tables_in_the_docs_match_the_simulation(simulated: dict[Pair, Days]):
    page = PAGE.read_text(encoding="utf-8")
    runs = int(re.search(r"([\d,]+) runs of each combination", page)[1].replace(",", ""))
    tables = page[page.index(BEGIN) : page.index(END)]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in tables.splitlines() if line.startswith("|")
    ]
    wrongly = next(row for row in rows if row[0] == GUARDED and len(row) == len(WITHIN) + 3)
    rightly = next(row for row in rows if row[0] == GUARDED and len(row) == 4)
    assert float(wrongly[WITHIN.index(60) + 1]) <= 2.5
    for in_docs, pair in ((wrongly[WITHIN.index(14) + 1], EQUAL), (rightly[3].split(" / ")[1], BETTER)):
        low, high = wilson(float(in_docs) / 100, runs)
        found = wilson(fate(RULES[GUARDED], simulated[pair]).promoted_within(DAYS), RUNS)
        assert max(low, found[0]) <= min(high, found[1]), f"{in_docs} % in the docs, {found} here"
    listed = [row for row in rows if row[0].endswith(" %") and row[1] == "equal"]
    assert len(listed) == len({pair.disagreement for pair in pairs()})


def test_between_marks_replaces_only_the_tables():
    assert between_marks(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb"
    with pytest.raises(ValueError, match="needs the lines"):
        between_marks("no marks", "new")


def test_a_negative_difference_raises_an_error():
    with pytest.raises(ValueError, match="swapped"):
        Pair(0.1, -0.005)
