"""Which ensemble a call uses, in its own snapshot, and its models, loaded once a session.

Models are cached by version and sha256, so a deploy is seen at the next call, and one that was rolled
back never.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from candlecast.core.calibration import Calibration, parse
from candlecast.core.errors import ArtifactDamaged, CalibrationInvalid
from candlecast.core.forecast import Ensemble
from candlecast.core.models import Model, Reader, facts_from
from candlecast.core.settings import Settings
from candlecast.server.feature_check import check_features
from candlecast.server.loaders import load_lgbm, load_mamba
from candlecast.server.session import Session

#: Columns that `loaded` needs of an ensemble, for queries with active_ensembles named `ensemble`; trained_at is of the
#: older version, epoch seconds.
ENSEMBLE_COLUMNS = """
    ensemble.id as ensemble_id,
    ensemble.symbol as ensemble_symbol,
    ensemble.feature_hash,
    ensemble.mamba_weight::float8 as mamba_weight,
    ensemble.mamba_version_id,
    ensemble.lgbm_version_id,
    ensemble.calibration_sha256,
    (
        select extract(epoch from min(trained_at))::float8 from public.model_versions
        where id in (ensemble.mamba_version_id, ensemble.lgbm_version_id)
    ) as trained_at,
    (
        select string_agg(name || '=' || sha256, ' ' order by name)
        from public.model_artifacts where model_version_id = ensemble.mamba_version_id
    ) as mamba_files,
    (
        select string_agg(name || '=' || sha256, ' ' order by name)
        from public.model_artifacts where model_version_id = ensemble.lgbm_version_id
    ) as lgbm_files"""

_ARTIFACT = "select sha256, content from public.model_artifacts where model_version_id = $1 and name = $2"
_LGBM_OUTPUT = """
select jsonb_build_object('lgbm_output', facts -> 'lgbm_output')::text as facts
from public.model_versions where id = $1"""
_CALIBRATION = "select calibration from public.active_ensembles where id = $1"


def loaded(session: Session, row: Mapping, settings: Settings) -> Ensemble:
    """The ensemble of a row with ENSEMBLE_COLUMNS, its models from the cache or the database.

    Raises OtherFeatures, and what loading raises.
    """
    check_features(session, row)
    mamba_id, lgbm_id = row["mamba_version_id"], row["lgbm_version_id"]
    runtime = mamba_runtime(settings, row["mamba_files"] or "")
    key: tuple[Any, ...] = (mamba_id, row["mamba_files"], runtime, settings.device)
    mamba = session.models.get(key) or session.keep(
        key, load_mamba(artifact_reader(session, mamba_id), runtime, settings.device)
    )
    key = (lgbm_id, row["lgbm_files"])
    lgbm = session.models.get(key) or session.keep(key, load_lgbm_version(session, lgbm_id))
    calibration = None
    if row["calibration_sha256"] is not None:
        key = (row["ensemble_id"], row["calibration_sha256"], row["mamba_weight"])
        calibration = session.models.get(key) or session.keep(key, calibration_of(session, row))
    return joined(row, mamba, lgbm, calibration, settings)


def joined(row: Mapping, mamba: Model, lgbm: Model, calibration: Calibration | None, settings: Settings) -> Ensemble:
    """The ensemble of loaded parts: its row's weight, else the setting's."""
    weight = row["mamba_weight"]
    weight = settings.mamba_weight if weight is None else weight
    return Ensemble(row["ensemble_id"], weight, mamba, lgbm, calibration)


def load_lgbm_version(session: Session, version_id: int) -> Model:
    """The five graphs of a version, and what its facts say of their outputs."""
    facts = facts_from(session.rows(_LGBM_OUTPUT, ["bigint"], [version_id])[0]["facts"])
    return load_lgbm(artifact_reader(session, version_id), facts)


def calibration_of(session: Session, row: Mapping) -> Calibration | None:
    """The calibration of a row with ENSEMBLE_COLUMNS, held to its sha256 and to the row's weight; None without one."""
    if row["calibration_sha256"] is None:
        return None
    name = f"the calibration of ensemble {row['ensemble_id']}"
    content = session.rows(_CALIBRATION, ["bigint"], [row["ensemble_id"]])[0]["calibration"]
    if sha256(content.encode()).hexdigest() != row["calibration_sha256"]:
        raise ArtifactDamaged(
            f"active_ensembles.calibration of {row['ensemble_symbol']} does not have its sha256.",
            name=name,
            reason="its text does not match its sha256",
        )
    calibration = parse(content)
    check_weight(calibration, row["mamba_weight"])
    return calibration


def check_weight(calibration: Calibration, mamba_weight: float | None) -> None:
    """Raise CalibrationInvalid where it was fitted for another weight: its probabilities would be another pair's."""
    if calibration.mamba_weight != mamba_weight:
        raise CalibrationInvalid(
            reason=f"it was fitted for mamba_weight {calibration.mamba_weight}, and the ensemble's is {mamba_weight}"
        )


def mamba_runtime(settings: Settings, files: str) -> str:
    """Either onnx or torchscript: what the setting says; auto is TorchScript on cuda or without an ONNX twin."""
    if settings.mamba_runtime != "auto":
        return settings.mamba_runtime
    return "torchscript" if settings.device == "cuda" or "mamba.onnx" not in files else "onnx"


def artifact_reader(session: Session, version_id: int) -> Reader:
    """Reads a version's files from model_artifacts, each held to its sha256."""

    def read(name: str) -> bytes | None:
        rows = session.rows(_ARTIFACT, ["bigint", "text"], [version_id, name])
        if not len(rows):
            return None
        content = rows[0]["content"]
        if sha256(content).hexdigest() != rows[0]["sha256"]:
            raise ArtifactDamaged(
                f"model_artifacts.content of version id {version_id} does not have its sha256.",
                name=f"{name} of version id {version_id}",
                reason="its bytes do not match their sha256",
            )
        return content

    return read
