"""Latency, memory, volume and agreement against DESIGN 10, beside a plain Python process: ``make bench``.

    make bench                                              on a throw-away cluster, with models trained there
    make bench BENCH_ARGS='--cron-minutes 10 --json f.json'
    make bench BENCH_ARGS='--database-url postgresql:///x'  on that database: without what needs it for itself

It works under the symbol BENCH and removes that afterwards. Exit status 1: a limit was missed.
"""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import agreement, latency, minute, prepare, volume
from bench.report import Figure, machine, table
from bench.stage import Stage
from candlecast.client.progress import shown

#: Minutes that the benchmark's candles stay behind the clock: run_inference() skips symbols that are over an hour old,
#: so a pg_cron job of an installation leaves them alone.
OVER_AN_HOUR = 120
_ALONE = "needs a throw-away cluster: it stops other inference, and reads commit times"


def main(
    database_url: Annotated[
        str | None, typer.Option(help="The database; default: DATABASE_URL, else the one of .env.")
    ] = None,
    throw_away: Annotated[
        bool, typer.Option("--throw-away", help="The database is the benchmark's own: fill it, train, change it.")
    ] = False,
    warm_runs: Annotated[int, typer.Option(min=20, help="predict_now() calls in a warm session.")] = 400,
    first_runs: Annotated[int, typer.Option(min=3, help="New sessions and new peer processes, for each runtime.")] = 15,
    sessions: Annotated[
        int, typer.Option(min=0, help="Fresh sessions that call run_inference(), and as many with three tests.")
    ] = 200,
    cron_minutes: Annotated[int, typer.Option(min=0, help="Real minutes of the pg_cron job; 0: not run.")] = 0,
    year_runs: Annotated[int, typer.Option(min=1, help="Times that a year of features is computed.")] = 3,
    growth_runs: Annotated[int, typer.Option(min=20, help="Calls at 3 months and at 5 years of candles.")] = 400,
    train_minutes: Annotated[float, typer.Option(help="Time budget of Mamba's training, with --throw-away.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Of the training, and of when candles come.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure and sample there.")] = None,
) -> None:
    """Measure candlecast beside psycopg, pandas and the same models."""
    console = Console(stderr=True)
    if throw_away:
        prepare.fill_and_train(database_url, train_minutes, seed, console)
    stage = Stage(database_url, warm_runs + 2 * first_runs + OVER_AN_HOUR)
    figures: list[Figure] = []
    try:
        facts = machine(stage.db, seed=seed, throw_away=throw_away, models_of=stage.trained_on)
        for title, work in (
            ("Warm session", partial(latency.warm, stage, warm_runs)),
            ("New sessions", partial(latency.first, stage, first_runs)),
            ("Agreement", partial(agreement.both_runtimes, stage, 1_000)),
            ("Fresh run_inference()", _alone(throw_away, sessions, minute.sessions, stage, seed)),
            ("pg_cron", _alone(throw_away, cron_minutes, minute.cron, stage, seed)),
            ("A year of features", partial(volume.year, stage, year_runs)),
            ("5 years of candles", partial(volume.growth, stage, growth_runs)),
        ):
            with shown(console, title) as on_step:
                figures += work(on_step)
    finally:
        stage.close()
    _report(figures, facts, json_file)
    if any(figure.missed() for figure in figures):
        raise typer.Exit(1)


def _alone(throw_away, count, work, stage, seed):
    """The work, or a figure that says why it is not run."""
    what = f"candle committed to predictions committed, {'pg_cron' if work is minute.cron else 'fresh sessions'}"
    if not throw_away:
        return lambda _: [Figure(what, "ms", note=_ALONE)]
    if not count:
        option = "--cron-minutes 10" if work is minute.cron else "--sessions 200"
        return lambda _: [Figure(what, "ms", note=f"asked for none; {option} measures it")]
    return partial(work, stage, count, seed)


def _report(figures: list[Figure], facts: dict, json_file: Path | None) -> None:
    output = Console()
    if not output.is_terminal:
        output = Console(width=190)
    output.print(table(figures), highlight=False)
    for figure in figures:
        problems = [f"[red]{problem}[/]" for problem in figure.missed()]
        if notes := [*problems, *filter(None, [figure.note])]:
            output.print(f"  {figure.what}: {'; '.join(notes)}", highlight=False, soft_wrap=True)
    settings = ", ".join(f"{name} {value}" for name, value in facts["postgresql"].items())
    libraries = ", ".join(f"{name} {value}" for name, value in facts["libraries"].items())
    output.print(
        f"{facts['cores']} cores, {facts['processor']}, load {facts['load_average']} at the start\n"
        f"PostgreSQL: {settings}\nPython {facts['python']}, {libraries}\n"
        f"commit {facts['commit']}, seed {facts['seed']}, "
        f"models of {facts['models_of']}",
        highlight=False,
        soft_wrap=True,
    )
    if json_file:
        document = {"machine": facts, "figures": [figure.document() for figure in figures]}
        json_file.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    typer.run(main)
