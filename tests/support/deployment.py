"""Writes generated candles into a database, registers small real models, creates and activates ensembles."""

import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

MINUTE = timedelta(minutes=1)
#: The candle_time of most tests: the last candle of `load_demo`.
NEWEST = datetime(2026, 5, 2, 11, 59, tzinfo=UTC)


def load_demo(db: psycopg.Connection, until: datetime = NEWEST + MINUTE, days: int = 1) -> int:
    """Generate DEMO candles; the newest one closes at `until`."""
    return db.execute("select generate_demo_candles(%s, %s)", (until, days)).fetchone()[0]


def readable_copies(artifacts: Any) -> tuple[Path, Path]:
    """Copies of the two folders that the server's user can read. Remove their parent after use."""
    parent = Path(tempfile.mkdtemp(prefix="candlecast-models-"))
    parent.chmod(0o755)
    return tuple(
        Path(shutil.copytree(folder, parent / kind)) for kind, folder in zip(("mamba", "lgbm"), artifacts, strict=True)
    )


def register(db: psycopg.Connection, folder: Path, **changes: Any) -> int:
    """Call register_model() with the files of a folder. `changes` replace arguments; `files` and `facts` are merged."""
    facts = json.loads((folder / "facts.json").read_text())
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "facts.json"}
    files |= changes.pop("files", {})
    files = {name: content for name, content in files.items() if content is not None}
    facts |= {"files": {name: sha256(content).hexdigest() for name, content in files.items()}}
    facts |= changes.pop("facts", {})
    values = {
        "model_type": facts["model_type"],
        "version": facts["version"],
        "symbol": facts["symbol"],
        "model_path": str(folder),
        "facts": Jsonb(facts),
        "names": list(files),
        "contents": list(files.values()),
    } | changes
    return db.execute(
        "select register_model(%(model_type)s, %(version)s, %(symbol)s, %(model_path)s, %(facts)s,"
        " %(names)s, %(contents)s)",
        values,
    ).fetchone()[0]


def create(db: psycopg.Connection, artifacts: Any, weight: float | None = 0.5, *, is_test: bool = False) -> int:
    """Create an ensemble of the two folders, not active."""
    mamba, lgbm = (register(db, Path(folder)) for folder in artifacts)
    query = "select create_ensemble(%s, %s, %s, %s)"
    return db.execute(query, (mamba, lgbm, weight, is_test)).fetchone()[0]


def deploy(db: psycopg.Connection, artifacts: Any, weight: float | None = 0.5) -> int:
    """Create and activate an ensemble of the two folders."""
    ensemble_id = create(db, artifacts, weight)
    db.execute("select activate_ensemble(%s)", (ensemble_id,))
    return ensemble_id


def ensemble_of(artifacts: Any) -> tuple[str, dict[str, Any]]:
    """calibration.json (text) and facts.json of the ensemble that was exported with these two folders."""
    folder = Path(artifacts[0]).parents[1] / "ensemble" / Path(artifacts[0]).name
    return (folder / "calibration.json").read_text(), json.loads((folder / "facts.json").read_text())


def create_calibrated(db: psycopg.Connection, artifacts: Any, **changes: Any) -> int:
    """Create an ensemble with its exported calibration, not active. `changes` replace arguments."""
    calibration, facts = ensemble_of(artifacts)
    values = {
        "mamba_version_id": register(db, Path(artifacts[0])),
        "lgbm_version_id": register(db, Path(artifacts[1])),
        "mamba_weight": facts["mamba_weight"],
        "calibration": calibration,
        "golden": Jsonb(facts["golden"]),
    } | changes
    arguments = ", ".join(f"{name} => %({name})s" for name in values)
    return db.execute(f"select create_ensemble({arguments})", values).fetchone()[0]


def deploy_calibrated(db: psycopg.Connection, artifacts: Any, **changes: Any) -> int:
    """Create and activate an ensemble with its exported calibration."""
    ensemble_id = create_calibrated(db, artifacts, **changes)
    db.execute("select activate_ensemble(%s)", (ensemble_id,))
    return ensemble_id


def in_backend(db: psycopg.Connection, python: str) -> None:
    """Run Python in the backend of this connection."""
    db.execute(f"do language plpython3u $python${python}$python$")


def forget_models(db: psycopg.Connection) -> None:
    """Clear the model cache of this backend."""
    in_backend(db, "GD.pop('candlecast', None)")
