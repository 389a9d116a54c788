"""The processes that benchmarks and tests start as users do, and what a process holds and costs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
#: `candlecast` as this interpreter's process.
CANDLECAST = (sys.executable, "-c", "from candlecast.cli.app import app; app()")


def run(url: str, *command: str) -> None:
    """Run a command on that database; its output goes to standard error."""
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)


def migrate(url: str) -> None:
    """`alembic upgrade head` on that database."""
    run(url, sys.executable, "-m", "alembic", "upgrade", "head")


@contextmanager
def served(url: str) -> Iterator[tuple[str, psutil.Process]]:
    """`candlecast serve` on a free port: its address and its process."""
    command = [*CANDLECAST, "serve", "--port", "0"]
    environment = os.environ | {"DATABASE_URL": url}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split()[2], psutil.Process(process.pid)
        finally:
            process.terminate()


def memory_of(pid: int) -> float:
    """RssAnon + RssFile of a process of this machine in MB (10^6 bytes); not a number where there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    values = dict(line.split(":", 1) for line in lines)
    name = values["Name"].strip()
    if name != "postgres" and not name.startswith("python"):
        return float("nan")
    return sum(int(values[part].split()[0]) for part in ("RssAnon", "RssFile")) * 1024 / 1e6
