"""More PostgreSQL clusters for a test run, and the commands of docs/how-to run on them.

Each is marked as scripts/cluster.sh marks throw-away clusters: the next `make test` removes what a killed run leaves.
"""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.paths import ROOT

SOCKETS = "/var/run/postgresql"

LAUNCHER = "select pid from pg_stat_activity where backend_type = 'pg_cron launcher'"
#: The newest candle that is predicted from.
NEWEST = "select max(open_time) from candles_1m where open_time <= now() - interval '1 minute'"

#: Root does not need sudo, which may be missing.
_SUDO = """
set -Eeuo pipefail
if ((EUID == 0)); then
  sudo() { if [[ $1 == -u ]]; then local user=$2; shift 2; (cd / && runuser -u "$user" -- "$@"); else "$@"; fi; }
fi
"""


@dataclass(frozen=True)
class Cluster:
    """One cluster of this test run. Its names replace those in the documented commands."""

    name: str
    version: str
    port: int
    pythonpath: str

    @property
    def config(self) -> Path:
        return Path("/etc/postgresql") / self.version / self.name

    @property
    def data(self) -> Path:
        return Path("/var/lib/postgresql") / self.version / self.name

    def url(self, database: str = "candlecast") -> str:
        return f"postgresql:///{database}?host={SOCKETS}&port={self.port}"

    def connect(self, **options: Any) -> psycopg.Connection:
        """A superuser's autocommit connection to the database candlecast."""
        return psycopg.connect(self.url(), autocommit=True, **options)

    def ask(self, query: str, *values: Any) -> list[tuple]:
        with self.connect() as db:
            return db.execute(query, values).fetchall()

    def run(self, commands: str, folder: Path, **replaced: str) -> str:
        """Run documented commands with this cluster's names, and the texts in ``replaced``. Returns their output."""
        names = {
            "/etc/postgresql/15/main": str(self.config),
            "/var/lib/postgresql/15/main": str(self.data),
            "15 main": f"{self.version} {self.name}",
            "/opt/candlecast/venv/lib/python3.11/site-packages": self.pythonpath,
            "/opt/candlecast/venv/bin/python": sys.executable,
            "/opt/candlecast/src": str(ROOT),
        } | replaced
        for text, here in names.items():
            commands = commands.replace(text, here)
        done = subprocess.run(
            ["bash", "-c", _SUDO + commands],
            cwd=folder,
            env=os.environ | {"PGHOST": SOCKETS, "PGPORT": str(self.port)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{commands}\nfailed:\n{done.stdout}{done.stderr}", pytrace=False)
        return done.stdout + done.stderr

    def start(self) -> None:
        """Start it, with a superuser for the user who runs the tests."""
        self.run(
            f"sudo pg_ctlcluster 15 main start\nsudo -u postgres psql -X -q -h {SOCKETS} -p {self.port} -d postgres -c"
            ' "create role \\"$(id -un)\\" superuser login"',
            Path("/"),
        )


def create_cluster(suffix: str, pythonpath: str) -> Cluster:
    """A cluster with the distribution's settings, not started."""
    version = _bash("source scripts/common.sh; installed_postgres").strip()
    name = f"candlecast_test_{os.getpid()}_{suffix}"
    config = f"/etc/postgresql/{version}/{name}"
    _bash(
        f"""
        source scripts/common.sh
        since=$(awk '{{sub(/.*\\) /, ""); print $20}}' /proc/{os.getpid()}/stat)
        as_root mkdir -p {config}
        printf '%s\\n' "$project" "{os.getpid()} $since" | as_root tee {config}/candlecast.project
        as_root env LC_ALL=C.UTF-8 \\
          pg_createcluster --quiet --no-status --start-conf manual {version} {name} -- --no-sync
        echo 'fsync = off' | as_root tee {config}/conf.d/throw_away.conf
        """
    )
    port = int(_bash(f"pg_lsclusters --no-header | awk '$2 == \"{name}\" {{print $3}}'"))
    return Cluster(name, version, port, pythonpath)


def drop_cluster(cluster: Cluster) -> None:
    """Stop and remove it, in any state."""
    _bash("scripts/cluster.sh drop", CLUSTER=cluster.name)


def own_packages(cluster: Cluster) -> Path:
    """A folder for Python packages that is removed with the cluster."""
    return cluster.config / "python"


def as_root(*command: str) -> None:
    """Run it as root."""
    subprocess.run([*([] if os.geteuid() == 0 else ["sudo"]), *command], check=True, capture_output=True)


def _bash(script: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-c", f"set -e; {script}"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def wait_for(cluster: Cluster, query: str, *values: Any, seconds: float) -> list[tuple]:
    """The rows of the query as soon as there are any; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if rows := cluster.ask(query, *values):
            return rows
        time.sleep(0.2)
    details = cluster.ask("select status, return_message from cron.job_run_details order by runid desc limit 5")
    pytest.fail(f"{query} {values} returned no rows in {seconds} s; pg_cron: {details}")


def free_port() -> int:
    """A port of 127.0.0.1 that is not in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
