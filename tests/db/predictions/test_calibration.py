"""Outputs of a calibrated ensemble, compared with values by hand, and the rejection of invalid calibrations."""

import json
from decimal import Decimal
from hashlib import sha256
from math import exp, log
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from candlecast.core.calibration import parse_calibration
from candlecast.core.feature_names import VOLATILITY_30M
from candlecast.core.model import parse_facts
from candlecast.server.model_loader import load_lgbm, load_mamba
from candlecast.trainer.models.artifacts import make_ensemble_vectors
from tests.support.deployment import MINUTE, NEWEST, create, create_calibrated, deploy_calibrated, ensemble_of, register

FORECAST = "select * from predict('DEMO') order by horizon"
NEW = ("probability_up", "lower_price", "upper_price", "abstained", "out_of_distribution", "furthest_feature")


def refused(db, query, values=()):
    with pytest.raises(psycopg.Error) as error:
        db.execute(query, values)
    assert error.value.diag.message_hint
    return error.value


def active(db):
    return db.execute("select id from active_ensembles where symbol = 'DEMO' and is_active").fetchone()[0]


def new_columns(rows):
    return [tuple(getattr(row, name) for name in NEW) for row in rows]


def with_probability(artifacts, probability):
    """calibration.json with another probability method, and matching test vectors."""
    text, facts = ensemble_of(artifacts)
    text = json.dumps(json.loads(text) | {"probability": probability})
    mamba_folder, lgbm_folder = map(Path, artifacts)
    mamba = load_mamba(lambda name: (mamba_folder / name).read_bytes(), "onnx", "cpu")
    lgbm_facts = parse_facts((lgbm_folder / "facts.json").read_bytes())
    lgbm = load_lgbm(lambda name: (lgbm_folder / name).read_bytes(), lgbm_facts)
    windows = np.array(facts["golden"]["windows"])
    return {"calibration": text, "golden": Jsonb(make_ensemble_vectors(windows, mamba, lgbm, parse_calibration(text)))}


PLATT = {"method": "platt", "slope": [0.5, 1.0, 2.0, 3.0, 4.0], "intercept": [0.3, -0.2, 0.1, 0.0, -0.1]}


def test_served_values_equal_the_calibration_by_hand(calibrated, artifacts):
    changes = with_probability(artifacts, PLATT)
    deploy_calibrated(calibrated, artifacts, **changes)
    document = json.loads(changes["calibration"])
    volatility = calibrated.execute(
        "select volatility_30m from features_between('DEMO', %s, %s)", (NEWEST, NEWEST + MINUTE)
    ).fetchone()[0]
    rows = calibrated.execute(FORECAST).fetchall()
    weight = document["mamba_weight"]
    for i, row in enumerate(rows):
        assert row.predicted_close == pytest.approx(weight * row.mamba_close + (1 - weight) * row.lgbm_close, rel=1e-9)
        unit = max(volatility, 1e-6) * row.horizon**0.5
        scaled = row.predicted_close / unit
        expected = 1 / (1 + exp(-(PLATT["slope"][i] * scaled + PLATT["intercept"][i])))
        assert row.probability_up == pytest.approx(expected, abs=1e-9)
        half_width = document["interval"]["half_width"][i]
        assert log(row.lower_price / row.reference_close) / unit == pytest.approx(scaled - half_width, abs=1e-7)
        assert log(row.upper_price / row.reference_close) / unit == pytest.approx(scaled + half_width, abs=1e-7)
    assert len({row.probability_up for row in rows}) == 5


