"""Versions on disk, ``models/<type>/<version>/``: written atomically, checksum-verified when read.

``facts.json`` describes a version: features, training window, parameters, metrics, library versions, the sha256 of
every other file, and test vectors (raw windows with their expected outputs).
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np

from candlecast.core.calibration import Calibration
from candlecast.core.errors import CandlecastUserError
from candlecast.core.feature_names import FEATURES, VOLATILITY_30M
from candlecast.core.forecast import Ensemble
from candlecast.core.model import Model
from candlecast.core.text import shorten
from candlecast.trainer.data.dataset import Dataset
from candlecast.trainer.data.splits import Split

FACTS = "facts.json"
CALIBRATION = "calibration.json"
#: Folders under models/.
MODEL_TYPES = ("mamba", "lgbm", "ensemble")
FORMAT = 1
_TIMES = ("trained_at", "training_from", "training_to")
LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxmltools", "onnxruntime", "scikit-learn", "scipy", "torch")


def new_version(models: Path, now: datetime | None = None) -> str:
    """A name that no type uses yet: a UTC time like 20261122T170312Z, with -2, -3 ... if it is taken."""
    stem = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    name, number = stem, 1
    while any((models / model_type / name).exists() for model_type in MODEL_TYPES):
        number += 1
        name = f"{stem}-{number}"
    return name


def write_version(
    models: Path, model_type: str, version: str, files: Mapping[str, bytes], facts: Mapping[str, Any]
) -> Path:
    """Write files, and facts with the files' sha256, to ``models/<model_type>/<version>``. Returns that folder.

    Everything is written to a temporary folder and renamed, so an interrupted run leaves no partial version.
    """
    parent = models / model_type
    parent.mkdir(parents=True, exist_ok=True)
    document = dict(facts) | {"files": {name: sha256(content).hexdigest() for name, content in files.items()}}
    partial = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=parent))
    try:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        (partial / FACTS).write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
        partial.chmod(0o755)
        return partial.rename(parent / version)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read_version(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(facts, bytes by name, facts.json included) of a version. Raises CandlecastUserError.

    The error names the file, and the missing or invalid field of facts.json or the wrong sha256.
    """
    again = "Name a folder that `candlecast train` wrote, or train again."
    try:
        source = (folder / FACTS).read_bytes()
        facts = json.loads(source.decode(), parse_constant=_refuse_constant)
    except OSError as error:
        raise CandlecastUserError(f"{folder / FACTS} cannot be read: {error.strerror}", again) from None
    except (ValueError, RecursionError) as error:
        raise CandlecastUserError(f"{folder / FACTS} is not JSON: {error}", again) from None
    if fault := _fault(facts):
        raise CandlecastUserError(f"{folder / FACTS} does not describe a version: {fault}", again)
    files = {FACTS: source}
    for name, expected in facts["files"].items():
        path = folder / name
        if path.parent != folder:
            raise CandlecastUserError(f"{folder / FACTS} names a file outside its folder: {name!r}", again)
        try:
            files[name] = path.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: not a valid file name
            raise CandlecastUserError(f"{path} cannot be read: {getattr(error, 'strerror', error)}", again) from None
        if sha256(files[name]).hexdigest() != expected:
            raise CandlecastUserError(f"{path} does not match its sha256 in {FACTS}", again)
    return facts, files


def read_ensemble(folder: Path) -> tuple[dict[str, Any], dict[str, bytes], Path, Path]:
    """(facts, bytes by name, Mamba's folder, LightGBM's folder) of ``models/ensemble/<version>``.

    Checks that both versions are in the same models folder and unchanged. Raises CandlecastUserError.
    """
    facts, files = read_version(folder)
    if facts["model_type"] != "ensemble":
        raise CandlecastUserError(
            f"{folder} holds a version of type {facts['model_type']!r}, not an ensemble",
            "Name a folder under models/ensemble.",
        )
    return facts, files, _find_joined(folder, facts, "mamba"), _find_joined(folder, facts, "lgbm")


