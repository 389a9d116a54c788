"""Registration, validation, activation, rollback: what is accepted, what is rejected, what open sessions use."""

import io
import json
import zipfile
from pathlib import Path

import onnx
import psycopg
import pytest

from candlecast.core.feature_names import FEATURES
from tests.support.deployment import MINUTE, NEWEST, create, deploy, forget_models, in_backend, register

OTHER_FEATURES = b'{"version": 1, "feature_hash": "0", "sequence_length": 60, "features": []}'


def predicted(db):
    return [row[0] for row in db.execute("select predicted_close from predict('DEMO') order by horizon")]


def active(db):
    row = db.execute("select id from active_ensembles where symbol = 'DEMO' and is_active").fetchone()
    return row and row[0]


def refused(db, query, values=()):
    with pytest.raises(psycopg.Error) as error:
        db.execute(query, values)
    assert error.value.diag.message_hint
    return error.value


def changed_onnx(content: bytes) -> bytes:
    """The same graph with other first weights: it loads, and returns other outputs."""
    model = onnx.load_from_string(content)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in {"nodes_values", "target_weights", "leaf_weights"} and attribute.floats:
                attribute.floats[:] = [value + 0.5 for value in attribute.floats]
                return model.SerializeToString()
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype == "float32" and array.size > 8:
            tensor.CopyFrom(onnx.numpy_helper.from_array(array + array.dtype.type(0.5), tensor.name))
    return model.SerializeToString()


def external_onnx(content: bytes) -> bytes:
    """The same graph with a tensor that points outside the file."""
    model = onnx.load_from_string(content)
    tensor = onnx.TensorProto(name="outside", data_type=onnx.TensorProto.FLOAT, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    model.graph.initializer.append(tensor)
    return model.SerializeToString()


def test_registration_is_idempotent_other_files_conflict(db, artifacts):
    mamba, _ = map(Path, artifacts)
    first = register(db, mamba)
    assert register(db, mamba) == first
    assert db.execute("select count(*) from model_versions").fetchone()[0] == 1
    with pytest.raises(psycopg.Error) as error:
        register(db, mamba, files={"mamba.pt": None})
    assert error.value.sqlstate == "CC015"


def test_the_row_has_the_facts_of_the_training(db, artifacts):
    facts = json.loads((Path(artifacts[1]) / "facts.json").read_text())
    register(db, Path(artifacts[1]))
    row = db.execute(
        "select model_type, version, symbol, accuracy_1m, cardinality(features), training_from < training_to,"
        " metrics = %s::jsonb from model_versions",
        (json.dumps(facts["metrics"]),),
    ).fetchone()
    assert row[:3] == ("lgbm", facts["version"], facts["symbol"])
    assert float(row[3]) == pytest.approx(facts["accuracy_1m"], abs=1e-4)
    assert row[4:] == (len(FEATURES), True, True)


@pytest.mark.parametrize(
    ("change", "sqlstate", "message"),
    [
        ({"model_type": "forest"}, "CC016", "neither mamba nor lgbm"),
        ({"files": {"lgbm_horizon_3.onnx": None}}, "CC016", "lgbm_horizon_3.onnx is missing"),
        ({"files": {"run.sh": b"x"}}, "CC016", "run.sh is not a file of a lgbm version"),
        ({"facts": {"files": {}}}, "CC016", "does not match the sha256 in its facts"),
        ({"facts": {"feature_hash": "0" * 64}}, "CC016", "different features"),
        ({"facts": {"golden": {}}}, "CC016", "no test vectors"),
        ({"facts": {"trained_at": None}}, "CC016", "no trained_at"),
        ({"facts": {"trained_at": "infinity"}}, "CC016", "no trained_at"),
        ({"facts": {"accuracy_1m": "abc"}}, "CC016", "accuracy_1m 'abc'"),
        ({"facts": {"accuracy_1m": 7}}, "CC016", "accuracy_1m 7"),
        ({"facts": {"files": ["a"]}}, "CC016", "does not match the sha256 in its facts"),
        ({"symbol": "ELSE"}, "CC016", "its facts are of symbol 'DEMO', not 'ELSE'"),
        ({"version": ""}, "CC016", "its version has no name"),
        ({"contents": [None] * 6}, "CC016", "an argument is null"),
        ({"facts": {"lgbm_output": {"kind": "logit"}}}, "CC016", "lgbm_output"),
        ({"files": {"normalization_params_v1.json": b"{}"}}, "CC007", "not normalization parameters"),
        ({"files": {"normalization_params_v1.json": OTHER_FEATURES}}, "CC008", "its features differ from"),
        ({"names": ["a"]}, "CC016", "do not match"),
        ({"symbol": None}, "CC016", "an argument is null"),
    ],
)
def test_an_invalid_version_is_not_registered(shared_db, artifacts, change, sqlstate, message):
    with pytest.raises(psycopg.Error) as error, shared_db.transaction():
        register(shared_db, Path(artifacts[1]), **change)
    assert error.value.sqlstate == sqlstate
    assert message in error.value.diag.message_primary
    assert shared_db.execute("select count(*) from model_versions, model_artifacts").fetchone()[0] == 0


def looping_onnx() -> bytes:
    """A graph that adds 1 in a loop of 10**13 iterations."""
    number = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Identity", ["go_in"], ["go_out"]),
            onnx.helper.make_node("Add", ["sum_in", "one"], ["sum_out"]),
        ],
        "body",
        [number("turn", 7, []), number("go_in", 9, []), number("sum_in", 1, [1])],
        [number("go_out", 9, []), number("sum_out", 1, [1])],
    )
    constants = [
        onnx.helper.make_tensor("turns", 7, [], [10**13]),
        onnx.helper.make_tensor("go", 9, [], [True]),
        onnx.helper.make_tensor("one", 1, [1], [1.0]),
    ]
    loop = onnx.helper.make_node("Loop", ["turns", "go", "one"], ["scaled_returns"], body=body)
    graph = onnx.helper.make_graph(
        [loop], "endless", [number("sequence", 1, ["batch", 60, 27])], [number("scaled_returns", 1, [1])], constants
    )
    return onnx.helper.make_model(graph).SerializeToString()


