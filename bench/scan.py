"""How long a training step of the selective scan takes, by each of its roads, against the plain loop.

    python -m bench.scan

Forward and backward, batch 256, 60 minutes, Mamba's default width; medians of interleaved repetitions, one thread.
"""

import statistics
import time

import torch

from candlecast.trainer.models.mamba import MambaShape
from candlecast.trainer.models.selective_scan import scan_last, scan_parallel, scan_sequential

BATCH, LENGTH, REPETITIONS = 256, 60, 15


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = MambaShape()
    u, raw = torch.randn(2, BATCH, LENGTH, shape.d_inner)
    b, c = torch.randn(2, BATCH, LENGTH, shape.d_state)
    a = -torch.arange(1.0, shape.d_state + 1).repeat(shape.d_inner, 1)
    inputs = [value.requires_grad_() for value in (u, torch.nn.functional.softplus(raw).detach(), a, b, c)]
    roads = {
        "plain loop": lambda: scan_sequential(*inputs),
        "doubling, all positions": lambda: scan_parallel(*inputs),
        "plain loop, last position read": lambda: scan_sequential(*inputs)[:, -1],
        "closed form, last position": lambda: scan_last(*inputs),
    }
    times: dict[str, list[float]] = {name: [] for name in roads}
    for _ in range(REPETITIONS):
        for name, road in roads.items():
            started = time.perf_counter()
            road().square().sum().backward()
            times[name].append(1000 * (time.perf_counter() - started))
    plain = statistics.median(times["plain loop"])
    print(f"batch {BATCH}, {LENGTH} steps, d_inner {shape.d_inner}, d_state {shape.d_state}: ms forward and backward")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:<32}{median:8.1f}   {min(measured):.1f} to {max(measured):.1f}   x {plain / median:.1f}")


if __name__ == "__main__":
    main()
