"""LightGBM and its ONNX export: every row reaches the same leaf, also with values on or next to thresholds."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.core.feature_names import FEATURES
from candlecast.trainer.models.lgbm import LightGBMParameters, floor_to_float32, to_onnx, train_horizon
from tests.support.lgbm_leaves import leaf_numbers

PARAMETERS = LightGBMParameters(learning_rate=0.1, rounds=60, min_data_in_leaf=20)
#: LightGBM treats values up to this as 0 (kZeroThreshold), ONNX does not.
ZERO_THRESHOLD = np.float32(1e-35)


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def trained():
    random = np.random.default_rng(0)
    rows = random.normal(size=(6_000, len(FEATURES))).astype(np.float32)
    rows[:, 1] = np.round(rows[:, 1], 1)  # ties
    rows[:, 2] = random.integers(-2, 3, 6_000)  # zeros, and thresholds next to zero
    rows[:, 3] = 0.0  # constant, like close relative to the last close
    scaled = 0.4 * rows[:, 0] + 0.8 * np.abs(rows[:, 1]) + 0.3 * rows[:, 2] + random.normal(size=6_000)
    model = train_horizon(rows[:5_000], scaled[:5_000], PARAMETERS, 0, 1)
    return model, to_onnx(model), rows


def on_thresholds(booster, rows):
    """Rows in which every value is a threshold of its feature as float32, or an adjacent float32."""
    thresholds = [[0.0] for _ in range(len(FEATURES))]
    frame = booster.trees_to_dataframe().dropna(subset=["threshold"])
    for name, threshold in zip(frame["split_feature"], frame["threshold"], strict=True):
        thresholds[booster.feature_name().index(name)].append(threshold)
    random = np.random.default_rng(1)
    chosen = np.column_stack([random.choice(values, len(rows)) for values in thresholds]).astype(np.float32)
    direction = random.choice([-np.inf, np.inf], chosen.shape).astype(np.float32)
    chosen = np.where(random.random(chosen.shape) < 0.5, chosen, np.nextafter(chosen, direction))
    return np.where(np.abs(chosen) <= ZERO_THRESHOLD, np.float32(0), chosen)


@pytest.mark.parametrize("kind", ["training rows", "on and next to thresholds"])
def test_onnx_and_lightgbm_reach_the_same_leaf(trained, kind):
    model, proto, rows = trained
    rows = rows if kind == "training rows" else on_thresholds(model.booster, rows)
    expected = model.booster.predict(rows, pred_leaf=True).astype(int)
    assert expected.shape == (len(rows), model.num_trees())
    assert (leaf_numbers(proto, model.booster, rows) == expected).all()


def test_rounding_thresholds_to_nearest_changes_leaves(trained, monkeypatch):
    """The previous test can fail: without rounding down, rows on thresholds reach other leaves."""
    model, _, rows = trained
    monkeypatch.setattr("candlecast.trainer.models.lgbm.floor_to_float32", float)
    rows = on_thresholds(model.booster, rows)
    expected = model.booster.predict(rows, pred_leaf=True).astype(int)
    assert (leaf_numbers(to_onnx(model), model.booster, rows) != expected).any()


def test_onnx_probabilities_equal_those_of_lightgbm(trained):
    model, proto, rows = trained
    (probability,) = session(proto).run(None, {"features": rows})
    assert probability.shape == (len(rows), 1)
    assert probability.dtype == np.float32
    assert np.abs(probability[:, 0] - model.probability(rows)).max() < 1e-6


def test_the_linear_part_and_the_trees_both_contribute(trained):
    """Feature 0 has a linear effect. The effect of feature 1 depends on its absolute value."""
    model, _, rows = trained
    line = rows @ model.coefficients + model.intercept
    trees = model.booster.predict(rows, raw_score=True)
    assert np.corrcoef(line, rows[:, 0])[0, 1] > 0.4
    assert np.corrcoef(trees, np.abs(rows[:, 1]))[0, 1] > 0.3


def test_graph_names_and_shapes_match_the_loader(trained):
    _, model, _ = trained
    loaded = session(model)
    assert [(value.name, value.shape) for value in loaded.get_inputs()] == [("features", ["batch", len(FEATURES)])]
    assert [(value.name, value.shape) for value in loaded.get_outputs()] == [("probability", ["batch", 1])]
    assert b"location" not in model.SerializeToString()


def test_the_same_seed_gives_the_same_model(trained):
    _, _, rows = trained
    scaled = rows[:, 0] + np.random.default_rng(5).normal(size=len(rows))
    one, two, other = (train_horizon(rows, scaled, PARAMETERS, seed, 1).probability(rows) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_training_ignores_returns_of_zero():
    random = np.random.default_rng(0)
    rows = random.normal(size=(3_000, len(FEATURES))).astype(np.float32)
    scaled = rows[:, 0] + random.normal(size=3_000)
    scaled[::2] = 0.0
    with_zeros = train_horizon(rows, scaled, PARAMETERS, 0, 1)
    without = train_horizon(rows[1::2], scaled[1::2], PARAMETERS, 0, 1)
    assert np.array_equal(with_zeros.probability(rows), without.probability(rows))


def test_a_model_without_splits_is_linear():
    random = np.random.default_rng(0)
    rows = random.normal(size=(2_000, len(FEATURES))).astype(np.float32)
    scaled = rows[:, 0] + random.normal(size=2_000)
    model = train_horizon(rows, scaled, replace(PARAMETERS, min_data_in_leaf=1_900), 0, 1)
    (probability,) = session(to_onnx(model)).run(None, {"features": rows})
    assert np.abs(probability[:, 0] - model.probability(rows)).max() < 1e-6
    assert np.corrcoef(probability[:, 0], rows[:, 0])[0, 1] > 0.9


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_floor_to_float32_is_the_largest_float32_not_above(value):
    floor = floor_to_float32(value)
    assert floor == float(np.float32(floor))
    assert floor <= value < float(np.nextafter(np.float32(floor), np.float32(np.inf)))
