"""Each metric compared with another computation, and each interval with simulated rows of known true value."""

from functools import partial

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm, spearmanr
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score
from statsmodels.regression.linear_model import OLS

from candlecast.core.statistics import newey_west_lags
from candlecast.trainer.evaluation.comparison import compare
from candlecast.trainer.evaluation.intervals import estimate, mean_estimate
from candlecast.trainer.evaluation.metrics import (
    Cells,
    Kind,
    accuracy,
    accuracy_at,
    auc,
    balanced_accuracy,
    brier,
    brier_skill,
    information_coefficient,
    interval_coverage,
    rank_information_coefficient,
)

HORIZONS = np.arange(1, 6)


def market(seed, minutes=3_000, signal=0.1, horizons=HORIZONS):
    """Overlapping outcomes of one random walk, and forecasts from a persistent component of its steps."""
    random = np.random.default_rng(seed)
    known = lfilter([np.sqrt(1 - 0.8**2)], [1, -0.8], random.standard_normal(minutes + 5))
    steps = signal * known + np.sqrt(1 - signal**2) * random.standard_normal(minutes + 5)
    outcome, forecast = np.empty((minutes, len(horizons))), np.empty((minutes, len(horizons)))
    for column, horizon in enumerate(horizons):
        sums = np.convolve(steps, np.ones(horizon), "valid")[:minutes]
        outcome[:, column] = sums / np.sqrt(horizon)
        forecast[:, column] = signal * known[:minutes] * 0.8 ** np.arange(horizon).mean()
    return outcome, forecast


def cells_of(outcome, forecast, horizon=1, kind=Kind.size):
    return Cells(outcome, forecast, norm.cdf(forecast), np.full(outcome.shape, 0.5), horizon, kind)


@pytest.fixture
def one():
    outcome, forecast = market(1)
    outcome[::50] = 0.0
    return cells_of(outcome[:, :1], forecast[:, :1])


@pytest.fixture
def every():
    outcome, forecast = market(2)
    return cells_of(outcome, forecast, horizon=5)


def test_metrics_equal_those_of_scikit_learn_and_scipy(one):
    moved = one.moved[:, 0]
    up, forecast, probability = one.up[moved, 0], one.forecast[moved, 0], one.probability[moved, 0]
    assert accuracy(one).value == pytest.approx(np.mean((forecast > 0) == up))
    assert balanced_accuracy(one).value == pytest.approx(balanced_accuracy_score(up, forecast > 0))
    assert auc(one).value == pytest.approx(roc_auc_score(up, probability))
    assert brier(one).value == pytest.approx(brier_score_loss(up, probability))
    assert brier_skill(one, 0.5).value == pytest.approx(1 - brier_score_loss(up, probability) / 0.25)
    assert information_coefficient(one).value == pytest.approx(np.corrcoef(one.forecast.T, one.outcome.T)[0, 1])
    expected = spearmanr(one.forecast[:, 0], one.outcome[:, 0]).statistic
    assert rank_information_coefficient(one).value == pytest.approx(expected)


def test_all_horizons_are_pooled_cells(every):
    up, forecast = every.up.ravel(), every.forecast.ravel()
    assert accuracy(every).value == pytest.approx(np.mean((forecast > 0) == up))
    assert auc(every).value == pytest.approx(roc_auc_score(up, forecast))
    assert brier(every).value == pytest.approx(np.mean((every.probability.ravel() - up) ** 2))


def test_a_forecast_without_a_direction_is_half_a_hit():
    given = cells_of(np.array([[1.0], [-1.0], [1.0], [0.0]]), np.array([[0.0], [-1.0], [-1.0], [1.0]]))
    assert accuracy(given).value == pytest.approx((0.5 + 1 + 0) / 3)


@pytest.mark.parametrize("coverage", [1.0, 0.5, 0.1, 0.05])
def test_the_most_confident_share_is_chosen_by_probability(one, coverage):
    moved = one.moved[:, 0]
    order = np.argsort(-np.abs(one.probability[moved, 0] - 0.5), kind="stable")
    hits = (one.forecast[moved, 0] > 0) == one.up[moved, 0]
    expected = hits[order[: round(coverage * moved.sum())]].mean()
    assert accuracy_at(one, coverage).value == pytest.approx(expected, abs=2 / (coverage * moved.sum()))


def test_constant_forecasts_have_no_ranking_metrics(one):
    constant = Cells(one.outcome, np.ones(one.outcome.shape), np.full(one.outcome.shape, 0.51), one.base_rate, 1)
    named = Cells(one.outcome, one.forecast, one.probability, one.base_rate, 1, Kind.constant)
    for figure in (auc, information_coefficient, rank_information_coefficient, partial(accuracy_at, coverage=0.1)):
        assert np.isnan(figure(named).value), figure
    assert auc(constant).value == 0.5
    assert accuracy_at(constant, 1.0).value == pytest.approx(one.up[one.moved].mean())


