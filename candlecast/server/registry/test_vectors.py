"""Test vectors: raw windows with the outputs that a version, or a calibrated pair, must return for them.

They are run before an ensemble is activated, with every runtime that this server allows. The vectors of a version are
the key `golden` of its facts; those of a pair are the column `golden` of active_ensembles.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from candlecast.core.errors import ArtifactDamaged, TestVectorsFailed
from candlecast.core.feature_names import FEATURES, VOLATILITY_30M
from candlecast.core.forecast import Ensemble
from candlecast.core.model import Model, parse_facts
from candlecast.core.returns import scale_of
from candlecast.core.settings import Settings, is_torchscript_allowed
from candlecast.core.windows import HORIZONS, SEQUENCE_LENGTH
from candlecast.server.ensemble_loader import (
    artifact_reader,
    choose_runtime,
    join_models,
    load_calibration,
    load_lgbm_version,
)
from candlecast.server.ensemble_row import EnsembleRow
from candlecast.server.model_loader import load_mamba
from candlecast.server.session import Session

#: The largest allowed difference from the trainer's output, in scaled returns and in probabilities.
TOLERANCE = 1e-5
#: The outputs in the test vectors of a pair: log returns and probabilities.
PAIR_OUTPUTS = ("predicted_close", "probability_up", "lower", "upper")

_FACTS = "select model_type, version, facts::text as facts from public.model_versions where id = $1"
_PAIR_VECTORS = "select golden::text as vectors from public.active_ensembles where id = $1"


def check_test_vectors(session: Session, row: EnsembleRow, settings: Settings) -> None:
    """Load both versions of an ensemble, without the cache, and compare them with their test vectors.

    Mamba runs with the runtime of the settings, and also with the other one if it has a file and is allowed. With each,
    the probabilities and intervals of a calibrated pair are compared too. Raises TestVectorsFailed and the errors of
    loading.
    """
    lgbm = load_lgbm_version(session, row.lgbm_version_id)
    calibration = load_calibration(session, row)
    mamba_facts = session.rows(_FACTS, ["bigint"], [row.mamba_version_id])[0]
    read = artifact_reader(session, row.mamba_version_id)
    for runtime in _list_runtimes(row.mamba_files, settings):
        mamba = load_mamba(read, runtime, settings.device if runtime == "torchscript" else "cpu")
        _check_version(mamba, mamba_facts)
        if calibration is not None:
            vectors = session.rows(_PAIR_VECTORS, ["bigint"], [row.id])[0]["vectors"]
            _check_pair(join_models(row, mamba, lgbm, calibration, settings), vectors)
    _check_version(lgbm, session.rows(_FACTS, ["bigint"], [row.lgbm_version_id])[0])


def parse_pair_vectors(text: str, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Windows (n, 60, features) and, by name, the outputs (n, 5) of a pair's test vectors. Raises ArtifactDamaged."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ArtifactDamaged(name=name, reason="it is nested too deeply") from None
    windows = _read_array(document, "windows", (SEQUENCE_LENGTH, len(FEATURES)), name)
    outputs = {key: _read_array(document, key, (len(HORIZONS),), name) for key in PAIR_OUTPUTS}
    if not len(windows) or any(len(values) != len(windows) for values in outputs.values()):
        raise ArtifactDamaged(name=name, reason="it has no windows, or another number of outputs")
    return windows, outputs


def _list_runtimes(files: str, settings: Settings) -> list[str]:
    runtimes = {choose_runtime(settings, files)}
    if "mamba.onnx" in files:
        runtimes.add("onnx")
    if "mamba.pt" in files and is_torchscript_allowed():
        runtimes.add("torchscript")
    return sorted(runtimes)


def _check_version(model: Model, version: Any) -> None:
    what = f"{version['model_type']} version {version['version']}"
    name = f"the test vectors of {what}"
    vectors = parse_facts(version["facts"].encode()).get("golden") or {}
    windows = _read_array(vectors, "windows", (SEQUENCE_LENGTH, len(FEATURES)), name)
    expected = _read_array(vectors, "scaled_returns", (len(HORIZONS),), name)
    if not len(windows) or len(windows) != len(expected):
        raise ArtifactDamaged(name=name, reason="there are no windows, or another number of outputs")
    _require_close(what, model.runtime, {"scaled_returns": np.abs(model.scaled_returns(windows) - expected)})


def _check_pair(ensemble: Ensemble, vectors: str) -> None:
    what = f"ensemble {ensemble.id}"
    windows, expected = parse_pair_vectors(vectors, f"the test vectors of {what}")
    forecast = ensemble.forecast(windows)
    assert forecast.calibrated is not None, "only calibrated pairs have test vectors of their own"
    given = (
        forecast.ensemble,
        forecast.calibrated.probability_up,
        forecast.calibrated.lower,
        forecast.calibrated.upper,
    )
    scale = scale_of(windows[:, -1, VOLATILITY_30M])
    differences = {
        name: np.abs(values - expected[name]) / (1.0 if name == "probability_up" else scale)
        for name, values in zip(PAIR_OUTPUTS, given, strict=True)
    }
    _require_close(what, ensemble.mamba.runtime, differences)


def _require_close(what: str, runtime: str, differences: Mapping[str, np.ndarray]) -> None:
    for name, values in differences.items():
        if not values.max() <= TOLERANCE:
            raise TestVectorsFailed(
                f"{name} differs by more than {TOLERANCE:g}, in scaled returns or in probability.",
                what=what,
                runtime=runtime,
                difference=f"{values.max():.3g}",
            )


def _read_array(document: Any, key: str, shape: tuple[int, ...], name: str) -> np.ndarray:
    """document[key] as float64 (n, *shape). Raises ArtifactDamaged."""
    try:
        values = np.array(document[key], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactDamaged(name=name, reason=repr(error)) from None
    if values.shape[1:] != shape:
        raise ArtifactDamaged(
            name=name, reason=f"{key} has the shape {values.shape}, not (n, {', '.join(map(str, shape))})"
        )
    return values
