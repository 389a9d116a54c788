"""The benchmark's baseline computes the same values as candlecast; verdicts and memory figures."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from bench import baseline
from bench.__main__ import BENCHMARKS
from bench.figures import Figure, Limit, memory_figure
from bench.processes import memory_of
from candlecast.core.calibration import MAX_DISTANCE, parse_calibration
from candlecast.core.feature_names import FEATURES
from candlecast.core.model import parse_facts
from candlecast.core.normalization import parse_normalization, standardize
from candlecast.server.model_loader import load_lgbm, load_mamba
from candlecast.trainer.features import compute_features
from tests.support.artifacts import generated_candles, generated_dataset, make_artifacts
from tests.support.paths import ROOT


def test_the_features_of_the_baseline_equal_the_reference():
    candles = generated_candles(400)
    _, expected = compute_features(candles)
    frame = pd.DataFrame(candles | {"taker_buy_ratio": candles["taker_buy_base_asset_volume"] / candles["volume"]})
    found = baseline.features(frame)[list(FEATURES)].to_numpy()[149:]
    is_recursive = [name.startswith("ema_") or name == "rsi_14" for name in FEATURES]  # use more than 150 candles
    tolerance = np.where(is_recursive, 5e-5, 1e-9 * np.abs(expected).max(axis=0))
    apart = np.abs(found - expected).max(axis=0)
    assert [name for name, beyond in zip(FEATURES, ~(apart <= tolerance), strict=True) if beyond] == []


@pytest.mark.parametrize("runtime", ["onnx", "torchscript"])
def test_the_models_of_the_baseline_equal_candlecasts(tmp_path, monkeypatch, runtime):
    monkeypatch.setenv("ML_TORCHSCRIPT", "on")
    folders = make_artifacts(tmp_path)
    for name, folder in zip(("mamba", "lgbm"), folders, strict=True):
        (tmp_path / "baseline").mkdir(exist_ok=True)
        (tmp_path / "baseline" / name).symlink_to(folder)
    readers = [lambda name, folder=folder: (folder / name).read_bytes() for folder in folders]
    windows = generated_dataset().windows(np.arange(50))
    facts = parse_facts(readers[1]("facts.json"))
    models = load_mamba(readers[0], runtime, "cpu"), load_lgbm(readers[1], facts)
    expected = [model.scaled_returns(windows) for model in models]
    found = baseline.Models(tmp_path / "baseline", runtime).scaled_returns(windows)
    for own, others in zip(expected, found, strict=True):
        assert np.abs(own - others).max() <= 1e-5


def test_the_calibration_of_the_baseline_equals_candlecasts(tmp_path):
    mamba, _ = make_artifacts(tmp_path)
    document = json.loads((tmp_path / "ensemble" / mamba.name / "calibration.json").read_text())
    text = json.dumps(document)
    for name in ("mamba", "lgbm"):
        (tmp_path / "baseline").mkdir(exist_ok=True)
        (tmp_path / "baseline" / name).symlink_to(tmp_path / name / mamba.name)
    (tmp_path / "baseline" / "calibration.json").write_text(text)
    models, calibration = baseline.Models(tmp_path / "baseline"), parse_calibration(text)
    windows = generated_dataset().windows(np.arange(20))
    windows[7, -1, FEATURES.index("volume")] *= 1e6
    ours, theirs = models.scaled_returns(windows)
    scaled = document["mamba_weight"] * ours + (1 - document["mamba_weight"]) * theirs
    rows = standardize(windows, parse_normalization((mamba / "normalization_params_v1.json").read_bytes()))[:, -1]
    probability, (lower, upper) = calibration.probability_up(scaled), calibration.interval(scaled)
    distance, furthest = calibration.outside(rows)
    for i, window in enumerate(windows):
        found, half_width, feature = models.calibrated(window, scaled[i])
        assert found == pytest.approx(probability[i], abs=1e-12)
        assert (scaled[i] - half_width, scaled[i] + half_width) == (pytest.approx(lower[i]), pytest.approx(upper[i]))
        assert feature == (FEATURES[furthest[i]] if distance[i] > MAX_DISTANCE else None)
    assert distance[7] > MAX_DISTANCE


@pytest.mark.parametrize(
    ("samples", "limits", "verdict"),
    [
        ([1.0, 2.0, 9.0], [Limit("median", 2.0)], "met"),
        ([1.0, 2.1, 9.0], [Limit("median", 2.0)], "missed"),
        ([1.0, 2.0, 9.0], [Limit("median", 2.0), Limit("max", 8.0)], "missed"),
        ([1.0, 2.0, 9.0], [Limit("ratio", 1.0)], "met"),
        ([1.0, 2.5, 9.0], [Limit("ratio", 1.2)], "missed"),
        ([1.0, float("nan")], [Limit("max", 8.0)], "missed"),
        ([1.0], [], "-"),
        ([], [Limit("max", 8.0)], "not run"),
    ],
)
def test_a_verdict_follows_from_the_samples(samples, limits, verdict):
    assert Figure("it", "ms", samples, limits, baseline=[2.0]).verdict() == verdict


def test_memory_is_measured_or_nan():
    assert 10 < memory_of(os.getpid()) < 10_000, "megabytes of this interpreter"
    assert np.isnan(memory_of(2**22 + 1)), "no process has this id"
    assert np.isnan(memory_of(1)), "neither a server process nor the baseline"
    figure = memory_figure("it", [90.0, 101.0], [80.0], [Limit("max", 100.0)], "a note")
    assert (figure.verdict(), figure.note) == ("missed", "RssAnon + RssFile; a note")
    assert memory_figure("it", [90.0, float("nan")], [80.0], [Limit("max", 100.0)]).verdict() == "not run"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_has_help(name):
    done = subprocess.run(
        [sys.executable, "-m", "bench", name, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout
