"""Training end to end: it learns a signal, finds none in shuffled data, and writes valid versions."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from candlecast.core.calibration import parse_calibration
from candlecast.core.errors import CandlecastUserError
from candlecast.core.feature_names import FEATURE_HASH, FEATURES
from candlecast.core.normalization import normalize
from candlecast.server.model_loader import load_lgbm, load_mamba
from candlecast.trainer.data.dataset import normalize_last_rows
from candlecast.trainer.export import train_and_export
from candlecast.trainer.models.artifacts import new_version, read_version, write_version
from candlecast.trainer.models.fit_mamba import MambaParameters, _Plan, _rise_and_fall
from candlecast.trainer.models.mamba import MambaShape
from candlecast.trainer.models.training import train_pair
from tests.support.artifacts import generated_dataset, small_options

#: Learns the generated signal in seconds.
QUICK_MAMBA = MambaParameters(shape=MambaShape(d_model=16, d_state=4), epochs=3, batch=128)


def quick_options(seed=0):
    return replace(small_options(seed), mamba=QUICK_MAMBA)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    dataset = generated_dataset(20_000)
    models = tmp_path_factory.mktemp("models")
    return dataset, train_and_export(dataset, models, quick_options())


@pytest.mark.parametrize("forecast", ["lgbm", "mamba", "ensemble"])
def test_models_learn_the_generated_signal(trained, forecast):
    one_minute = getattr(trained[1].report, forecast)[0]
    assert one_minute.rows > 3_000
    assert one_minute.low > 0.5
    assert one_minute.accuracy > 0.53


def test_shuffled_returns_give_no_accuracy(tmp_path):
    """Returns in random order: an accuracy above 50 % would be look-ahead."""
    dataset = generated_dataset(12_000)
    order = np.random.default_rng(7).permutation(len(dataset.ends))
    shuffled = replace(dataset, returns=dataset.returns[order], scaled=dataset.scaled[order])
    report = train_and_export(shuffled, tmp_path, small_options()).report
    for scores in (report.lgbm, report.mamba, report.ensemble):
        for one in scores:
            # Four standard errors of a fair coin on 2,400 rows, because more than ten figures are checked.
            assert abs(one.accuracy - 0.5) < 4 * 0.5 / np.sqrt(one.rows), one


def load(folder):
    facts, files = read_version(folder)
    if facts["model_type"] == "mamba":
        return facts, load_mamba(files.get, "onnx", "cpu")
    return facts, load_lgbm(files.get, facts)


def test_exported_files_equal_the_trained_models(trained):
    dataset, result = trained
    chosen = result.split.test[::7]
    for folder, expected in (
        (result.mamba_folder, mamba_expected(dataset, chosen, result)),
        (result.lgbm_folder, lgbm_expected(dataset, chosen, result)),
    ):
        _, model = load(folder)
        assert np.abs(model.scaled_returns(dataset.windows(chosen)) - expected).max() < 1e-5


def mamba_expected(dataset, chosen, result):
    windows = normalize(dataset.windows(chosen), result.pair.normalization)
    with torch.inference_mode():
        return result.pair.mamba(torch.from_numpy(windows)).numpy()


def lgbm_expected(dataset, chosen, result):
    rows = normalize_last_rows(dataset, chosen, result.pair.normalization)
    probability = np.column_stack([model.probability(rows) for model in result.pair.lgbm])
    return (2 * probability - 1) * result.pair.magnitude


def test_facts_describe_the_version(trained):
    _, result = trained
    for folder, model_type in ((result.mamba_folder, "mamba"), (result.lgbm_folder, "lgbm")):
        facts = json.loads((folder / "facts.json").read_text())
        assert folder.name == facts["version"]
        assert (facts["format"], facts["model_type"], facts["symbol"]) == (1, model_type, "DEMO")
        assert facts["features"] == list(FEATURES)
        assert facts["feature_hash"] == FEATURE_HASH
        names = {path.name for path in folder.iterdir()} - {"facts.json"}
        assert facts["files"] == {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}
        assert facts["training_from"] < facts["training_to"] < facts["metrics"]["parts"]["test"]["from"]
        assert facts["accuracy_1m"] == facts["metrics"][model_type]["1"]["accuracy"]
        assert {"mamba", "lgbm", "ensemble", "baselines"} <= facts["metrics"].keys()
        assert facts["libraries"]["torch"]


def test_test_vectors_include_the_largest_move(trained):
    dataset, result = trained
    for folder in (result.mamba_folder, result.lgbm_folder):
        facts, model = load(folder)
        windows = np.array(facts["golden"]["windows"])
        assert 3 <= len(windows) <= 5
        assert windows.shape[1:] == (60, len(FEATURES))
        moves = np.abs(dataset.features[dataset.ends[result.split.test], FEATURES.index("log_return_1m")])
        assert np.abs(windows[:, -1, FEATURES.index("log_return_1m")]).max() == moves.max()
        expected = np.array(facts["golden"]["scaled_returns"])
        assert np.abs(model.scaled_returns(windows) - expected).max() < 1e-6


def test_the_same_seed_gives_the_same_files(tmp_path):
    dataset = generated_dataset()
    one, two, other = (
        train_and_export(dataset, tmp_path / str(number), small_options(seed)) for number, seed in enumerate((5, 5, 6))
    )
    for folder in ("mamba_folder", "lgbm_folder"):
        hashes = [
            json.loads((getattr(result, folder) / "facts.json").read_text())["files"] for result in (one, two, other)
        ]
        for hashed in hashes:
            hashed.pop("mamba.pt", None)  # an archive with file names that differ
        assert hashes[0] == hashes[1]
        assert hashes[0] != hashes[2]


def test_the_time_budget_stops_training_early(tmp_path):
    options = replace(quick_options(), mamba_budget_seconds=0.0)
    for fit in train_and_export(generated_dataset(), tmp_path, options).pair.fits:
        assert fit.stopped_by_budget
        assert len(fit.validation_losses) == 1


def test_ensemble_facts_name_both_versions(trained):
    _, result = trained
    facts, files = read_version(result.ensemble_folder)
    for model_type, folder in (("mamba", result.mamba_folder), ("lgbm", result.lgbm_folder)):
        content = (folder / "facts.json").read_bytes()
        assert facts[model_type] == {"version": folder.name, "facts_sha256": sha256(content).hexdigest()}
    calibration = parse_calibration(files["calibration.json"].decode())
    assert calibration.mamba_weight == facts["mamba_weight"] == result.pair.weight.weight
    assert facts["accuracy_1m"] == result.report.ensemble[0].accuracy
    # The test vectors, recomputed from raw features and the files, with the formulas written out here.
    golden = {name: np.array(values) for name, values in facts["golden"].items()}
    windows = golden["windows"]
    scaled = calibration.mamba_weight * load(result.mamba_folder)[1].scaled_returns(windows)
    scaled += (1 - calibration.mamba_weight) * load(result.lgbm_folder)[1].scaled_returns(windows)
    scale = np.maximum(windows[:, -1, [FEATURES.index("volatility_30m")]], 1e-6) * np.sqrt([1, 2, 3, 4, 5])
    assert golden["predicted_close"] == pytest.approx(scaled * scale, abs=1e-12)
    up = 1 / (1 + np.exp(-(calibration.slope * scaled + calibration.intercept)))
    assert golden["probability_up"] == pytest.approx(up, abs=1e-12)
    assert golden["upper"] == pytest.approx((scaled + calibration.half_width) * scale, abs=1e-12)
    assert golden["lower"] == pytest.approx((scaled - calibration.half_width) * scale, abs=1e-12)


def test_calibration_reads_only_training_and_validation_rows(trained):
    """Weight, probabilities, intervals and the range of the features do not change when every test row changes."""
    dataset, result = trained
    changed = replace(dataset, features=dataset.features.copy(), scaled=dataset.scaled.copy())
    changed.features[dataset.ends[result.split.test[0]] - 59 :] *= 3.0
    changed.scaled[result.split.test] *= -3.0
    again = train_pair(changed, result.split, quick_options())
    assert again.weight == result.pair.weight
    assert again.calibration_document == result.pair.calibration_document


def test_a_shortened_plan_still_decays_the_learning_rate(monkeypatch):
    clock = iter(range(0, 10_000, 1))
    monkeypatch.setattr("candlecast.trainer.models.fit_mamba.time.monotonic", lambda: next(clock))
    plan = _Plan(1_000, budget_seconds=100.0)  # a batch takes a second
    done = 1
    while not plan.ends_at(done):
        done += 1
    assert done == plan.batches == 85
    assert _rise_and_fall(1.0, 0.15) == pytest.approx(0.0)
    assert max(_rise_and_fall(step / 100, 0.15) for step in range(101)) == 1.0


def test_a_plan_within_the_budget_is_kept():
    plan = _Plan(50, budget_seconds=1e6)
    assert [plan.ends_at(done) for done in range(1, 51)] == [False] * 49 + [True]


def test_a_market_that_only_rises_raises_an_error(tmp_path):
    dataset = generated_dataset()
    rising = replace(dataset, scaled=np.abs(dataset.scaled) + 1e-3)
    with pytest.raises(CandlecastUserError, match="does not move both up and down"):
        train_and_export(rising, tmp_path, small_options())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_no_files(tmp_path, monkeypatch):
    write, calls = Path.write_bytes, []

    def interrupted(path, content):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_version(tmp_path, "mamba", "v1", {"a": b"1", "b": b"2"}, {})
    assert calls[0].parent.name.startswith(".v1-")
    assert list((tmp_path / "mamba").iterdir()) == []


def test_a_taken_version_name_gets_a_suffix(tmp_path):
    now = datetime(2026, 11, 22, 17, 3, 12, tzinfo=UTC)
    assert new_version(tmp_path, now) == "20261122T170312Z"
    (tmp_path / "lgbm" / "20261122T170312Z").mkdir(parents=True)
    assert new_version(tmp_path, now) == "20261122T170312Z-2"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "a").write_bytes(b"2"), "does not match its sha256"),
        (lambda folder: (folder / "a").unlink(), "cannot be read: No such file"),
        (lambda folder: (folder / "facts.json").unlink(), "cannot be read: No such file"),
        (
            lambda folder: (folder / "facts.json").write_text("{}"),
            "facts.json does not describe a version: it has no model_type",
        ),
        (
            lambda folder: rewrite(folder, files={"../../secret": "0"}),
            "names a file outside its folder",
        ),
        (lambda folder: rewrite(folder, files={"a\0": "0"}), "cannot be read: embedded null byte"),
        (lambda folder: rewrite(folder, files=["a"]), r"files is \['a'\], not an object with the sha256 of each file"),
        (lambda folder: rewrite(folder, files={"a": 1}), "files is {'a': 1}, not an object with the sha256"),
        (lambda folder: rewrite(folder, files=None), "files is None, not an object with the sha256 of each file"),
        (lambda folder: rewrite(folder, version=None), "it has no version"),
        (lambda folder: rewrite(folder, version=5), "version is 5, not a string"),
        (lambda folder: rewrite(folder, version=" "), "version is ' ', not a string"),
        (lambda folder: rewrite(folder, symbol=None), "it has no symbol"),
        (lambda folder: rewrite(folder, trained_at="noon"), "trained_at is 'noon', not an ISO 8601 time"),
        (lambda folder: rewrite(folder, accuracy_1m="high"), "accuracy_1m is 'high', not a number"),
        (lambda folder: rewrite(folder, rmse=float("nan")), "is not JSON: NaN is not a JSON number"),
        (lambda folder: (folder / "facts.json").write_text("[]"), "it is not a JSON object"),
        (lambda folder: (folder / "facts.json").write_text("[" * 100_000), "is not JSON"),
        (lambda folder: (folder / "facts.json").write_bytes(b'"\xff"'), "is not JSON"),
    ],
)
def test_a_damaged_version_raises_an_error(tmp_path, damage, message):
    times = dict.fromkeys(("trained_at", "training_from", "training_to"), "2026-03-01T00:00:00+00:00")
    written = {"model_type": "mamba", "version": "v1", "symbol": "DEMO"} | times
    folder = write_version(tmp_path, "mamba", "v1", {"a": b"1"}, written)
    facts, files = read_version(folder)
    assert (facts["model_type"], files["a"]) == ("mamba", b"1")
    damage(folder)
    with pytest.raises(CandlecastUserError, match=message) as error:
        read_version(folder)
    assert str(folder) in error.value.message


def rewrite(folder, **changed):
    """Rewrite facts.json with changed fields. None removes a field, except `files`."""
    facts = json.loads((folder / "facts.json").read_text()) | changed
    facts = {name: value for name, value in facts.items() if value is not None or name == "files"}
    (folder / "facts.json").write_text(json.dumps(facts))
