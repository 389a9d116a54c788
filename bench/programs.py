"""What the benchmarks and the tests run as users do: the command `candlecast`, and the migrations."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: `candlecast` as this interpreter's process.
CANDLECAST = (sys.executable, "-c", "from candlecast.cli.app import app; app()")


def migrate(url: str) -> None:
    """`alembic upgrade head` on that database; its output on standard error."""
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=sys.stderr,
        check=True,
    )
