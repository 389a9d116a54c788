"""The ensemble from file paths in the server's environment, used only where no ensemble is active."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from candlecast.core.errors import ArtifactDamaged, NoActiveEnsemble, SettingInvalid
from candlecast.core.forecast import Ensemble
from candlecast.core.model import parse_facts
from candlecast.core.settings import Settings
from candlecast.server.model_loader import load_lgbm, load_mamba
from candlecast.server.session import Session


@dataclass(frozen=True)
class ModelPaths:
    """Paths from the server's environment."""

    mamba: str
    lgbm: str
    normalization: str


def read_model_paths(environment: Mapping[str, str] = os.environ) -> ModelPaths | None:
    """The three paths, or None where the environment sets none of them."""
    names = ("ML_MAMBA_MODEL_PATH", "ML_LGBM_MODELS_DIR", "ML_NORM_PARAMS_PATH")
    values = [environment.get(name, "") for name in names]
    if not any(values):
        return None
    for name, value in zip(names, values, strict=True):
        if not Path(value).is_absolute():
            raise SettingInvalid(name=name, value=value, reason="set all three paths, each absolute, or none of them")
    return ModelPaths(*values)


def load_environment_models(session: Session, symbol: str, settings: Settings) -> Ensemble:
    """Both models, uncalibrated, with the weight of the setting mamba_weight. Files that change on disk are reloaded.

    Raises NoActiveEnsemble where the environment sets no paths, and the errors of loading.
    """
    paths = read_model_paths()
    if paths is None:
        raise NoActiveEnsemble(symbol=symbol)
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

        facts = parse_facts(read("facts.json") or b"", str(folder / "facts.json"))
        pair = session.keep(key, (load_mamba(read, runtime, settings.device), load_lgbm(read, facts)))
    return Ensemble(id=None, mamba_weight=settings.mamba_weight, mamba=pair[0], lgbm=pair[1])
