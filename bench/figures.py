"""Figures with limits, as a table, as JSON, and as an exit status."""

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench.processes import ROOT
from candlecast.client.database import connect
from candlecast.client.progress import show_progress

#: Progress callback: (steps done, total steps, note).
OnStep = Callable[[int, int, str], None]
_PERCENTILES = {"median": 50, "p5": 5, "p95": 95, "p99": 99, "max": 100}


@dataclass(frozen=True)
class Limit:
    """``statistic``: median, p99, max, or ratio (this median to the baseline's)."""

    statistic: str
    at_most: float


@dataclass
class Figure:
    """A row of the report: samples and baseline samples in ``unit``. Without samples, ``note`` is the reason."""

    what: str
    unit: str
    samples: Sequence[float] = ()
    limits: Sequence[Limit] = ()
    baseline: Sequence[float] = ()
    note: str = ""

    def statistic(self, name: str) -> float:
        """One statistic of the samples."""
        if name == "ratio":
            return float(np.median(self.samples) / np.median(self.baseline))
        return _statistics(self.samples)[name]

    def missed(self) -> list[str]:
        """The missed limits as text."""
        values = [(limit, self.statistic(limit.statistic)) for limit in self.limits if len(self.samples)]
        return [
            f"{limit.statistic} is {_number(value)}, over {_number(limit.at_most)}"
            for limit, value in values
            if not value <= limit.at_most
        ]

    def verdict(self) -> str:
        """The verdict: met, missed, not run, or - for a figure without limits."""
        if not len(self.samples):
            return "not run"
        return ("missed" if self.missed() else "met") if self.limits else "-"

    def document(self) -> dict[str, Any]:
        """The figure for the JSON file."""
        return asdict(self) | {
            "runs": len(self.samples),
            "candlecast": _statistics(self.samples),
            "plain": _statistics(self.baseline),
            "ratio": self.statistic("ratio") if len(self.samples) and len(self.baseline) else None,
            "verdict": self.verdict(),
            "samples": [float(sample) for sample in self.samples],
        }


def memory_figure(
    what: str, memory: Sequence[float], baseline: Sequence[float], limits: Sequence[Limit] = (), note: str = ""
) -> Figure:
    """MB of each backend and of the baseline. Not run if the server's processes are not visible."""
    if any(map(math.isnan, memory)):
        return Figure(what, "MB", note="the server's processes are not visible. Run this on the server's machine")
    return Figure(what, "MB", memory, limits, baseline, "; ".join(filter(None, ("RssAnon + RssFile", note))))


@contextmanager
def progress(title: str) -> Iterator[OnStep]:
    """Progress of one stage on standard error."""
    with show_progress(Console(stderr=True), title) as on_step:
        yield on_step


def milliseconds(work: Callable[[], object]) -> float:
    """Duration of one call."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def report(name: str, figures: Sequence[Figure], options: dict[str, Any], json_file: Path | None) -> None:
    """Print the figures and facts about the machine. Raises typer.Exit(1) if a limit was missed."""
    with connect() as db:
        facts = machine(db) | {"options": {one: value for one, value in options.items() if value is not None}}
    output = Console()
    if not output.is_terminal:
        output = Console(width=190)
    output.print(table(name, figures), highlight=False)
    for figure in figures:
        problems = [f"[red]{problem}[/]" for problem in figure.missed()]
        if notes := [*problems, *filter(None, [figure.note])]:
            output.print(f"  {figure.what}: {'; '.join(notes)}", highlight=False, soft_wrap=True)
    for fact, value in facts.items():
        text = ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else value
        output.print(f"{fact}: {text}", highlight=False, soft_wrap=True)
    if json_file:
        document = {"machine": facts, "figures": [figure.document() for figure in figures]}
        json_file.write_text(json.dumps(document, indent=1, default=str))
    if any(figure.missed() for figure in figures):
        raise typer.Exit(1)


def table(title: str, figures: Sequence[Figure]) -> Table:
    """All figures with their limits, and with the baseline if a figure has one."""
    result = Table(title=title)
    columns = ["what", "runs", "median", "p5 to p95", "p99", "max", "limit", "verdict"]
    if has_baseline := any(len(figure.baseline) for figure in figures):
        columns += ["baseline", "baseline p99", "ratio"]
    for column in columns:
        result.add_column(column, justify="left" if column in ("what", "verdict") else "right")
    colors = {"met": "green", "missed": "red", "not run": "yellow", "-": "default"}
    for figure in figures:
        document, several = figure.document(), len(figure.samples) > 1
        own, other, ratio = document["candlecast"], document["plain"], document["ratio"]
        cells = [
            f"{figure.what}, {figure.unit}" if figure.unit else figure.what,
            str(len(figure.samples) or ""),
            _number(own["median"]) if own else "",
            f"{_number(own['p5'])} to {_number(own['p95'])}" if several else "",
            _number(own["p99"]) if several else "",
            _number(own["max"]) if several else "",
            ", ".join(f"{limit.statistic} {_number(limit.at_most)}" for limit in figure.limits),
            f"[{colors[figure.verdict()]}]{figure.verdict()}[/]",
        ]
        if has_baseline:
            cells += [_number(other[one]) if other else "" for one in ("median", "p99")] + [
                f"{ratio:.2f}" if ratio else ""
            ]
        result.add_row(*cells)
    return result


def machine(db: psycopg.Connection) -> dict[str, Any]:
    """The machine, its settings, and library versions."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    settings = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "jit")
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return {
        "cores": os.cpu_count(),
        "processor": models[0] if models else platform.machine(),
        "load average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "postgresql": {one: db.execute("select current_setting(%s)", [one]).fetchone()[0] for one in settings},
        "libraries": {one: version(one) for one in ("numpy", "pandas", "onnxruntime", "torch", "psycopg")},
        "commit": subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip(),
    }


def _statistics(samples: Sequence[float]) -> dict[str, float] | None:
    if not len(samples):
        return None
    return {name: float(np.percentile(samples, percent)) for name, percent in _PERCENTILES.items()}


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
