"""Figures with their limits, as a table, as JSON, as an exit status."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psycopg
import typer
from rich.console import Console
from rich.table import Table

DatabaseUrl = Annotated[
    str | None, typer.Option(help="A superuser's database of the server; default: DATABASE_URL, else the one of .env.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write every figure and sample there.")]


@dataclass(frozen=True)
class Limit:
    """``statistic``: median, p99, max, or ratio (this median to the peer's)."""

    statistic: str
    at_most: float


@dataclass
class Figure:
    """One measured row: ``samples`` and the peer's, in ``unit``. Without samples it was not run: ``note`` says why."""

    what: str
    unit: str
    samples: Sequence[float] = ()
    limits: Sequence[Limit] = ()
    peer: Sequence[float] = ()
    note: str = ""

    def statistic(self, name: str) -> float:
        """One statistic of the samples."""
        if name == "ratio":
            return float(np.median(self.samples) / np.median(self.peer))
        return _statistic(self.samples, name)

    def missed(self) -> list[str]:
        """The limits that do not hold, in words."""
        if not len(self.samples):
            return []
        values = [(limit, self.statistic(limit.statistic)) for limit in self.limits]
        return [
            f"{limit.statistic} is {_number(value)}, over {_number(limit.at_most)}"
            for limit, value in values
            if not value <= limit.at_most
        ]

    def verdict(self) -> str:
        """Met, missed, not run, or only told."""
        if not len(self.samples):
            return "not run"
        return ("missed" if self.missed() else "met") if self.limits else "-"

    def document(self) -> dict[str, Any]:
        """What goes into the JSON."""
        names = ("median", "p5", "p95", "p99", "max")
        return {
            "what": self.what,
            "unit": self.unit,
            "runs": len(self.samples),
            "candlecast": {name: _statistic(self.samples, name) for name in names} if len(self.samples) else None,
            "peer": {name: _statistic(self.peer, name) for name in names} if len(self.peer) else None,
            "ratio": self.statistic("ratio") if len(self.samples) and len(self.peer) else None,
            "limits": {limit.statistic: limit.at_most for limit in self.limits},
            "verdict": self.verdict(),
            "note": self.note,
            "samples": [float(sample) for sample in self.samples],
            "peer_samples": [float(sample) for sample in self.peer],
        }


def table(
    figures: Sequence[Figure],
    title: str = "candlecast, and beside it a Python process with psycopg, pandas and the same models",
) -> Table:
    """Every figure beside its limit and the peer's."""
    result = Table(title=title)
    for column in ("what", "runs", "median", "p5 to p95", "p99", "at most", "verdict", "peer", "peer p99", "ratio"):
        result.add_column(column, justify="left" if column in ("what", "verdict") else "right")
    colours = {"met": "green", "missed": "red", "not run": "yellow"}
    for figure in figures:
        document, colour = figure.document(), colours.get(figure.verdict())
        own, peer, ratio = document["candlecast"], document["peer"], document["ratio"]
        result.add_row(
            f"{figure.what}, {figure.unit}" if figure.unit else figure.what,
            str(len(figure.samples) or ""),
            _number(own["median"]) if own else "",
            f"{_number(own['p5'])} to {_number(own['p95'])}" if own and len(figure.samples) > 1 else "",
            _number(own["p99"]) if own and len(figure.samples) > 1 else "",
            ", ".join(f"{limit.statistic} {_number(limit.at_most)}" for limit in figure.limits),
            f"[{colour}]{figure.verdict()}[/]" if colour else figure.verdict(),
            _number(peer["median"]) if peer else "",
            _number(peer["p99"]) if peer and len(figure.peer) > 1 else "",
            f"{ratio:.2f}" if ratio else "",
        )
    return result


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


def machine(connection: psycopg.Connection, **more: Any) -> dict[str, Any]:
    """Where and with what it was measured."""
    names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "jit")
    settings = {name: connection.execute("select current_setting(%s)", [name]).fetchone()[0] for name in names}
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "postgresql": settings,
        "libraries": {name: version(name) for name in ("numpy", "pandas", "onnxruntime", "torch", "psycopg")},
        "commit": _commit(),
        **more,
    }


def _statistic(samples: Sequence[float], name: str) -> float:
    share = {"p5": 5, "median": 50, "p95": 95, "p99": 99, "max": 100}[name]
    return float(np.percentile(samples, share))


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
