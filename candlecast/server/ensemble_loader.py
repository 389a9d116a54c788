"""Loads the models of an ensemble, once per session.

Models are cached by version and sha256. So a session uses a new active ensemble at its next call, and never one whose
activation was rolled back.
"""

from hashlib import sha256
from typing import Any

from candlecast.core.calibration import Calibration, parse_calibration
from candlecast.core.errors import ArtifactDamaged, CalibrationInvalid
from candlecast.core.forecast import Ensemble
from candlecast.core.model import Model, Reader, parse_facts
from candlecast.core.settings import Settings
from candlecast.server.ensemble_row import EnsembleRow
from candlecast.server.feature_check import check_features
from candlecast.server.model_loader import load_lgbm, load_mamba
from candlecast.server.session import Session

_ARTIFACT = "select sha256, content from public.model_artifacts where model_version_id = $1 and name = $2"
_LGBM_OUTPUT = """
select jsonb_build_object('lgbm_output', facts -> 'lgbm_output')::text as facts
from public.model_versions where id = $1"""
_CALIBRATION = "select calibration from public.active_ensembles where id = $1"


def load_ensemble(session: Session, row: EnsembleRow, settings: Settings) -> Ensemble:
    """The ensemble of a row, with models from the cache or the database.

    Raises OtherFeatures and the errors of loading: ArtifactDamaged, ArtifactRefused, CalibrationInvalid,
    RuntimeMissing, TorchScriptNotAllowed.
    """
    check_features(session, row)
    runtime = choose_runtime(settings, row.mamba_files)
    key: tuple[Any, ...] = (row.mamba_version_id, row.mamba_files, runtime, settings.device)
    mamba = session.models.get(key) or session.keep(
        key, load_mamba(artifact_reader(session, row.mamba_version_id), runtime, settings.device)
    )
    key = (row.lgbm_version_id, row.lgbm_files)
    lgbm = session.models.get(key) or session.keep(key, load_lgbm_version(session, row.lgbm_version_id))
    calibration = None
    if row.calibration_sha256 is not None:
        key = (row.id, row.calibration_sha256, row.mamba_weight)
        calibration = session.models.get(key) or session.keep(key, load_calibration(session, row))
    return join_models(row, mamba, lgbm, calibration, settings)


def join_models(
    row: EnsembleRow, mamba: Model, lgbm: Model, calibration: Calibration | None, settings: Settings
) -> Ensemble:
    """The ensemble of loaded parts, with the weight of its row, else of the setting."""
    weight = settings.mamba_weight if row.mamba_weight is None else row.mamba_weight
    return Ensemble(row.id, weight, mamba, lgbm, calibration)


def load_lgbm_version(session: Session, version_id: int) -> Model:
    """The five graphs of a version, with the output mapping of its facts."""
    facts = parse_facts(session.rows(_LGBM_OUTPUT, ["bigint"], [version_id])[0]["facts"])
    return load_lgbm(artifact_reader(session, version_id), facts)


def load_calibration(session: Session, row: EnsembleRow) -> Calibration | None:
    """The calibration of an ensemble, checksum-verified and checked against the row's weight; None without one."""
    if row.calibration_sha256 is None:
        return None
    name = f"the calibration of ensemble {row.id}"
    content = session.rows(_CALIBRATION, ["bigint"], [row.id])[0]["calibration"]
    if sha256(content.encode()).hexdigest() != row.calibration_sha256:
        raise ArtifactDamaged(
            f"The damaged text is active_ensembles.calibration, id {row.id}, symbol {row.symbol}.",
            name=name,
            reason="its text does not match its sha256",
        )
    calibration = parse_calibration(content)
    check_weight(calibration, row.mamba_weight)
    return calibration


def check_weight(calibration: Calibration, mamba_weight: float | None) -> None:
    """Raise CalibrationInvalid where it was fitted for another weight: its probabilities would be wrong."""
    if calibration.mamba_weight != mamba_weight:
        raise CalibrationInvalid(
            reason=f"it was fitted for mamba_weight {calibration.mamba_weight}, and the ensemble's is {mamba_weight}"
        )


def choose_runtime(settings: Settings, files: str) -> str:
    """The runtime of Mamba, onnx or torchscript. auto is TorchScript on cuda or where there is no ONNX file."""
    if settings.mamba_runtime != "auto":
        return settings.mamba_runtime
    return "torchscript" if settings.device == "cuda" or "mamba.onnx" not in files else "onnx"


def artifact_reader(session: Session, version_id: int) -> Reader:
    """A reader of a version's files in model_artifacts; each is checksum-verified."""

    def read(name: str) -> bytes | None:
        rows = session.rows(_ARTIFACT, ["bigint", "text"], [version_id, name])
        if not len(rows):
            return None
        content = rows[0]["content"]
        if sha256(content).hexdigest() != rows[0]["sha256"]:
            raise ArtifactDamaged(
                f"The damaged bytes are in model_artifacts.content, model_version_id {version_id}.",
                name=f"{name} of version id {version_id}",
                reason="its bytes do not match their sha256",
            )
        return content

    return read
