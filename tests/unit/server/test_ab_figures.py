"""The server's own statistics of two ensembles, held to statsmodels, SciPy and pandas, and to what must always hold."""

import math
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw
from scipy.stats import norm
from statsmodels.stats import contingency_tables
from statsmodels.stats.sandwich_covariance import S_hac_simple

from candlecast.core.windows import HORIZONS
from candlecast.server.ab import confidence_sequence as sequence
from candlecast.server.ab import figures
from candlecast.server.ab.confidence_sequence import RHO, ConfidenceSequence, radius
from candlecast.server.ab.figures import Accuracies, Loss
from candlecast.server.ab.paired_minutes import PairedMinutes

NAN = math.nan
#: What docs/explanation/ab-tests.md says of the sequence.
ALPHA, NARROWEST_AT = 0.05, 4_000
NOBODY = PairedMinutes(*(np.full((1_440, 5), NAN) for _ in fields(PairedMinutes)))


def drawn(seed: int, minutes: int = 1_440) -> pd.DataFrame:
    """Cells of a day, a row each: outcomes that overlap, some of exactly 0; forecasts of both, some 0; some missing."""
    random = np.random.default_rng(seed)
    steps = random.choice([-2e-4, -1e-4, 0.0, 1e-4, 3e-4], size=minutes + 5)
    cells = pd.DataFrame([(minute, horizon) for minute in range(minutes) for horizon in HORIZONS])
    cells.columns = ["minute", "horizon"]
    walk = np.concatenate([[0.0], np.cumsum(steps)]).round(6)
    cells["actual"] = walk[cells["minute"] + cells["horizon"]] - walk[cells["minute"]]
    cells.loc[cells["actual"].abs() < 1e-9, "actual"] = 0.0
    for name, skill in (("active", 0.1), ("challenger", 0.3)):
        cells[name] = skill * cells["actual"] + random.normal(0, 1e-4, len(cells))
        cells.loc[random.random(len(cells)) < 0.02, name] = 0.0
        cells[f"{name}_probability"] = norm.cdf(cells[name] / 1e-4 * 0.2)
    # A gap of two hours for both, single minutes that one did not predict, and a last minute without outcomes.
    minute, target = cells["minute"], cells["minute"] + cells["horizon"]
    gone = minute.between(600, 720) | (minute % 97 == 5) | (target > 1_439)
    return cells[~gone].reset_index(drop=True)


def paired(cells: pd.DataFrame, minutes: int = 1_440) -> PairedMinutes:
    """The cells as the database hands them over."""
    moved = cells["actual"] != 0
    columns = {"up": (cells["actual"] > 0).astype(float)}
    for name in ("active", "challenger"):
        hit = (np.sign(cells[name]) == np.sign(cells["actual"])).astype(float)
        columns[f"{name}_hits"] = hit.where(moved)
        columns[f"{name}_probability"] = cells[f"{name}_probability"]
        columns[f"{name}_error"] = cells[name] - cells["actual"]
    arrays = {}
    for name, values in columns.items():
        arrays[name] = np.full((minutes, 5), NAN)
        arrays[name][cells["minute"], cells["horizon"] - 1] = values
    return PairedMinutes(**arrays)


def mean_by_library(cells: pd.DataFrame, values: pd.Series, horizon: int, minutes: int = 1_440) -> tuple[float, float]:
    """Mean over the cells and statsmodels' Newey-West error of it, of (x - mean) / n summed by minute."""
    by_minute = ((values - values.mean()) / len(values)).groupby(cells["minute"]).sum()
    by_minute = by_minute.reindex(range(minutes), fill_value=0.0)
    lags = max(6 * horizon, math.floor(4 * (minutes / 100) ** (2 / 9)))
    return values.mean(), math.sqrt(S_hac_simple(by_minute.to_numpy(), nlags=lags)[0, 0])


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 0), (5, 5), (5, 6), (0, 12), (40, 61), (700, 611), (3, 1_400)])
def test_mcnemar_is_that_of_statsmodels(one, other):
    expected = contingency_tables.mcnemar([[9, one], [other, 9]], exact=True).pvalue
    assert figures.mcnemar_p(one, other) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_without_a_disagreement_mcnemar_says_nothing():
    assert figures.mcnemar_p(0, 0) is None


@pytest.mark.parametrize("horizons", [*[(horizon,) for horizon in HORIZONS], HORIZONS])
def test_accuracies_are_what_pandas_gives(horizons):
    cells = drawn(1)
    found = figures.compare_accuracy(paired(cells), horizons)
    counted = cells[cells["horizon"].isin(horizons) & (cells["actual"] != 0)]
    right = {name: counted[name] * counted["actual"] > 0 for name in ("active", "challenger")}
    difference = right["challenger"].astype(int) - right["active"].astype(int)
    mean, error = mean_by_library(counted, difference, max(horizons))
    assert found.active == pytest.approx(right["active"].mean(), rel=1e-12)
    assert found.challenger == pytest.approx(right["challenger"].mean(), rel=1e-12)
    assert found.difference == pytest.approx(mean, rel=1e-12)
    assert (found.low, found.high) == pytest.approx(norm.interval(0.95, mean, error), rel=1e-9)
    assert found.low < found.difference < found.high


