"""Expected calibration error, compared with a hand calculation, and its range under perfect calibration."""

import numpy as np
import pytest
from scipy.stats import norm

from candlecast.trainer.evaluation.metrics import Cells
from candlecast.trainer.evaluation.reliability import _walk, calibration_errors, reliability

MINUTES = 60 * np.arange(4_000)


def probabilities(seed=0, spread=0.05):
    random = np.random.default_rng(seed)
    return np.clip(0.5 + spread * random.standard_normal((len(MINUTES), 5)), 0.05, 0.95)


def outcomes(probability, seed, times=MINUTES):
    """Overlapping outcomes that are positive with exactly these probabilities."""
    return norm.ppf(probability) - _walk(np.random.default_rng(seed), times, 5)


def cells_of(outcome, probability, horizon=5):
    return Cells(outcome, probability - 0.5, probability, np.full(outcome.shape, 0.5), horizon)


def test_ten_bins_equal_a_hand_calculation():
    probability = np.linspace(0.4, 0.6, 40)[::-1, np.newaxis]
    outcome = np.where(np.arange(40) % 3 == 0, 1.0, -1.0)[:, np.newaxis]
    bins = reliability(cells_of(outcome, probability, 1))
    order = np.argsort(probability[:, 0])
    assert [one.rows for one in bins] == [4] * 10
    for number, one in enumerate(bins):
        part = order[4 * number : 4 * number + 4]
        assert one.probability == pytest.approx(probability[part, 0].mean())
        assert one.rose.value == pytest.approx((outcome[part, 0] > 0).mean())
    expected = np.mean([abs(one.probability - one.rose.value) for one in bins])
    (given, _) = calibration_errors({"it": probability}, outcome, 60 * np.arange(40))["it"]
    assert given.value == pytest.approx(expected)


def test_returns_of_zero_are_left_out():
    probability = probabilities()
    outcome = outcomes(probability, 1)
    half = outcome.copy()
    half[::2] = 0.0
    by_half = calibration_errors({"it": probability}, half, MINUTES)["it"]
    alone = calibration_errors({"it": probability[1::2]}, outcome[1::2], MINUTES[1::2])["it"]
    assert [one.value for one in by_half] == pytest.approx([one.value for one in alone])


def test_draws_are_normal_and_correlate_by_overlap():
    drawn = np.concatenate([_walk(np.random.default_rng(seed), MINUTES, 5) for seed in range(20)])
    assert np.abs(drawn.mean(axis=0)).max() < 0.02
    assert drawn.std(axis=0) == pytest.approx(np.ones(5), abs=0.02)
    # The first of five minutes has 1/5 of their variance. Neighboring windows of five minutes share four.
    assert np.corrcoef(drawn[:, 0], drawn[:, 4])[0, 1] == pytest.approx(np.sqrt(1 / 5), abs=0.02)
    assert np.corrcoef(drawn[:-1, 4], drawn[1:, 4])[0, 1] == pytest.approx(4 / 5, abs=0.02)
    assert np.corrcoef(drawn[:-5, 4], drawn[5:, 4])[0, 1] == pytest.approx(0, abs=0.03)


def test_draws_across_a_gap_do_not_correlate():
    times = np.concatenate([MINUTES[:2_000], MINUTES[2_000:] + 86_400])
    drawn = np.stack([_walk(np.random.default_rng(seed), times, 5)[1_999:2_001, 4] for seed in range(2_000)])
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0, abs=0.07)


def test_only_overconfident_probabilities_fail_the_check():
    probability = probabilities(3)
    outcome = outcomes(probability, 4)
    overconfident = norm.cdf(4 * norm.ppf(probability))
    given = calibration_errors({"perfect": probability, "overconfident": overconfident}, outcome, MINUTES)
    assert all(one.holds for one in given["perfect"])
    assert not any(one.holds for one in given["overconfident"])


def test_overlapping_rows_have_a_wider_error_range():
    """95 % of perfectly calibrated samples are below its end. Fewer are below the end for independent rows."""
    probability = probabilities(5)
    given = calibration_errors({"it": probability}, outcomes(probability, 0), MINUTES)["it"]
    five, in_all = given[4], given[5]
    assert five.perfect[1] > five.independent[1]
    assert in_all.perfect[1] > 1.5 * in_all.independent[1]
    assert given[0].perfect[1] == pytest.approx(given[0].independent[1], rel=0.08)
    below = {"five": 0, "in_all": 0, "independent": 0}
    runs = 150
    for seed in range(runs):
        rose = outcomes(probability, 1_000 + seed) > 0
        five_error, all_error = brute_force(probability[:, 4], rose[:, 4]), brute_force(probability, rose)
        below["five"] += five_error <= five.perfect[1]
        below["in_all"] += all_error <= in_all.perfect[1]
        below["independent"] += all_error <= in_all.independent[1]
    assert 0.92 <= below["five"] / runs <= 1
    assert 0.92 <= below["in_all"] / runs <= 1
    assert below["independent"] / runs < 0.8


def brute_force(probability, rose):
    order = np.argsort(probability.ravel())
    parts = np.array_split(order, 10)
    return sum(abs(probability.ravel()[part].sum() - rose.ravel()[part].sum()) for part in parts) / len(order)
