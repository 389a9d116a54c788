"""Three simulated days of the feed, every fault drawn at random, the table held to what happened.

    python -m bench.feed_days
    python -m bench.feed_days --hours 3 --seeds 2     a small run, a minute

Exit status 1: the table differs somewhere, or a limit of the exchange was broken.
"""

import time
from collections import Counter
from contextlib import ExitStack
from typing import Annotated

import typer

from bench.feed_stage import Replay, replay, scratch_database
from bench.report import DatabaseUrl, Figure, JsonFile, Limit, tell


def main(
    database_url: DatabaseUrl = None,
    hours: Annotated[
        float, typer.Option(min=0.5, help="Simulated hours with faults; half an hour without follows.")
    ] = 72,
    speed: Annotated[float, typer.Option(min=1, help="Simulated seconds in a second.")] = 600,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, max=10, help="How many, side by side.")] = 1,
    json_file: JsonFile = None,
) -> None:
    """Replay days of three symbols through the feed with all faults of the stand-in exchange."""
    began = time.monotonic()
    numbers = range(seed, seed + seeds)
    with ExitStack() as databases:
        urls = [
            databases.enter_context(scratch_database(database_url, f"candlecast_bench_feed_{number}"))
            for number in numbers
        ]
        replays = replay(numbers, urls, hours, speed)
        figures = [
            Figure(f"seed {one.seed}: differences of the table from what happened", "", [len(one.problems())],
                   (Limit("max", 0),), note=_story(one))
            for one in replays
        ]  # fmt: skip
        title = f"{hours:g} simulated hours at {speed:g} times the speed, {time.monotonic() - began:.0f} s"
        tell(title, urls[0], figures, json_file)


def _story(one: Replay) -> str:
    faults = ", ".join(f"{count} {name}" for name, count in sorted(Counter(one.counters.faults).items()))
    asked = ", ".join(f"{count} {name}" for name, count in one.counters.requests.items())
    problems = "".join(f"; {problem}" for problem in one.problems()[:5])
    return (
        f"{one.rows:,} rows; faults: {faults}; asked: {asked}; at most {one.counters.highest_weight} weight a minute,"
        f" {one.counters.most_connections} connections in five{problems}"
    )


if __name__ == "__main__":
    typer.run(main)