def test_influences_agree_with_the_jackknife(every):
    """The jackknife: the standard error from leaving out one block at a time."""
    minutes, blocks = len(every.outcome), 60
    for figure in (
        accuracy,
        balanced_accuracy,
        auc,
        brier,
        partial(brier_skill, reference=0.52),
        information_coefficient,
        rank_information_coefficient,
    ):
        without = []
        for block in np.array_split(np.arange(minutes), blocks):
            kept = np.setdiff1d(np.arange(minutes), block)
            without.append(figure(cells_of(every.outcome[kept], every.forecast[kept], 5)).value)
        jackknife = np.sqrt((blocks - 1) / blocks * np.sum((np.array(without) - np.mean(without)) ** 2))
        given = figure(every)
        assert (given.high - given.low) / 2 / 1.96 == pytest.approx(jackknife, rel=0.3), figure


@pytest.mark.parametrize("in_all", [False, True])
@pytest.mark.parametrize(
    "figure",
    [
        accuracy,
        balanced_accuracy,
        auc,
        brier,
        partial(brier_skill, reference=0.5),
        information_coefficient,
        rank_information_coefficient,
        partial(accuracy_at, coverage=0.2),
    ],
)
def test_intervals_on_overlapping_labels_cover_95_percent(figure, in_all):
    columns = HORIZONS if in_all else np.array([5])
    truth = figure(cells_of(*market(99, 400_000, horizons=columns), 5)).value
    runs, covered = 200, 0
    for seed in range(runs):
        given = figure(cells_of(*market(seed, 2_000, horizons=columns), 5))
        covered += given.low <= truth <= given.high
    assert 0.90 <= covered / runs <= 0.99


def test_the_newey_west_error_equals_statsmodels():
    values = market(3)[0][:, 4]
    fitted = OLS(values, np.ones(len(values))).fit(
        cov_type="HAC", cov_kwds={"maxlags": newey_west_lags(len(values), 5), "use_correction": False}
    )
    low, high = fitted.conf_int()[0]
    given = mean_estimate(values, np.ones(len(values)), 5)
    assert (given.value, given.low, given.high) == pytest.approx((values.mean(), low, high))


def test_a_wider_level_gives_a_wider_interval():
    influence = np.random.default_rng(0).standard_normal(500) / 500
    narrow, wide = (estimate(0.5, influence, 1, level) for level in (0.95, 0.99))
    assert (wide.high - 0.5) / (narrow.high - 0.5) == pytest.approx(norm.ppf(0.995) / norm.ppf(0.975))


def test_interval_coverage_includes_the_ends():
    outcome = np.arange(10.0)[:, np.newaxis]
    given = interval_coverage(np.full((10, 1), 2.0), np.full((10, 1), 6.0), outcome, 1)
    assert given.value == pytest.approx(0.5)


def test_mcnemar_equals_a_hand_calculation():
    outcome, forecast = market(4)
    first = cells_of(outcome[:, :1], forecast[:, :1])
    second = cells_of(outcome[:, :1], np.roll(forecast[:, :1], 1, axis=0))
    hits = [(one.hits[:, 0] == 1) for one in (first, second)]
    b, c = (hits[0] & ~hits[1]).sum(), (~hits[0] & hits[1]).sum()
    z = (abs(b - c) - 1) / np.sqrt(b + c)
    given = compare(first, second)
    assert given.mcnemar == pytest.approx(2 * norm.sf(z))
    assert given.accuracy.value == pytest.approx((b - c) / len(outcome))
    assert compare(cells_of(outcome, forecast, 5), cells_of(outcome, forecast, 5)).mcnemar is None


def test_diebold_mariano_agrees_with_the_difference_interval(every):
    shifted = Cells(every.outcome, every.forecast * 8, norm.cdf(8 * every.forecast), every.base_rate, 5)
    given = compare(every, shifted)
    assert given.brier.value == pytest.approx(brier(every).value - brier(shifted).value)
    assert given.brier.high < 0, "the more extreme forecast is worse"
    error = (given.brier.high - given.brier.low) / 2 / norm.ppf(0.975)
    assert given.brier_p == pytest.approx(2 * norm.sf(abs(given.brier.value) / error), rel=0.02)
    assert given.squared_error.value == pytest.approx(
        np.mean((every.forecast - every.outcome) ** 2 - (shifted.forecast - every.outcome) ** 2)
    )
    assert given.squared_error_p < 0.01


def test_p_values_of_equal_forecasts_are_uniform():
    """About one p-value in twenty is below 0.05."""
    small = {"mcnemar": 0, "brier_p": 0, "squared_error_p": 0}
    runs = 200
    for seed in range(runs):
        outcome, _ = market(seed, 1_000, signal=0.0)
        forecasts = [0.1 * np.random.default_rng((seed, one)).standard_normal((1_000, 5)) for one in range(2)]
        at_one = compare(*(cells_of(outcome[:, :1], one[:, :1]) for one in forecasts))
        in_all = compare(*(cells_of(outcome, one, 5) for one in forecasts))
        small["mcnemar"] += at_one.mcnemar < 0.05
        small["brier_p"] += in_all.brier_p < 0.05
        small["squared_error_p"] += in_all.squared_error_p < 0.05
    for name, count in small.items():
        assert 0.01 <= count / runs <= 0.10, name


def test_compare_skips_missing_probabilities_and_sizes(one):
    sign = Cells(one.outcome, np.sign(one.forecast), None, one.base_rate, 1, Kind.sign)
    given = compare(one, sign)
    assert given.accuracy.value == 0
    assert (given.brier_p, given.squared_error_p) == (None, None)
    assert np.isnan(given.brier.value)