def test_brier_is_what_pandas_gives_over_cells_that_moved():
    cells = drawn(2)
    moved = cells[cells["actual"] != 0]
    up = (moved["actual"] > 0).astype(float)
    scores = (moved["challenger_probability"] - up) ** 2 - (moved["active_probability"] - up) ** 2
    mean, error = mean_by_library(moved, scores, 5)
    found = figures.compare_loss(paired(cells))
    assert found.name == "brier"
    assert (found.difference, found.standard_error) == pytest.approx((mean, error), rel=1e-9)
    assert mean < 0, "the challenger's probabilities are drawn to be the better ones"


@pytest.mark.parametrize("without", ["active", "challenger"])
def test_one_missing_probability_makes_all_cells_squared_error(without):
    cells = drawn(3)
    cells.loc[1_000, f"{without}_probability"] = NAN
    errors = ((cells["challenger"] - cells["actual"]) * 1e4) ** 2 - ((cells["active"] - cells["actual"]) * 1e4) ** 2
    found = figures.compare_loss(paired(cells))
    assert found.name == "squared_error"
    assert (found.difference, found.standard_error) == pytest.approx(mean_by_library(cells, errors, 5), rel=1e-9)


def test_counts_are_what_pandas_gives():
    cells = drawn(4)
    one = cells[cells["horizon"] == 1]
    moved = one[one["actual"] != 0]
    active, challenger = (moved[name] * moved["actual"] > 0 for name in ("active", "challenger"))
    minutes = paired(cells)
    assert figures.count_pairs(minutes) == len(one) > len(moved)
    assert figures.count_only_one_right(minutes) == ((active & ~challenger).sum(), (challenger & ~active).sum())


def test_no_minutes():
    assert figures.compare_accuracy(NOBODY) is None
    assert figures.compare_accuracy(NOBODY, (1,)) is None
    assert figures.compare_loss(NOBODY) is None
    assert figures.count_pairs(NOBODY) == 0
    assert figures.count_only_one_right(NOBODY) == (0, 0)


def test_flat_minutes_are_paired_and_decide_nothing():
    flat = np.zeros((1_440, 5))
    chances = {"active_probability": flat + 0.6, "challenger_probability": flat + 0.4}
    still = replace(NOBODY, active_error=flat + 2e-4, challenger_error=flat + 1e-4, up=flat)
    assert figures.count_pairs(still) == 1_440
    assert figures.compare_accuracy(still) is None
    assert figures.compare_loss(still) == Loss("squared_error", pytest.approx(-3.0), pytest.approx(0.0, abs=1e-12))
    assert figures.compare_loss(replace(still, **chances)) is None, "a Brier score needs a direction"


def test_equal_predictions_are_ties():
    cells = drawn(5)
    cells["challenger"], cells["challenger_probability"] = cells["active"], cells["active_probability"]
    minutes = paired(cells)
    share = figures.compare_accuracy(minutes).active
    assert figures.compare_accuracy(minutes) == Accuracies(share, share, 0.0, 0.0, 0.0)
    assert figures.compare_loss(minutes) == Loss("brier", 0.0, 0.0)
    assert figures.count_only_one_right(minutes) == (0, 0)


def test_one_single_pair():
    cells = pd.DataFrame({
        "minute": [7], "horizon": [1], "actual": [1e-4], "active": [-1e-4], "challenger": [1e-4],
        "active_probability": [0.4], "challenger_probability": [0.7],
    })  # fmt: skip
    minutes = paired(cells)
    assert figures.compare_accuracy(minutes, (1,)) == Accuracies(0.0, 1.0, 1.0, 1.0, 1.0)
    assert figures.compare_accuracy(minutes, (2,)) is None
    assert figures.compare_loss(minutes) == Loss("brier", pytest.approx(0.3**2 - 0.6**2), 0.0)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_the_roles_swapped_turn_every_difference_around(seed):
    cells = drawn(seed, 300)
    minutes = paired(cells)
    swapped = PairedMinutes(**{
        name.replace("active", "X").replace("challenger", "active").replace("X", "challenger"): value
        for name, value in vars(minutes).items()
    })  # fmt: skip
    one, other = figures.compare_accuracy(minutes), figures.compare_accuracy(swapped)
    assert (one.active, one.challenger) == (other.challenger, other.active)
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert figures.compare_loss(minutes).difference == pytest.approx(-figures.compare_loss(swapped).difference)
    assert figures.count_only_one_right(minutes) == figures.count_only_one_right(swapped)[::-1]


