"""Processes that benchmarks and tests start, and their memory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
#: The command `candlecast` with this interpreter.
CANDLECAST = (sys.executable, "-c", "from candlecast.cli.app import app; app()")


def run(url: str, *command: str) -> None:
    """Run a command with DATABASE_URL = ``url``. Its output goes to standard error."""
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)


def migrate(url: str) -> None:
    """Run `alembic upgrade head` on a database."""
    run(url, sys.executable, "-m", "alembic", "upgrade", "head")


@contextmanager
def served(url: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run `candlecast serve` on a free port. Yields its address and its process."""
    command = [*CANDLECAST, "serve", "--port", "0"]
    environment = os.environ | {"DATABASE_URL": url}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split()[2], psutil.Process(process.pid)
        finally:
            process.terminate()


def memory_of(pid: int) -> float:
    """RssAnon + RssFile of a process of this machine in MB (10^6 bytes); NaN if there is no such process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    values = dict(line.split(":", 1) for line in lines)
    name = values["Name"].strip()
    if name != "postgres" and not name.startswith("python"):
        return float("nan")
    return sum(int(values[part].split()[0]) for part in ("RssAnon", "RssFile")) * 1024 / 1e6
