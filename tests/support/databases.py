"""Databases by URL, and `alembic` as a user runs it."""

import os
import subprocess
import sys

from psycopg import conninfo

from tests.support.paths import ROOT


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `alembic ARGUMENTS` on the database; what it printed, its exit status unchecked."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def with_database(url: str, name: str) -> str:
    """The same server, another database: as key=value pairs, which libpq takes wherever it takes a URI."""
    return conninfo.make_conninfo(url, dbname=name)