def test_a_graph_with_a_loop_is_rejected(db, artifacts):
    with pytest.raises(psycopg.Error, match="operator Loop") as error:
        register(db, Path(artifacts[0]), version="endless", files={"mamba.onnx": looping_onnx()})
    assert error.value.sqlstate == "CC008"


def test_weights_that_round_to_4_decimals_are_one_ensemble(live, artifacts):
    first = create(live, artifacts, 0.33333)
    assert create(live, artifacts, 0.33334) == first
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(psycopg.Error, match="is not in") as error:
            create(live, artifacts, weight)
        assert error.value.sqlstate == "CC016"


def test_a_reader_cannot_block_an_activation(live, live_url, connect_as, artifacts):
    reader = connect_as("candlecast_reader", live_url)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("begin; lock table active_ensembles in share row exclusive mode")
    reader.execute("rollback")
    reader.execute("begin; select * from active_ensembles; lock table active_ensembles in access share mode")
    live.execute("set lock_timeout = '5s'")
    live.execute("select activate_ensemble(%s)", (create(live, artifacts, 0.25),))


def test_external_data_is_rejected_and_never_loaded(live, artifacts):
    mamba, lgbm = map(Path, artifacts)
    outside = external_onnx((mamba / "mamba.onnx").read_bytes())
    with pytest.raises(psycopg.Error, match="external data") as error:
        register(live, mamba, version="outside", files={"mamba.onnx": outside})
    assert error.value.sqlstate == "CC008"
    version = register(live, mamba, version="smuggled")
    live.execute(
        "update model_artifacts set content = %s, sha256 = encode(sha256(%s), 'hex')"
        " where model_version_id = %s and name = 'mamba.onnx'",
        (outside, outside, version),
    )
    pair = live.execute("select create_ensemble(%s, %s)", (version, register(live, lgbm))).fetchone()[0]
    before = active(live)
    assert refused(live, "select activate_ensemble(%s)", (pair,)).sqlstate == "CC008"
    assert active(live) == before
    assert len(predicted(live)) == 5


