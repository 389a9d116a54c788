"""Which ensemble a call uses, in its own snapshot, and its models, loaded once a session.

Models are cached by version and sha256, so a deploy is seen at the next call, and one that was rolled
back never.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from candlecast.errors import ArtifactDamaged
from candlecast.features import VOLATILITY_30M
from candlecast.lineage import check_features
from candlecast.models import Model, Reader, facts_from, load_lgbm, load_mamba, output_mapping
from candlecast.normalization import normalize
from candlecast.returns import unscale
from candlecast.session import Session
from candlecast.settings import ModelPaths, Settings

#: Columns that `loaded` needs of an ensemble, for queries with active_ensembles named `ensemble`.
ENSEMBLE_COLUMNS = """
    ensemble.id as ensemble_id,
    ensemble.symbol as ensemble_symbol,
    ensemble.feature_hash,
    ensemble.mamba_weight::float8 as mamba_weight,
    ensemble.mamba_version_id,
    ensemble.lgbm_version_id,
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


@dataclass(frozen=True)
class Forecast:
    """Log returns (batch, 5) of both models and of the ensemble, and their agreement in [0, 1]."""

    mamba: np.ndarray
    lgbm: np.ndarray
    ensemble: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """Two loaded models and their weight; ``id`` is None for files of the server's environment."""

    id: int | None
    mamba_weight: float
    mamba: Model
    lgbm: Model

    def forecast(self, windows: np.ndarray) -> Forecast:
        """Raw feature windows (batch, 60, features) float64 -> log returns for five horizons.

        ensemble = w * mamba + (1 - w) * lgbm; confidence = 1 - |m - l| / (|m| + |l|), 0 where both are 0.
        """
        volatility = windows[:, -1, VOLATILITY_30M]
        rows = normalize(windows, self.mamba.normalization)
        mamba = unscale(self.mamba.from_normalized(rows), volatility)
        if self.lgbm.normalization_source != self.mamba.normalization_source:
            rows = normalize(windows[:, -1:, :], self.lgbm.normalization)
        lgbm = unscale(self.lgbm.from_normalized(rows), volatility)
        total = np.abs(mamba) + np.abs(lgbm)
        apart = np.abs(mamba - lgbm) / np.where(total > 0, total, 1.0)
        return Forecast(
            mamba=mamba,
            lgbm=lgbm,
            ensemble=self.mamba_weight * mamba + (1.0 - self.mamba_weight) * lgbm,
            confidence=np.where(total > 0, np.clip(1.0 - apart, 0.0, 1.0), 0.0),
        )


def loaded(session: Session, row: Mapping, settings: Settings) -> Ensemble:
    """The ensemble of a row with ENSEMBLE_COLUMNS, its models from the cache or the database.

    Raises OtherFeatures, and what loading raises.
    """
    check_features(session, row)
    weight = row["mamba_weight"]
    mamba_id, lgbm_id = row["mamba_version_id"], row["lgbm_version_id"]
    runtime = mamba_runtime(settings, row["mamba_files"] or "")
    key: tuple[Any, ...] = (mamba_id, row["mamba_files"], runtime, settings.device)
    mamba = session.models.get(key) or session.keep(
        key, load_mamba(artifact_reader(session, mamba_id), runtime, settings.device)
    )
    key = (lgbm_id, row["lgbm_files"])
    lgbm = session.models.get(key)
    if lgbm is None:
        facts = facts_from(session.rows(_LGBM_OUTPUT, ["bigint"], [lgbm_id])[0]["facts"])
        lgbm = session.keep(key, load_lgbm(artifact_reader(session, lgbm_id), facts))
    return Ensemble(
        id=row["ensemble_id"],
        mamba_weight=settings.mamba_weight if weight is None else weight,
        mamba=mamba,
        lgbm=lgbm,
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


def from_environment(session: Session, paths: ModelPaths, settings: Settings) -> Ensemble:
    """The ensemble of the server's environment paths; files that change on disk are loaded anew."""
    folder = Path(paths.lgbm)
    try:
        files = [Path(paths.mamba), Path(paths.normalization), *sorted(folder.iterdir())]
        identity = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    except OSError as error:
        raise ArtifactDamaged(name=str(error.filename), reason=str(error.strerror)) from None
    runtime = "torchscript" if paths.mamba.endswith(".pt") else "onnx"
    key = (identity, runtime, settings.device)
    pair = session.models.get(key)
    if pair is None:
        named = {f"mamba.{'pt' if runtime == 'torchscript' else 'onnx'}": Path(paths.mamba)}

        def read(name: str) -> bytes | None:
            path = Path(paths.normalization) if name.startswith("normalization") else named.get(name, folder / name)
            try:
                return path.read_bytes()
            except OSError as error:
                raise ArtifactDamaged(name=str(path), reason=str(error.strerror)) from None

        facts = facts_from(read("facts.json") or b"", str(folder / "facts.json"))
        output_mapping(facts)
        pair = session.keep(key, (load_mamba(read, runtime, settings.device), load_lgbm(read, facts)))
    return Ensemble(id=None, mamba_weight=settings.mamba_weight, mamba=pair[0], lgbm=pair[1])