def test_every_function_gives_the_same_and_stores_it(calibrated):
    single = calibrated.execute(FORECAST).fetchall()
    now = calibrated.execute("select * from predict_now('DEMO') order by horizon").fetchall()
    again = calibrated.execute("select * from predict_now('DEMO') order by horizon").fetchall()
    assert single == now == again
    calibrated.execute("delete from predictions")
    calibrated.execute("call run_inference(%s)", (NEWEST,))
    stored = calibrated.execute("select * from predictions order by horizon").fetchall()
    latest = calibrated.execute("select * from latest_predictions order by horizon").fetchall()
    outcomes = calibrated.execute("select * from prediction_outcomes order by horizon").fetchall()
    for rows in (stored, latest, outcomes):
        assert new_columns(rows) == new_columns(single)
    ranged = calibrated.execute(
        "select * from predict_range('DEMO', %s, %s) where candle_time = %s order by horizon",
        (NEWEST - 150 * MINUTE, NEWEST + MINUTE, NEWEST),
    ).fetchall()
    for left, right in zip(ranged, single, strict=True):
        assert left.probability_up == pytest.approx(right.probability_up, abs=1e-5)
        assert (left.lower_price, left.upper_price) == pytest.approx((right.lower_price, right.upper_price), rel=1e-6)
        assert new_columns([left])[0][3:] == new_columns([right])[0][3:]


def test_without_a_calibration_its_columns_are_null(live):
    calls = ("predict('DEMO')", "predict_now('DEMO')", f"predict_range('DEMO', '{NEWEST}', null)")
    for call in (*calls, "predictions"):
        rows = live.execute(f"select * from {call}").fetchall()
        assert new_columns(rows) == [(None, None, None, False, None, None)] * 5, call


def test_another_calibration_makes_another_ensemble(calibrated, artifacts):
    first = active(calibrated)
    assert create_calibrated(calibrated, artifacts) == first
    other = create_calibrated(calibrated, artifacts, **with_probability(artifacts, PLATT))
    weight = ensemble_of(artifacts)[1]["mamba_weight"]
    uncalibrated = create(calibrated, artifacts, weight)
    assert len({first, other, uncalibrated}) == 3
    assert create(calibrated, artifacts, weight) == uncalibrated


@pytest.mark.parametrize(
    ("change", "sqlstate", "message"),
    [
        ({"golden": None}, "CC016", "pass both a calibration and test vectors, or neither"),
        ({"calibration": None}, "CC016", "pass both a calibration and test vectors, or neither"),
        ({"mamba_weight": None}, "CC019", "and the ensemble's is None"),
        ({"mamba_weight": 0.1234}, "CC019", "and the ensemble's is 0.1234"),
        ({"calibration": "{}"}, "CC019", "its format is not 1"),
        ({"calibration": "not json"}, "CC019", "JSONDecodeError"),
        ({"calibration": "[" * 100_000}, "CC019", "RecursionError"),
        ({"golden": Jsonb({})}, "CC007", "'windows'"),
        ({"golden": Jsonb([])}, "CC007", "list indices"),
        ({"golden": Jsonb({"windows": []})}, "CC007", "windows has the shape (0,)"),
    ],
)
def test_an_invalid_calibrated_pair_is_not_created(warm, artifacts, change, sqlstate, message):
    with pytest.raises(psycopg.Error) as error, warm.transaction():
        create_calibrated(warm, artifacts, **change)
    assert error.value.sqlstate == sqlstate
    assert message in error.value.diag.message_primary
    assert error.value.diag.message_hint
    assert warm.execute("select count(*) from active_ensembles").fetchone()[0] == 1


@pytest.mark.parametrize("output", ["predicted_close", "probability_up", "lower", "upper"])
@pytest.mark.parametrize("row", [0, -1])
def test_a_pair_that_fails_its_test_vectors_is_rejected(warm, artifacts, output, row):
    golden = ensemble_of(artifacts)[1]["golden"]
    unit = 1.0 if output == "probability_up" else golden["windows"][row][-1][VOLATILITY_30M] * 5**0.5
    exact = golden[output][row][4]
    golden[output][row][4] = exact + 2e-5 * unit
    pair = create_calibrated(warm, artifacts, golden=Jsonb(golden))
    before = active(warm)
    for call in (f"select activate_ensemble({pair})", None):
        with pytest.raises(psycopg.Error) as error, warm.transaction():
            warm.execute(call) if call else create_calibrated(warm, artifacts, golden=Jsonb(golden), is_test=True)
        assert error.value.sqlstate == "CC012"
        assert f"ensemble {pair} does not reproduce its test vectors (onnx)" in error.value.diag.message_primary
        assert error.value.diag.message_detail.startswith(f"{output} differs by more than 1e-05")
        assert error.value.diag.message_hint
    assert active(warm) == before
    assert warm.execute("select count(*) from active_ensembles where is_test").fetchone()[0] == 0
    golden[output][row][4] = exact + 0.5e-5 * unit
    warm.execute("update active_ensembles set golden = %s where id = %s", (Jsonb(golden), pair))
    warm.execute("select activate_ensemble(%s)", (pair,))