def test_rho_follows_lamberts_w_and_no_other_is_narrower():
    x = -lambertw(-(ALPHA**2) / math.e, k=-1).real
    assert pytest.approx(NARROWEST_AT / (x - 1.0), rel=1e-12) == RHO

    def width(rho: float) -> float:
        return math.sqrt((NARROWEST_AT + rho) * math.log((NARROWEST_AT + rho) / (rho * ALPHA**2)))

    narrowest = minimize_scalar(width, bounds=(1.0, 1e5), method="bounded", options={"xatol": 1e-6})
    assert radius(NARROWEST_AT) == pytest.approx(narrowest.fun, rel=1e-12)
    assert pytest.approx(narrowest.x, rel=1e-4) == RHO


@pytest.mark.parametrize("disagreements", [0, 1, 10, 432, 4_000, 20_000])
def test_the_bound_is_where_the_mixture_reaches_1_over_alpha(disagreements):
    """Robbins' mixture over tilts l of exp(l S - l^2 V / 2), normal with variance 1 / rho."""

    def mixture(total: float) -> float:
        center, spread = total / (disagreements + RHO), 1 / math.sqrt(disagreements + RHO)

        def weighed(tilt: float) -> float:
            wealth = tilt * total - tilt**2 * disagreements / 2
            return math.exp(wealth + norm.logpdf(tilt, scale=1 / math.sqrt(RHO)))

        return quad(weighed, center - 12 * spread, center + 12 * spread, epsabs=0, epsrel=1e-10)[0]

    found = brentq(lambda total: mixture(total) - 1 / ALPHA, 0.0, 20 * math.sqrt(disagreements + RHO), xtol=1e-9)
    assert radius(disagreements) == pytest.approx(found, rel=1e-8)


def test_the_sequence_misses_the_truth_in_at_most_alpha_of_runs():
    """Fair coins, looked at after each: a plain 95 % interval fails in most runs."""
    steps = np.random.default_rng(11).choice(np.array([-1, 1], dtype=np.int16), size=(2_000, 4_000))
    hits_more = np.cumsum(steps, axis=1, dtype=np.int16)
    times = np.arange(1, 4_001)
    missed = (np.abs(hits_more) > [radius(time) for time in times]).any(axis=1).mean()
    plain = (np.abs(hits_more) > 1.96 * np.sqrt(times)).any(axis=1).mean()
    assert 0.002 < missed <= ALPHA < 0.5 < plain


counts = st.integers(1, 50_000).flatmap(
    lambda minutes: st.integers(0, minutes).flatmap(
        lambda disagreements: st.tuples(
            st.just(minutes), st.just(disagreements), st.integers(-disagreements, disagreements)
        )
    )
)


@given(counts)
def test_the_sequences_sign_follows_the_hits(counted):
    minutes, disagreements, hits_more = counted
    found, mirrored = ConfidenceSequence(*counted), ConfidenceSequence(minutes, disagreements, -hits_more)
    low, high = found.bounds
    assert -1.0 <= low <= found.difference <= high <= 1.0
    assert mirrored.bounds == (-high, -low)
    assert (low > 0) == (hits_more > radius(disagreements))
    assert (high < 0) == (-hits_more > radius(disagreements))
    if low > 0 or high < 0:
        assert np.sign(low) == np.sign(high) == np.sign(hits_more)


@given(counts)
def test_ties_leave_0_in_the_middle(counted):
    minutes, disagreements, _ = counted
    low, high = ConfidenceSequence(minutes, disagreements, 0).bounds
    assert low == -high < 0
    assert ConfidenceSequence(minutes, disagreements, 0).difference == 0.0


@given(counts, st.integers(1, 10_000))
def test_it_widens_by_disagreements_and_narrows_by_minutes(counted, more):
    minutes, disagreements, _ = counted

    def width(*counted: int) -> float:
        low, high = ConfidenceSequence(*counted, 0).bounds
        return high - low

    assert radius(disagreements + more) > radius(disagreements)
    assert radius(disagreements + more) * disagreements <= radius(disagreements) * (disagreements + more)
    assert width(minutes + more, disagreements) <= width(minutes, disagreements)
    assert width(minutes + more, disagreements + more) >= width(minutes + more, disagreements)


def test_before_the_first_minute_nothing_is_excluded():
    assert ConfidenceSequence(0, 0, 0).difference is None
    assert ConfidenceSequence(0, 0, 0).bounds == (-1.0, 1.0)
    assert ConfidenceSequence(3, 3, 3).bounds == (-1.0, 1.0)
    assert sequence.radius(0) > 0