def test_a_damaged_ensemble_is_not_activated(live, artifacts, live_url):
    mamba, lgbm = map(Path, artifacts)
    second = live.execute(
        "select create_ensemble(%s, %s, 0.25)", (register(live, mamba, version="second"), register(live, lgbm))
    ).fetchone()[0]
    live.execute(
        "update model_artifacts set content = set_byte(content, 4000, get_byte(content, 4000) # 1)"
        " where name = 'mamba.onnx'"
        " and model_version_id = (select mamba_version_id from active_ensembles where id = %s)",
        (second,),
    )
    before, expected = active(live), predicted(live)
    error = refused(live, "select activate_ensemble(%s)", (second,))
    assert (error.sqlstate, active(live)) == ("CC007", before)
    assert "sha256" in error.diag.message_primary
    with psycopg.connect(live_url) as fresh:
        assert predicted(fresh) == expected


def test_a_damaged_artifact_fails_in_new_sessions(live, live_url, artifacts):
    expected = predicted(live)
    live.execute("update model_artifacts set content = set_byte(content, 99, get_byte(content, 99) # 1)"
                 " where name = 'lgbm_horizon_2.onnx'")  # fmt: skip
    with psycopg.connect(live_url) as fresh:
        error = refused(fresh, "select predict('DEMO')")
    assert error.sqlstate == "CC007"
    assert "lgbm_horizon_2.onnx" in error.diag.message_primary
    assert "Publish the version again" in error.diag.message_hint
    deploy(live, artifacts)
    with psycopg.connect(live_url) as fresh:
        assert predicted(fresh) == expected


@pytest.mark.parametrize("name", ["mamba.onnx", "lgbm_horizon_4.onnx"])
def test_a_model_that_fails_its_test_vectors_is_rejected(live, artifacts, name):
    folders = {"mamba": Path(artifacts[0]), "lgbm": Path(artifacts[1])}
    kind = "mamba" if name.startswith("mamba") else "lgbm"
    content = changed_onnx((folders[kind] / name).read_bytes())
    wrong = register(live, folders[kind], version="wrong", files={name: content})
    ids = {other: register(live, folder) for other, folder in folders.items()} | {kind: wrong}
    pair = live.execute("select create_ensemble(%s, %s)", (ids["mamba"], ids["lgbm"])).fetchone()[0]
    before, expected = active(live), predicted(live)
    error = refused(live, "select activate_ensemble(%s)", (pair,))
    assert error.sqlstate == "CC012"
    assert f"{kind} version wrong" in error.diag.message_primary
    assert refused(live, "select create_ensemble(%s, %s, 0.5, true)", (ids["mamba"], ids["lgbm"])).sqlstate == "CC012"
    assert (active(live), predicted(live)) == (before, expected)


def test_bytes_that_are_not_a_model_are_rejected(live, artifacts):
    mamba, lgbm = map(Path, artifacts)
    for name, content in (("mamba.onnx", b"not a graph"), ("mamba.pt", b"not an archive")):
        version = register(live, mamba, version=f"no {name}", files={name: content})
        pair = live.execute("select create_ensemble(%s, %s)", (version, register(live, lgbm))).fetchone()[0]
        error = refused(live, "select activate_ensemble(%s)", (pair,))
        assert (error.sqlstate, name in error.diag.message_primary) == ("CC007", True)


def test_torchscript_needs_the_servers_permission(live):
    expected = predicted(live)
    live.execute("update ml_settings set value = 'torchscript' where name = 'mamba_runtime'")
    assert predicted(live) == pytest.approx(expected, abs=1e-7)
    in_backend(live, "import os; os.environ['ML_TORCHSCRIPT'] = 'off'")
    forget_models(live)
    error = refused(live, "select predict('DEMO')")
    assert error.sqlstate == "CC010"
    assert "ML_TORCHSCRIPT=on" in error.diag.message_hint
    live.execute("update ml_settings set value = 'auto' where name = 'mamba_runtime'")
    assert predicted(live) == expected


