"""Retrains small models on five days of DEMO, in this process or in one that a test can kill.

python -m tests.support.retraining URL MODELS SYMBOL...     `candlecast retrain`, with models that train in seconds
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psycopg

from candlecast.trainer.models.artifacts import MODEL_TYPES, read_version
from candlecast.trainer.retrain import RetrainOptions, retrain
from tests.support.artifacts import small_options
from tests.support.paths import ROOT


def small(models: Path, **changes: object) -> RetrainOptions:
    """Options: five days, one of them for the gate, candles of any age."""
    options = RetrainOptions(models, window_days=5, test_days=1, max_candle_age_hours=1e6, training=small_options())
    return replace(options, **changes)


def start(url: str, models: Path, *before: str) -> subprocess.Popen[str]:
    """Start the retraining as a process. ``before`` is a command that runs it."""
    command = [*before, sys.executable, "-m", "tests.support.retraining", url, str(models), "DEMO"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read standard error until a line contains the words."""
    read = []
    for line in process.stderr:
        read.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended before {words!r}:\n{''.join(read)}")


def runs(db: psycopg.Connection) -> list[tuple[str, str, str | None]]:
    """(symbol, status, reason) of all training runs, oldest first."""
    return db.execute("select symbol, status, reason from training_runs order by id").fetchall()


def whole_versions(models: Path) -> list[str]:
    """type/version of every version folder. Raises an error if one is incomplete."""
    folders = [folder for kind in MODEL_TYPES for folder in sorted((models / kind).glob("[!.]*"))]
    for folder in folders:
        read_version(folder)
    return [f"{folder.parent.name}/{folder.name}" for folder in folders]


if __name__ == "__main__":
    sys.exit(retrain(sys.argv[3:], small(Path(sys.argv[2])), sys.argv[1]))