def _find_joined(folder: Path, facts: dict[str, Any], model_type: str) -> Path:
    named = facts.get(model_type)
    if not isinstance(named, dict) or not isinstance(named.get("version"), str):
        raise CandlecastUserError(f"{folder / FACTS} does not name a {model_type} version", "Train again.")
    version = folder.resolve().parent.parent / model_type / named["version"]
    if version.name != named["version"] or not version.is_dir():
        raise CandlecastUserError(
            f"{folder} needs the {model_type} version {named['version']}, which is not at {version}",
            "Keep models/mamba, models/lgbm and models/ensemble together, or train again.",
        )
    if reference(version) != named:
        raise CandlecastUserError(
            f"{version} has changed since {folder} was fitted with it: its facts.json differs", "Train again."
        )
    return version


def _fault(facts: Any) -> str | None:
    """The first invalid field of a parsed facts.json, or None. The database checks the fields of each model type."""
    if not isinstance(facts, dict):
        return "it is not a JSON object"
    for name in ("model_type", "version", "symbol", *_TIMES):
        if name not in facts:
            return f"it has no {name}"
        if not isinstance(facts[name], str) or not facts[name].strip():
            return f"{name} is {shorten(facts[name])}, not a string"
    for name in _TIMES:
        try:
            datetime.fromisoformat(facts[name])
        except ValueError:
            return f"{name} is {shorten(facts[name])}, not an ISO 8601 time"
    for name in ("accuracy_1m", "rmse"):
        if isinstance(facts.get(name), bool) or not isinstance(facts.get(name), int | float | None):
            return f"{name} is {shorten(facts[name])}, not a number"
    files = facts.get("files")
    if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
        return f"files is {shorten(files)}, not an object with the sha256 of each file"
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def choose_vector_windows(dataset: Dataset, candidates: np.ndarray) -> np.ndarray:
    """Raw windows (up to 4, 60, features): the newest, the lowest and highest volatility, and the largest last return.

    ``candidates`` are positions into ``dataset.ends``.
    """
    last = dataset.features[dataset.ends[candidates]]
    volatility, move = last[:, VOLATILITY_30M], np.abs(last[:, FEATURES.index("log_return_1m")])
    picks = (len(candidates) - 1, volatility.argmin(), volatility.argmax(), move.argmax())
    return dataset.windows(candidates[np.unique(picks)])


def make_test_vectors(windows: np.ndarray, scaled_returns: np.ndarray) -> dict[str, Any]:
    """A version's test vectors in the format of facts.json. JSON preserves float64 exactly."""
    return {"windows": windows.tolist(), "scaled_returns": scaled_returns.tolist()}


def make_ensemble_vectors(windows: np.ndarray, mamba: Model, lgbm: Model, calibration: Calibration) -> dict[str, Any]:
    """An ensemble's outputs for raw windows (n, 60, features): returns, probabilities and intervals, (n, 5) each."""
    forecast = Ensemble(None, calibration.mamba_weight, mamba, lgbm, calibration).forecast(windows)
    assert forecast.calibrated is not None
    return {
        "windows": windows.tolist(),
        "predicted_close": forecast.ensemble.tolist(),
        "probability_up": forecast.calibrated.probability_up.tolist(),
        "lower": forecast.calibrated.lower.tolist(),
        "upper": forecast.calibrated.upper.tolist(),
    }


def reference(folder: Path) -> dict[str, str]:
    """How an ensemble's facts refer to one of its versions: by name and by the sha256 of its facts."""
    return {"version": folder.name, "facts_sha256": sha256((folder / FACTS).read_bytes()).hexdigest()}


def library_versions(names: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Versions of the libraries that created the files."""
    return {name: library_version(name) for name in names}


def git_commit() -> str | None:
    """The git commit of the trainer's code, or None outside a clone."""
    command = ["git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def first_and_last_time(dataset: Dataset, rows: np.ndarray) -> tuple[str, str]:
    """First and last candle_time of rows (positions into ``dataset.ends``), as ISO times."""
    times = dataset.candle_time[rows]
    return iso(times[0]), iso(times[-1])


def describe_split(dataset: Dataset, split: Split) -> dict[str, dict[str, Any]]:
    """Each part's row count, first and last candle_time, in the format of facts.json."""
    parts = {}
    for name, rows in asdict(split).items():
        first, last = first_and_last_time(dataset, rows)
        parts[name] = {"rows": len(rows), "from": first, "to": last}
    return parts


def iso(epoch_seconds: float) -> str:
    """An ISO time in UTC, the format of facts.json."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat()
