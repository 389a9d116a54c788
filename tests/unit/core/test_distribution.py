"""The training distribution: stored and read back exactly, and its two measures against independent calculations."""

import json
from math import log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from candlecast.core.distribution import MIN_SHARE, STEPS, Distribution, describe, parse_distribution
from candlecast.core.errors import DistributionInvalid
from candlecast.core.feature_names import FEATURES
from candlecast.core.times import DAY_SECONDS
from candlecast.trainer.data.dataset import dataset_from_files, normalize_last_rows
from candlecast.trainer.models.training import fit_rows_normalization

ROWS = 5_000
#: Columns of `made` by kind; the others are normal.
ATOM, HEAVY, CLIPPED, CONSTANT, TWO_VALUES = range(5)


def made(rows: int = ROWS, seed: int = 0) -> np.ndarray:
    """Rows (rows, features) float32 with all kinds of distributions that features have."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, len(FEATURES)))
    values[:, ATOM] = np.where(random.random(rows) < 0.4, 0.125, values[:, ATOM])
    values[:, HEAVY] = random.standard_cauchy(rows)
    values[:, CLIPPED] = np.clip(3 * values[:, CLIPPED], -3, 3)
    values[:, CONSTANT] = -0.3
    values[:, TWO_VALUES] = random.random(rows) < 0.97
    return values.astype(np.float32)


def minutes(rows: int) -> np.ndarray:
    return np.arange(rows) * 60


def stored(rows: np.ndarray) -> dict[str, Distribution]:
    """The distribution of these rows as the database reads it."""
    return parse_distribution(json.loads(json.dumps(describe(rows, minutes(len(rows))), allow_nan=False)))


def by_definition(training: np.ndarray, values: np.ndarray) -> float:
    """The index over the deciles of training rows, with pandas; for values without repetitions."""
    inner = np.quantile(training, np.arange(1, 10) / 10, method="inverted_cdf")
    edges = [-np.inf, *inner, np.inf]
    shares = [pd.Series(pd.cut(one, edges)).value_counts(sort=False, normalize=True) for one in (values, training)]
    a, e = (share.clip(lower=MIN_SHARE) for share in shares)
    return float(((a - e) * np.log(a / e)).sum())


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    return made()


@pytest.fixture(scope="module")
def seen(training) -> dict[str, Distribution]:
    return stored(training)


def test_it_is_small(training):
    assert len(json.dumps(describe(training, minutes(ROWS)))) < 14_000


def test_the_training_rows_have_no_drift(training, seen):
    for column, name in enumerate(FEATURES):
        assert seen[name].compare(training[:, column]) == (0.0, 0.0), name


# Training rows are 1 .. 1000, so each decile has 100 of them. ``shares``: the share of the values in each bin.
@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.1] * 10, 0.0),
        ([0.2, 0.0] + [0.1] * 8, 0.1 * log(2) + (MIN_SHARE - 0.1) * log(MIN_SHARE / 0.1)),
        ([0.15, 0.05] + [0.1] * 8, 0.05 * log(1.5) - 0.05 * log(0.5)),
        ([1.0] + [0.0] * 9, 0.9 * log(10) + 9 * (MIN_SHARE - 0.1) * log(MIN_SHARE / 0.1)),
        ([0.0] * 9 + [1.0], 0.9 * log(10) + 9 * (MIN_SHARE - 0.1) * log(MIN_SHARE / 0.1)),
    ],
)
def test_the_index_of_examples_by_hand(shares, expected):
    training = np.repeat(np.arange(1, 1_001, dtype=np.float32)[:, np.newaxis], len(FEATURES), axis=1)
    counts = np.rint(np.array(shares) * 1_000).astype(int)
    values = np.repeat(np.arange(50, 1_000, 100, dtype=np.float32), counts)
    index, _ = stored(training)["open"].compare(values)
    assert index == pytest.approx(expected, abs=1e-12)


def test_the_index_follows_its_definition(training, seen):
    random = np.random.default_rng(1)
    for column in (HEAVY, *range(5, len(FEATURES))):
        values = (random.normal(0.1 * column % 1.3, 1 + column / 20, 1_440)).astype(np.float32)
        index, _ = seen[FEATURES[column]].compare(values)
        assert index == pytest.approx(by_definition(training[:, column], values), abs=1e-12)
        assert index > 0.01


def test_the_distance_differs_from_scipys_by_at_most_a_step(training, seen):
    random = np.random.default_rng(2)
    apart = []
    for shift in (0.0, 0.05, 0.5, -2.0):
        values = made(1_440, seed=3) * random.uniform(0.8, 1.2) + np.float32(shift)
        for column, name in enumerate(FEATURES):
            _, distance = seen[name].compare(values[:, column])
            true = stats.ks_2samp(values[:, column], training[:, column], method="asymp").statistic
            assert distance <= true + 1e-12, (name, shift)
            apart.append(true - distance)
    assert max(apart) <= 1 / STEPS
    assert np.mean(apart) < 0.02


def test_a_constant_value_that_changes_is_drift(seen):
    name = FEATURES[CONSTANT]
    for value in (-0.31, -0.29):
        index, distance = seen[name].compare(np.full(300, value, np.float32))
        assert distance == 1.0
        assert index == pytest.approx(2 * (1 - MIN_SHARE) * log(1 / MIN_SHARE))
    half = np.repeat(np.array([0.0, 1.0], np.float32), 500)
    index, distance = seen[FEATURES[TWO_VALUES]].compare(half)
    zeros = seen[FEATURES[TWO_VALUES]].upto[0] / ROWS
    assert distance == pytest.approx(0.5 - zeros)
    assert index == pytest.approx((0.5 - zeros) * log(0.5 / zeros) + (zeros - 0.5) * log(0.5 / (1 - zeros)))


def test_shifted_rows_are_drift(training, seen):
    for column, name in enumerate(FEATURES):
        if column != CONSTANT:
            index, distance = seen[name].compare(training[:1_440, column] + np.float32(2.0))
            assert index > 0.25, name
            assert distance > 0.2, name


def test_the_furthest_day_has_at_least_half_of_its_minutes():
    # Days of 1440, 720 and 719 minutes. The last one is far away and does not count.
    times = np.concatenate([minutes(1_440), DAY_SECONDS + minutes(720), 2 * DAY_SECONDS + minutes(719)])
    rows = made(len(times))
    rows[1_440:] += 0.2
    rows[2_160:] += 5.0
    document = describe(rows, times)
    assert (document["days"], document["rows"]) == (2, len(times))
    for column, name in enumerate(FEATURES):
        plain = parse_distribution(document)[name]
        expected = max(plain.compare(day[:, column])[0] for day in (rows[:1_440], rows[1_440:2_160]))
        assert plain.furthest_day == pytest.approx(expected, abs=5e-5)
        assert plain.furthest_day > 0 or column == CONSTANT
    assert all(one["furthest_day"] is None for one in describe(rows[:719], times[:719])["features"].values())


@given(
    arrays(
        np.float32,
        st.integers(1, 60),
        elements=st.one_of(st.floats(-10, 10, width=32), st.sampled_from([0.0, 0.1, 10.0])),
    ).map(lambda column: column.astype(np.float32))
)
def test_stored_counts_are_exact_for_any_values(column):
    rows = np.repeat(column[:, np.newaxis], len(FEATURES), axis=1)
    found = stored(rows)["close"]
    assert found.edges.dtype == np.float32
    assert found.upto.tolist() == [(column <= edge).sum() for edge in found.edges]
    assert found.compare(column) == (0.0, 0.0)
    assert (np.diff(np.concatenate([[0], found.upto[:-1]])) >= 0).all()


def test_a_real_day_against_the_eight_days_before_it(shared_data):
    """Bitcoin, August 2025, normalized for models: both measures of each feature follow their definitions."""
    dataset = dataset_from_files([shared_data / "spot" / "BTCUSDT-1m-2025-08-01_10.csv.gz"], "BTCUSDT")
    days = (dataset.candle_time - dataset.candle_time[0]) // DAY_SECONDS
    before, after = np.flatnonzero(days < 8), np.flatnonzero(days == 8)
    normalization = fit_rows_normalization(dataset, before)
    training, values = (normalize_last_rows(dataset, rows, normalization) for rows in (before, after))
    found = parse_distribution(json.loads(json.dumps(describe(training, dataset.candle_time[before]))))
    for column, name in enumerate(FEATURES):
        index, distance = found[name].compare(values[:, column])
        true = stats.ks_2samp(values[:, column], training[:, column], method="asymp").statistic
        assert true - 1 / STEPS <= distance <= true + 1e-12, name
        deciles = np.quantile(training[:, column], np.arange(1, 10) / 10, method="inverted_cdf")
        if len(set(deciles)) == 9:
            assert index == pytest.approx(by_definition(training[:, column], values[:, column]), abs=1e-12), name
    assert found["close"].compare(values[:, FEATURES.index("close")]) == (0.0, 0.0), "relative to itself it is 0"
    assert found["volatility_30m"].furthest_day > 0.25, "slow features differ on most days"


def edited(training: np.ndarray, **changes: object) -> dict:
    document = describe(training, minutes(ROWS))
    document["features"]["open"] |= changes
    return document


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: None, "its format is not 1"),
        (lambda document: document | {"format": 2}, "its format is not 1"),
        (lambda document: [document], "its format is not 1"),
        (lambda document: document | {"rows": 0}, "rows is 0"),
        (lambda document: document | {"rows": True}, "rows is True"),
        (lambda document: document | {"rows": 10**30}, "rows is 1000000000000000000000000000000"),
        (lambda document: document | {"rows": 10 * ROWS}, "leaves more than 1 / 20"),
        (lambda document: {"format": 1, "rows": ROWS}, "KeyError('features')"),
        (lambda document: document | {"features": {}}, "differ from the ones that this server computes"),
        (lambda document: document | {"features": list(FEATURES)}, "TypeError"),
        (lambda document: document | {"features": dict.fromkeys(FEATURES)}, "TypeError"),
    ],
)
def test_a_damaged_document_is_rejected(training, change, reason):
    with pytest.raises(DistributionInvalid) as error:
        parse_distribution(change(describe(training, minutes(ROWS))))
    assert reason in error.value.message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"edges": []}, "the edges of open are not ascending"),
        ({"edges": 1.0}, "the edges of open are not ascending"),
        ({"edges": [1.0, 1.0], "upto": [4_000, 5_000]}, "the edges of open are not ascending"),
        ({"edges": [1.0, float("nan")], "upto": [4_000, 5_000]}, "the edges of open are not ascending"),
        ({"edges": [1.0, 1e39], "upto": [4_000, 5_000]}, "the edges of open are not ascending"),
        ({"edges": ["x"]}, "ValueError"),
        ({"edges": [1.0], "upto": [4_000, 5_000]}, "upto of open is not a count"),
        ({"edges": [1.0, 2.0], "upto": [5_000, 4_900]}, "upto of open is not a count"),
        ({"edges": [1.0], "upto": [5_001]}, "upto of open is not a count"),
        ({"edges": [1.0], "upto": [4_900.0]}, "upto of open is not a count"),
        ({"edges": [1.0], "upto": [-1]}, "upto of open is not a count"),
        ({"edges": [1.0], "upto": [4_000]}, "leaves more than 1 / 20"),
        ({"furthest_day": -0.1}, "furthest_day of open is -0.1"),
        ({"furthest_day": float("inf")}, "furthest_day of open is inf"),
        ({"furthest_day": "x"}, "ValueError"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_a_damaged_feature_is_rejected(training, changes, reason):
    with pytest.raises(DistributionInvalid) as error:
        parse_distribution(edited(training, **changes))
    assert reason in error.value.message
