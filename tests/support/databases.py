"""Database URLs, and the command `alembic`."""

import os
import subprocess
import sys

from psycopg import conninfo

from tests.support.paths import ROOT


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `alembic ARGUMENTS` on the database. The exit status is not checked."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def with_database(url: str, name: str) -> str:
    """Another database of the same server, as a key=value connection string."""
    return conninfo.make_conninfo(url, dbname=name)