def test_a_torchscript_only_pair_is_checked_by_its_test_vectors(live, artifacts):
    calibration, facts = ensemble_of(artifacts)
    alone = register(live, Path(artifacts[0]), version="alone", files={"mamba.onnx": None})
    assert create_calibrated(live, artifacts, is_test=True, mamba_version_id=alone)
    facts["golden"]["lower"][0][0] -= 5e-5
    arguments = {"mamba_version_id": alone, "golden": Jsonb(facts["golden"]), "calibration": f"{calibration} "}
    with pytest.raises(psycopg.Error, match=r"does not reproduce its test vectors \(torchscript\)"):
        create_calibrated(live, artifacts, is_test=True, **arguments)


def test_a_damaged_calibration_is_rejected_with_a_hint(calibrated, calibrated_url, artifacts):
    before, expected = active(calibrated), calibrated.execute(FORECAST).fetchall()
    challenger = create_calibrated(calibrated, artifacts, **with_probability(artifacts, PLATT))
    damage = "update active_ensembles set calibration = calibration || ' ' where id = %s"
    calibrated.execute(damage, (challenger,))
    error = refused(calibrated, f"select activate_ensemble({challenger})")
    assert (error.sqlstate, active(calibrated)) == ("CC007", before)
    assert f"the calibration of ensemble {challenger}" in error.diag.message_primary
    assert calibrated.execute(FORECAST).fetchall() == expected
    calibrated.execute(damage, (before,))
    with psycopg.connect(calibrated_url) as fresh:
        error = refused(fresh, FORECAST)
    assert error.sqlstate == "CC007"
    assert "sha256" in error.diag.message_primary
    assert "Publish the version again" in error.diag.message_hint
    assert deploy_calibrated(calibrated, artifacts) == before
    with psycopg.connect(calibrated_url) as fresh:
        assert fresh.execute(FORECAST).fetchall() == [tuple(row) for row in expected]


def test_an_invalid_calibration_with_a_valid_sha256_fails(calibrated, calibrated_url):
    text = '{"format": 1}'
    calibrated.execute(
        "update active_ensembles set calibration = %s, calibration_sha256 = %s where is_active",
        (text, sha256(text.encode()).hexdigest()),
    )
    with psycopg.connect(calibrated_url) as fresh:
        error = refused(fresh, FORECAST)
    assert (error.sqlstate, "'probability'" in error.diag.message_primary) == ("CC019", True)
    calibrated.execute("call run_inference(%s)", (NEWEST,))
    assert calibrated.execute("select status, error_sqlstate from inference_runs").fetchall() == [("failed", "CC019")]


def test_a_changed_weight_fails_and_the_setting_is_ignored(calibrated, calibrated_url):
    expected = calibrated.execute(FORECAST).fetchall()
    calibrated.execute("update ml_settings set value = '0.9' where name = 'mamba_weight'")
    with psycopg.connect(calibrated_url) as fresh:
        assert fresh.execute(FORECAST).fetchall() == [tuple(row) for row in expected]
    calibrated.execute("update active_ensembles set mamba_weight = 0.9876 where is_active")
    error = refused(calibrated, FORECAST)
    assert (error.sqlstate, "the ensemble's is 0.9876" in error.diag.message_primary) == ("CC019", True)
    with pytest.raises(psycopg.errors.CheckViolation, match="calibration_of_a_weight"):
        calibrated.execute("update active_ensembles set mamba_weight = null where is_active")


