"""Golden rows: raw windows with the outputs that a version must give, by every road that this server allows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from candlecast.ensembles import artifact_reader, mamba_runtime
from candlecast.errors import ArtifactDamaged, GoldenRowsFailed
from candlecast.features import FEATURES, HORIZONS, SEQUENCE_LENGTH
from candlecast.models import Model, facts_from, load_lgbm, load_mamba
from candlecast.session import Session
from candlecast.settings import Settings, torchscript_allowed

#: The largest difference, in scaled returns, that a runtime may have from the trainer's output.
TOLERANCE = 1e-5

_FACTS = "select model_type, version, facts::text as facts from public.model_versions where id = $1"


def check_golden_rows(session: Session, row: Mapping, settings: Settings) -> None:
    """Load both versions of an ensemble (a row with ENSEMBLE_COLUMNS) afresh and hold them to their golden rows.

    Mamba by the runtime that the settings choose, and by the other one too where its file is there and it is allowed.
    Raises what loading raises, and GoldenRowsFailed.
    """
    version_id, files = row["mamba_version_id"], row["mamba_files"] or ""
    read = artifact_reader(session, version_id)
    runtimes = {mamba_runtime(settings, files)}
    if "mamba.onnx" in files:
        runtimes.add("onnx")
    if "mamba.pt" in files and torchscript_allowed():
        runtimes.add("torchscript")
    version = session.rows(_FACTS, ["bigint"], [version_id])[0]
    for runtime in sorted(runtimes):
        device = settings.device if runtime == "torchscript" else "cpu"
        _check(load_mamba(read, runtime, device), version)
    version_id = row["lgbm_version_id"]
    version = session.rows(_FACTS, ["bigint"], [version_id])[0]
    _check(load_lgbm(artifact_reader(session, version_id), facts_from(version["facts"].encode())), version)


def _check(model: Model, version: Any) -> None:
    golden = facts_from(version["facts"].encode()).get("golden") or {}
    name = f"the golden rows of {version['model_type']} version {version['version']}"
    try:
        windows = np.array(golden["windows"], dtype=np.float64)
        expected = np.array(golden["scaled_returns"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactDamaged(name=name, reason=repr(error)) from None
    shapes = (len(expected), SEQUENCE_LENGTH, len(FEATURES)), (len(windows), len(HORIZONS))
    if not len(windows) or (windows.shape, expected.shape) != shapes:
        raise ArtifactDamaged(name=name, reason=f"their shapes are {windows.shape} and {expected.shape}")
    difference = float(np.abs(model.scaled_returns(windows) - expected).max())
    if not difference <= TOLERANCE:
        raise GoldenRowsFailed(
            f"At most {TOLERANCE:g} in scaled returns is allowed.",
            model_type=version["model_type"],
            version=version["version"],
            runtime=model.runtime,
            difference=f"{difference:.3g}",
        )
