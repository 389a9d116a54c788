"""Error rates of promotion rules on simulated pairs of ensembles: tables and plot of docs/explanation/ab-tests.md.

    python -m research.ab_simulation                      4,000 runs of 60 days, two minutes: prints the tables
    python -m research.ab_simulation --runs 250 --seed 1  ten seconds
    python -m research.ab_simulation --docs               writes them into docs/explanation/ab-tests.md and docs/images/

research/ab_pairs.py describes pairs, research/ab_rules.py the rules, research/ab_year.py a year.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from candlecast.client.progress import show_progress
from research import ab_report
from research.ab_pairs import simulate

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: The page with the tables, and its plot.
PAGE, PLOT = DOCS / "explanation" / "ab-tests.md", DOCS / "images" / "ab-testing.png"
#: The tables are between these lines of the page.
BEGIN, END = "<!-- by python -m research.ab_simulation --docs: begin -->", "<!-- end -->"


def main(
    runs: Annotated[int, typer.Option(min=100, help="Runs per pair. Errors shrink with its square root.")] = 4_000,
    days: Annotated[int, typer.Option(min=60, help="Days per run. The tables use the first 60.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed, runs and days give the same tables.")] = 0,
    docs: Annotated[bool, typer.Option("--docs", help="Write into docs/ instead of printing.")] = False,
) -> None:
    """Simulate pairs of ensembles, and print the promotions of each rule.

    Examples: python -m research.ab_simulation --runs 250; python -m research.ab_simulation --docs
    """
    with show_progress(Console(stderr=True), "Simulating") as on_step:
        simulated = simulate(ab_report.pairs(), runs, days, seed, on_step)
    tables = ab_report.tables(simulated, year_runs=runs, seed=seed)
    if not docs:
        print(tables)
        return
    PAGE.write_text(between_marks(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    PLOT.parent.mkdir(exist_ok=True)
    ab_report.plot(simulated, PLOT)


def between_marks(page: str, tables: str) -> str:
    """The page with its tables replaced. Raises ValueError if the marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} needs the lines {BEGIN!r} and {END!r}: the tables are written between them")
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


if __name__ == "__main__":
    typer.run(main)