def test_a_version_without_an_onnx_file_needs_torchscript(live, artifacts):
    mamba, lgbm = map(Path, artifacts)
    version = register(live, mamba, version="alone", files={"mamba.onnx": None})
    pair = live.execute("select create_ensemble(%s, %s)", (version, register(live, lgbm))).fetchone()[0]
    in_backend(live, "import os; os.environ['ML_TORCHSCRIPT'] = 'off'")
    assert refused(live, "select activate_ensemble(%s)", (pair,)).sqlstate == "CC010"
    in_backend(live, "import os; os.environ['ML_TORCHSCRIPT'] = 'on'")
    expected = predicted(live)
    live.execute("select activate_ensemble(%s)", (pair,))
    assert predicted(live) == pytest.approx(expected, abs=1e-7)


def test_without_permission_torch_never_loads_a_file(live, artifacts, tmp_path):
    mamba, lgbm = map(Path, artifacts)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("evil/data.pkl", b"cposix\nsystem\n(S'false'\ntR.")
    version = register(live, mamba, version="evil", files={"mamba.pt": archive.getvalue()})
    pair = live.execute("select create_ensemble(%s, %s)", (version, register(live, lgbm))).fetchone()[0]
    in_backend(live, "import os; os.environ['ML_TORCHSCRIPT'] = 'off'")
    live.execute("select activate_ensemble(%s)", (pair,))
    assert len(predicted(live)) == 5, "its ONNX file is used"


@pytest.mark.parametrize("module", ["onnxruntime", "torch"])
def test_a_missing_runtime_is_named_with_a_hint(live, module):
    runtime = "onnx" if module == "onnxruntime" else "torchscript"
    live.execute("update ml_settings set value = %s where name = 'mamba_runtime'", (runtime,))
    expected = predicted(live)
    forget_models(live)
    in_backend(live, f"import sys; GD['kept'] = sys.modules[{module!r}]; sys.modules[{module!r}] = None")
    error = refused(live, "select predict('DEMO')")
    assert error.sqlstate == "CC009"
    assert module in error.diag.message_primary
    assert "PYTHONPATH" in error.diag.message_hint
    in_backend(live, f"import sys; sys.modules[{module!r}] = GD['kept']")
    assert predicted(live) == expected


def test_open_sessions_use_an_activation_after_its_commit(live, artifacts, live_url):
    first = predicted(live)
    other = create(live, artifacts, 1.0)
    with psycopg.connect(live_url, autocommit=True) as staying, psycopg.connect(live_url) as deploying:
        assert predicted(staying) == first
        deploying.execute("select activate_ensemble(%s)", (other,))
        inside = predicted(deploying)
        assert inside != first
        assert predicted(staying) == first
        deploying.rollback()
        assert predicted(deploying) == first
        deploying.execute("select activate_ensemble(%s)", (other,))
        deploying.commit()
        assert predicted(staying) == inside
        assert staying.execute("select ensemble_id from predict_now('DEMO')").fetchone()[0] == other


def test_repeated_rollbacks_go_further_back(live, artifacts):
    first = active(live)
    assert refused(live, "select rollback_ensemble('DEMO')").sqlstate == "CC014"
    second, third = create(live, artifacts, 0.25), create(live, artifacts, 0.75)
    live.execute("select activate_ensemble(%s)", (second,))
    live.execute("select activate_ensemble(%s)", (third,))
    assert live.execute("select rollback_ensemble('DEMO')").fetchone()[0] == second == active(live)
    assert live.execute("select rollback_ensemble('DEMO')").fetchone()[0] == first == active(live)
    assert refused(live, "select rollback_ensemble('DEMO')").sqlstate == "CC014"
    live.execute("select activate_ensemble(%s)", (third,))
    assert live.execute("select rollback_ensemble('DEMO')").fetchone()[0] == first


