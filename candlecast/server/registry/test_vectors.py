"""Golden rows: raw windows with the outputs that a version must give, and a calibrated pair at its end.

By every road that this server allows.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from candlecast.core.errors import ArtifactDamaged, GoldenRowsFailed
from candlecast.core.feature_names import FEATURES, VOLATILITY_30M
from candlecast.core.forecast import Ensemble
from candlecast.core.models import Model, parse_facts
from candlecast.core.returns import scale_of
from candlecast.core.settings import Settings, torchscript_allowed
from candlecast.core.windows import HORIZONS, SEQUENCE_LENGTH
from candlecast.server.ensemble_row import EnsembleRow
from candlecast.server.ensembles import (
    artifact_reader,
    choose_runtime,
    join_models,
    load_calibration,
    load_lgbm_version,
)
from candlecast.server.loaders import load_mamba
from candlecast.server.session import Session

#: The largest difference, in scaled returns and in probabilities, that a runtime may have from the trainer's output.
TOLERANCE = 1e-5
#: What a pair's golden rows give for their windows: log returns, and probabilities.
PAIR_OUTPUTS = ("predicted_close", "probability_up", "lower", "upper")

_FACTS = "select model_type, version, facts::text as facts from public.model_versions where id = $1"
_GOLDEN = "select golden::text as golden from public.active_ensembles where id = $1"


def check_golden_rows(session: Session, row: EnsembleRow, settings: Settings) -> None:
    """Load both versions of an ensemble afresh and hold them to their golden rows.

    Mamba by the runtime that the settings choose, and by the other one too where its file is there and it is allowed;
    a calibrated pair from the same windows to its probabilities and intervals, with each. Raises what loading raises,
    and GoldenRowsFailed.
    """
    lgbm = load_lgbm_version(session, row.lgbm_version_id)
    calibration = load_calibration(session, row)
    mamba_facts = session.rows(_FACTS, ["bigint"], [row.mamba_version_id])[0]
    read = artifact_reader(session, row.mamba_version_id)
    for runtime in _runtimes(row.mamba_files, settings):
        mamba = load_mamba(read, runtime, settings.device if runtime == "torchscript" else "cpu")
        _check(mamba, mamba_facts)
        if calibration is not None:
            golden = session.rows(_GOLDEN, ["bigint"], [row.id])[0]["golden"]
            _check_pair(join_models(row, mamba, lgbm, calibration, settings), golden)
    _check(lgbm, session.rows(_FACTS, ["bigint"], [row.lgbm_version_id])[0])


def pair_rows(golden: str, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Windows (n, 60, features) and, by name, the outputs (n, 5) of a pair's golden rows. Raises ArtifactDamaged."""
    try:
        document = json.loads(golden)
    except RecursionError:
        raise ArtifactDamaged(name=name, reason="it is nested too deeply") from None
    windows = _array(document, "windows", (SEQUENCE_LENGTH, len(FEATURES)), name)
    outputs = {key: _array(document, key, (len(HORIZONS),), name) for key in PAIR_OUTPUTS}
    if not len(windows) or any(len(values) != len(windows) for values in outputs.values()):
        raise ArtifactDamaged(name=name, reason="it has no windows, or not as many outputs")
    return windows, outputs


def _runtimes(files: str, settings: Settings) -> list[str]:
    runtimes = {choose_runtime(settings, files)}
    if "mamba.onnx" in files:
        runtimes.add("onnx")
    if "mamba.pt" in files and torchscript_allowed():
        runtimes.add("torchscript")
    return sorted(runtimes)


def _check(model: Model, version: Any) -> None:
    golden = parse_facts(version["facts"].encode()).get("golden") or {}
    what = f"{version['model_type']} version {version['version']}"
    windows = _array(golden, "windows", (SEQUENCE_LENGTH, len(FEATURES)), f"the golden rows of {what}")
    expected = _array(golden, "scaled_returns", (len(HORIZONS),), f"the golden rows of {what}")
    if not len(windows) or len(windows) != len(expected):
        raise ArtifactDamaged(name=f"the golden rows of {what}", reason="there are none, or not as many outputs")
    _compare(what, model.runtime, {"scaled_returns": np.abs(model.scaled_returns(windows) - expected)})


def _check_pair(ensemble: Ensemble, golden: str) -> None:
    what = f"ensemble {ensemble.id}"
    windows, expected = pair_rows(golden, f"the golden rows of {what}")
    forecast = ensemble.forecast(windows)
    assert forecast.calibrated is not None, "only calibrated pairs have golden rows of their own"
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
    _compare(what, ensemble.mamba.runtime, differences)


def _compare(what: str, runtime: str, differences: Mapping[str, np.ndarray]) -> None:
    for name, values in differences.items():
        if not values.max() <= TOLERANCE:
            raise GoldenRowsFailed(
                f"{name} is off; at most {TOLERANCE:g} is allowed, in scaled returns or in probability.",
                what=what,
                runtime=runtime,
                difference=f"{values.max():.3g}",
            )


def _array(document: Any, key: str, shape: tuple[int, ...], name: str) -> np.ndarray:
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
