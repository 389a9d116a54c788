"""What the feed's benchmarks share: a scratch database, the tests' stand-in exchange, how a process is measured.

The database of --database-url is only where the scratch one is created; its owner must be a superuser.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import psutil
import psycopg
import typer
from psycopg import conninfo
from rich.console import Console

from bench.report import Figure, machine, table
from trainer.database import connect

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))
# The stand-in and what replays it are the tests': one exchange, one notion of what the table must hold.
from exchange import Faults, Market, Row, StandIn  # noqa: E402
from exchange.frames import kline_frame  # noqa: E402
from feeding import Replay, difference, replay, watch  # noqa: E402

__all__ = [
    "Faults", "Market", "Replay", "Row", "StandIn", "difference", "kline_frame", "replay", "watch",
]  # fmt: skip

DatabaseUrl = Annotated[
    str | None, typer.Option(help="A superuser's database of the server; default: DATABASE_URL, else the one of .env.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write every figure and sample there.")]
#: `candlecast feed` as this interpreter's process.
FEED = (sys.executable, "-c", "from trainer.cli import app; app()", "feed")
FEED_OF_A_REPLAY = (sys.executable, "-m", "tests.feed_process")


class Cost(NamedTuple):
    """What a process has cost so far, and holds."""

    seconds: float  #: CPU, user and system
    rss: float  #: MB
    pss: float  #: MB


def cost_of(pid: int) -> Cost:
    """Of a process of this machine."""
    process = psutil.Process(pid)
    times, memory = process.cpu_times(), process.memory_full_info()
    return Cost(times.user + times.system, memory.rss / 1e6, memory.pss / 1e6)


def generated_symbols(count: int) -> list[str]:
    """Symbols that no recorded candles exist of."""
    return [f"MADE{number:03d}USDT" for number in range(count)]


@contextmanager
def scratch_database(url: str | None, name: str = "candlecast_bench_feed") -> Iterator[str]:
    """A new database beside that of the URL, migrated; dropped afterwards."""
    with connect(url) as admin:
        address = conninfo.make_conninfo(admin.info.dsn, password=admin.info.password or None, dbname=name)
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name}")
        try:
            subprocess.run(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=ROOT,
                env=os.environ | {"DATABASE_URL": address},
                check=True,
                capture_output=True,
            )
            yield address
        finally:
            admin.execute(f"drop database if exists {name} with (force)")


def tell(title: str, url: str, figures: Sequence[Figure], json_file: Path | None, **facts: object) -> None:
    """Print the figures; raises typer.Exit(1) where a limit was missed."""
    with psycopg.connect(url) as db:
        facts = machine(db, **facts)
    output = Console()
    if not output.is_terminal:
        output = Console(width=190)
    output.print(table(figures, title), highlight=False)
    for figure in figures:
        if notes := [*figure.missed(), *filter(None, [figure.note])]:
            output.print(f"  {figure.what}: {'; '.join(notes)}", highlight=False, soft_wrap=True)
    told = ("cores", "processor", "load_average", "postgresql", "commit")
    output.print(", ".join(f"{name} {facts[name]}" for name in told), highlight=False, soft_wrap=True)
    if json_file:
        document = {"machine": facts, "figures": [figure.document() for figure in figures]}
        json_file.write_text(json.dumps(document, indent=1, default=str))
    if any(figure.missed() for figure in figures):
        raise typer.Exit(1)
