"""candlecast.core.calibration: each method against values by hand, and every kind of invalid document."""

import json
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.core.calibration import MAX_DISTANCE, Calibration, parse_calibration
from candlecast.core.errors import CalibrationInvalid
from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import HORIZONS

N, F = len(HORIZONS), len(FEATURES)


def document(**changes) -> dict:
    whole = {
        "format": 1,
        "mamba_weight": 0.4,
        "probability": {"method": "platt", "slope": [1.0, 2.0, 3.0, 4.0, 5.0], "intercept": [0.0, 0.1, 0.0, 0.0, -1.0]},
        "interval": {"level": 0.9, "half_width": [1.0, 1.5, 2.0, 2.5, 3.0]},
        "seen": {"low": [-1.0] * F, "high": [3.0] * F},
        "rows": 1000,
        "from": "2026-04-01T00:00:00+00:00",
        "to": "2026-04-02T00:00:00+00:00",
    }
    for name, value in changes.items():
        part, _, key = name.partition("__")
        whole[part] = whole[part] | {key: value} if key else value
    return whole


def parsed(**changes) -> Calibration:
    return parse_calibration(json.dumps(document(**changes)))


def test_platt_is_a_logistic_function_per_horizon():
    scaled = np.array([[0.0, -0.05, 0.5, 1.0, 0.2], [-800.0, 800.0, 0.0, 0.0, 0.0]])
    expected = [1 / (1 + exp(-line)) for line in (0.0, 0.0, 1.5, 4.0, 0.0)]
    given_ = parsed().probability_up(scaled)
    assert given_[0] == pytest.approx(expected, abs=1e-15)
    assert given_[1] == pytest.approx([0, 1, 0.5, 0.5, 1 / (1 + exp(1))], abs=1e-15)


def test_the_interval_is_the_forecast_plus_minus_its_half_width():
    lower, upper = parsed().interval(np.array([[0.0, 0.1, 0.2, 0.3, 0.4]]))
    assert lower[0] == pytest.approx([-1.0, -1.4, -1.8, -2.2, -2.6])
    assert upper[0] == pytest.approx([1.0, 1.6, 2.2, 2.8, 3.4])


@pytest.mark.parametrize(
    ("values", "distance", "feature"),
    [
        ({}, 0.0, 0),
        ({3: -1.0, 4: 3.0}, 0.0, 0),
        ({7: 3.4}, MAX_DISTANCE, 7),
        ({7: -1.4}, MAX_DISTANCE, 7),
        ({7: 5.0, 9: -5.0}, 1.0, 9),
        ({26: 43.0}, 10.0, 26),
    ],
)
def test_the_unit_of_outside_is_the_width_of_the_training_range(values, distance, feature):
    rows = np.zeros((2, F))
    for place, value in values.items():
        rows[1, place] = value
    distances, features = parsed().outside(rows)
    assert distances == pytest.approx([0.0, distance], abs=1e-12)
    assert features[1] == feature


def test_a_constant_feature_is_outside_as_soon_as_it_varies():
    low = [0.0] * F
    calibration = parsed(seen__low=low, seen__high=low)
    rows = np.zeros((2, F))
    rows[1, 5] = 1e-3
    distances, features = calibration.outside(rows)
    assert distances[0] == 0.0
    assert (distances[1] > MAX_DISTANCE, features[1]) == (True, 5)


def test_the_weight_and_the_level_are_parsed():
    assert (parsed().mamba_weight, parsed().level) == (0.4, 0.9)


ALL = [0.5] * N


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "its format is not 1"),
        ({"mamba_weight": 1.1}, "mamba_weight 1.1"),
        ({"mamba_weight": float("nan")}, "mamba_weight nan"),
        ({"mamba_weight": None}, "TypeError"),
        ({"mamba_weight": 10**400}, "OverflowError"),
        ({"probability": None}, "TypeError"),
        ({"probability": []}, "TypeError"),
        ({"probability__method": "spline"}, "method 'spline' is not 'platt'"),
        ({"probability__method": []}, r"method \[\] is not 'platt'"),
        ({"probability__method": "isotonic"}, "method 'isotonic' is not 'platt'"),
        ({"probability__slope": ALL[1:]}, "slope is not 5 finite numbers"),
        ({"probability__slope": [ALL] * N}, "slope is not 5 finite numbers"),
        ({"probability__intercept": [*ALL[1:], float("inf")]}, "intercept is not 5 finite numbers"),
        ({"probability__intercept": [*ALL[1:], None]}, "intercept is not 5 finite numbers"),
        ({"probability__intercept": ["a"] * N}, "ValueError"),
        ({"probability__slope": [10**400] * N}, "OverflowError"),
        ({"interval__level": 1.0}, "level"),
        ({"interval__level": float("nan")}, "level"),
        ({"interval__half_width": [*ALL[1:], 0.0]}, "width"),
        ({"interval__half_width": [*ALL[1:], -1.0]}, "width"),
        ({"interval": {}}, "'level'"),
        ({"seen__low": [0.0] * (F - 1)}, f"low is not {F} finite numbers"),
        ({"seen__low": [4.0] * F}, "low is above its high"),
        ({"seen": None}, "TypeError"),
    ],
)
def test_an_invalid_calibration_is_rejected_with_the_reason(changes, message):
    with pytest.raises(CalibrationInvalid, match=message) as error:
        parsed(**changes)
    assert (error.value.sqlstate, bool(error.value.hint)) == ("CC019", True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '"a"', "[" * 100_000])
def test_text_that_is_not_a_document_is_rejected(text):
    with pytest.raises(CalibrationInvalid):
        parse_calibration(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLACES = ["mamba_weight", "probability", "interval", "seen", "probability__slope", "probability__method",
          "interval__level", "interval__half_width", "seen__high"]  # fmt: skip


@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_value_anywhere_is_parsed_or_rejected(place, value):
    try:
        calibration = parsed(**{place: value})
    except CalibrationInvalid:
        return
    probability = calibration.probability_up(np.linspace(-9, 9, 5 * N).reshape(5, N))
    assert ((probability >= 0) & (probability <= 1)).all()