def test_after_an_added_feature_old_ensembles_fail(live, artifacts):
    first, second = active(live), create(live, artifacts, 0.25)
    live.execute("select activate_ensemble(%s)", (second,))
    for name, value in (("FEATURE_HASH", "another"), ("FEATURES", [*FEATURES, "new"])):
        in_backend(live, f"from candlecast.server import feature_check; feature_check.{name} = {value!r}")
    for call in ("predict('DEMO')", "predict_now('DEMO')", f"activate_ensemble({first})", "rollback_ensemble('DEMO')"):
        error = refused(live, f"select {call}")
        assert error.sqlstate == "CC018", call
        assert "of DEMO was trained on different features than this server computes" in error.diag.message_primary
        assert error.diag.message_detail == "Only the server has new."
        assert "candlecast train --symbol DEMO" in error.diag.message_hint
    live.execute("call run_inference(%s)", (NEWEST,))
    runs = live.execute("select status, ensemble_id, error_sqlstate from inference_runs").fetchall()
    assert runs == [("failed", second, "CC018")]
    in_backend(
        live,
        "from candlecast.server import feature_check; feature_check.FEATURES = feature_check.FEATURES[:-1]",
    )
    assert "their order or the formulas differ" in refused(live, "select predict('DEMO')").diag.message_detail
    assert active(live) == second


def test_activation_is_idempotent_and_rejects_unknown_ids(live):
    first = active(live)
    live.execute("select activate_ensemble(%s)", (first,))
    assert active(live) == first
    assert live.execute("select count(*) from active_ensembles where deactivated_at is not null").fetchone()[0] == 0
    assert refused(live, "select activate_ensemble(4711)").sqlstate == "CC006"
    assert refused(live, "select create_ensemble(4711, 1)").sqlstate == "CC016"


def test_concurrent_activations_leave_one_active(live, artifacts, live_url):
    second, third = create(live, artifacts, 0.25), create(live, artifacts, 0.75)
    with psycopg.connect(live_url) as left, psycopg.connect(live_url) as right:
        left.execute("select activate_ensemble(%s)", (second,))
        right.execute("set statement_timeout = '2s'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            right.execute("select activate_ensemble(%s)", (third,))
        right.rollback()
        left.commit()
        right.execute("select activate_ensemble(%s)", (third,))
        right.commit()
    assert active(live) == third
    assert live.execute("select count(*) from active_ensembles where is_active").fetchone()[0] == 1


def test_withdrawing_only_affects_ensembles_on_test(live, live_url, connect_as, artifacts):
    challenger = create(live, artifacts, 0.25, is_test=True)
    live.execute("call run_inference(%s)", (NEWEST - MINUTE,))
    withdraw = "select withdraw_ensemble(%s)"
    trainer = connect_as("candlecast_trainer", live_url)
    assert trainer.execute(withdraw, (challenger,)).fetchone() == (True,)
    assert connect_as("candlecast_operator", live_url).execute(withdraw, (challenger,)).fetchone() == (False,)
    live.execute("call run_inference(%s)", (NEWEST,))
    stored = live.execute("select ensemble_id, candle_time from predictions where horizon = 1 order by id").fetchall()
    assert stored == [(1, NEWEST - MINUTE), (challenger, NEWEST - MINUTE), (1, NEWEST)]
    assert trainer.execute(withdraw, (1,)).fetchone() == (False,), "an active ensemble is not on test"
    assert active(live) == 1
    assert refused(live, withdraw, (4711,)).sqlstate == "CC006"
    assert create(live, artifacts, 0.25, is_test=True) == challenger
    assert live.execute("select is_test from active_ensembles where id = %s", (challenger,)).fetchone() == (True,)


def test_an_ensemble_is_never_active_and_on_test(live):
    with pytest.raises(psycopg.errors.CheckViolation):
        live.execute("update active_ensembles set is_test = true where is_active")
