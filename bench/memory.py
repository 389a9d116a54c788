"""What a process of this machine holds in memory, as a figure."""

import math
from collections.abc import Sequence
from pathlib import Path

from bench.report import Figure, Limit


def memory_of(pid: int) -> float:
    """RssAnon + RssFile of a process of this machine in MB (10^6 bytes); not a number where there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    values = dict(line.split(":", 1) for line in lines)
    if values["Name"].strip() not in ("postgres", "python", "python3", "python3.11", "python3.12", "python3.13"):
        return float("nan")
    return sum(int(values[name].split()[0]) for name in ("RssAnon", "RssFile")) * 1024 / 1e6


def memory_figure(
    what: str, memory: Sequence[float], peer: Sequence[float], limits: Sequence[Limit] = (), note: str = ""
) -> Figure:
    """MB of each backend beside the peer's; not run where the server's processes are not visible."""
    if any(map(math.isnan, memory)):
        return Figure(what, "MB", note="the server's processes are not visible here: run it on the server's machine")
    return Figure(what, "MB", memory, limits, peer, "; ".join(filter(None, ("RssAnon + RssFile", note))))
