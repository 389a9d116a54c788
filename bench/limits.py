"""Latency, memory, growth and agreement, checked against limits and compared with a plain Python process.

    make bench                                    on a throw-away cluster, with models trained there
    make bench BENCH_ARGS='--cron-minutes 10'     and ten real minutes of pg_cron
    python -m bench limits                        on an installation, without the parts that need a throw-away cluster

It uses the symbol BENCH and removes it afterwards. The baseline is bench/baseline.py.
"""

from functools import partial
from typing import Annotated

import typer

from bench import growth, minutes, predictions
from bench.database import fill_and_train
from bench.figures import Figure, progress
from bench.fixture import OVER_AN_HOUR, Fixture


def main(
    throw_away: Annotated[
        bool, typer.Option("--throw-away", help="The database is only for this benchmark: fill it and train.")
    ] = False,
    warm_runs: Annotated[int, typer.Option(min=20, help="predict_now() calls in a warm session.")] = 400,
    first_runs: Annotated[int, typer.Option(min=3, help="New sessions and new processes, for each runtime.")] = 15,
    sessions: Annotated[
        int, typer.Option(min=0, help="New sessions that call run_inference(); the same number with three tests.")
    ] = 200,
    cron_minutes: Annotated[int, typer.Option(min=0, help="Real minutes of the pg_cron job; 0: not run.")] = 0,
    year_runs: Annotated[int, typer.Option(min=1, help="Runs over a year of features.")] = 3,
    growth_runs: Annotated[int, typer.Option(min=20, help="Calls with 3 months and with 5 years of candles.")] = 400,
    train_minutes: Annotated[
        float, typer.Option(help="Time budget of Mamba's training in minutes, with --throw-away.")
    ] = 3.0,
    seed: Annotated[int, typer.Option(help="Seed of the training and of the times of candles.")] = 0,
) -> list[Figure]:
    """Measure all figures that have limits."""
    if throw_away:
        fill_and_train(None, train_minutes, seed)
    fixture = Fixture(warm_runs + 2 * first_runs + OVER_AN_HOUR)
    works = [
        ("Warm session", partial(predictions.warm, fixture, warm_runs)),
        ("New sessions", partial(predictions.first, fixture, first_runs)),
        ("Agreement", partial(predictions.agreement, fixture, 1_000)),
        ("A year of features", partial(growth.year, fixture, year_runs)),
        ("5 years of candles", partial(growth.growth, fixture, growth_runs)),
    ]
    optional = {"--sessions 200": (sessions, minutes.sessions), "--cron-minutes 10": (cron_minutes, minutes.cron)}
    figures: list[Figure] = []
    for option, (count, work) in optional.items():
        if throw_away and count:
            works.insert(3, (option, partial(work, fixture, count, seed)))
        else:
            reason = f"add {option} to measure it" if throw_away else "needs a throw-away cluster: run make bench"
            figures.append(Figure(minutes.WHAT, "ms", note=reason))
    try:
        for title, work in works:
            with progress(title) as on_step:
                figures += work(on_step)
    finally:
        fixture.close()
    return figures