def test_below_min_confidence_it_abstains_and_is_still_stored(calibrated):
    rows = calibrated.execute(FORECAST).fetchall()
    assert not any(row.abstained for row in rows)
    margins = [abs(row.probability_up - 0.5) for row in rows]
    limit = sorted(margins)[2]
    exact = format(Decimal(limit), "f")
    assert float(exact) == limit
    calibrated.execute("update ml_settings set value = %s where name = 'min_confidence'", (exact,))
    expected = [margin < limit for margin in margins]
    assert sum(expected) == 2, "strictly below"
    for call in (
        FORECAST,
        "select * from predict_now('DEMO') order by horizon",
        "select * from predictions order by 6",
    ):
        assert [row.abstained for row in calibrated.execute(call).fetchall()] == expected


def test_an_extreme_candle_names_its_furthest_feature(calibrated, artifacts):
    inside = calibrated.execute(FORECAST).fetchall()
    assert [row[-2:] for row in inside] == [(False, None)] * 5
    calibrated.execute(
        "update candles_1m set number_of_trades = number_of_trades * 1000000 where open_time = %s", (NEWEST,)
    )
    for call in (
        FORECAST,
        f"select * from predict_range('DEMO', '{NEWEST}', null)",
        "select * from predict_now('DEMO')",
    ):
        rows = calibrated.execute(call).fetchall()
        assert [row[-2:] for row in rows] == [(True, "number_of_trades")] * 5
    assert calibrated.execute("select distinct furthest_feature from predictions").fetchall() == [("number_of_trades",)]


def test_out_of_distribution_uses_values_before_clipping(calibrated, artifacts):
    """The training range of number_of_trades ends just above the clip, so clipped values are always inside."""
    params = json.loads((Path(artifacts[0]) / "normalization_params_v1.json").read_text())["features"]
    text, facts = ensemble_of(artifacts)
    place = facts["features"].index("number_of_trades")
    low, high = [-1e6] * len(params), [1e6] * len(params)
    low[place], high[place] = -1.0, params[place]["clip"] + 0.5
    document = json.loads(text) | {"seen": {"low": low, "high": high}}
    deploy_calibrated(calibrated, artifacts, calibration=json.dumps(document))
    assert calibrated.execute(FORECAST).fetchone()[-2:] == (False, None)
    calibrated.execute(
        "update candles_1m set number_of_trades = number_of_trades * 100000000 where open_time = %s", (NEWEST,)
    )
    assert calibrated.execute(FORECAST).fetchone()[-2:] == (True, "number_of_trades")


@pytest.mark.parametrize("factor", [1e3, 1e6])
def test_the_distance_unit_is_the_width_of_the_training_range(calibrated, artifacts, factor):
    """All volumes of a candle times a factor: the furthest feature, computed by hand from the files."""
    calibrated.execute(
        f"update candles_1m set volume = {factor} * volume, quote_asset_volume = {factor} * quote_asset_volume,"
        f" taker_buy_base_asset_volume = {factor} * taker_buy_base_asset_volume,"
        f" taker_buy_quote_asset_volume = {factor} * taker_buy_quote_asset_volume where open_time = %s",
        (NEWEST,),
    )
    features = calibrated.execute(
        "select * from features_between('DEMO', %s, %s)", (NEWEST, NEWEST + MINUTE)
    ).fetchone()
    seen = json.loads(ensemble_of(artifacts)[0])["seen"]
    params = json.loads((Path(artifacts[0]) / "normalization_params_v1.json").read_text())["features"]
    out = {}
    for i, param in enumerate(params):
        value = getattr(features, param["name"])
        if param["method"] == "relative_to_last_close":
            value = value / features.close - 1
        elif param["method"] == "log1p":
            value = log(1 + value)
        value = (value - param["center"]) / param["scale"]
        low, high = seen["low"][i], seen["high"][i]
        out[param["name"]] = max(low - value, value - high, 0) / max(high - low, 1e-6)
    furthest = max(out, key=out.get)
    assert out[furthest] > 0.1
    assert calibrated.execute(FORECAST).fetchone()[-2:] == (True, furthest)
