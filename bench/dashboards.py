"""Runs every query of docs/how-to/query.md and writes its output below it.

    python -m bench dashboards BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip           prints the page
    python -m bench dashboards BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip --write   writes it
    python -m bench dashboards --write            writes it from the models and predictions of an earlier run

bench/dashboards_data.py describes the data. The first run takes 15 minutes on one core, later runs take a minute.
It needs a superuser's URL of a throw-away cluster. It creates two databases there and does not drop them.
"""

import re
import subprocess
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from bench.processes import ROOT

PAGE = ROOT / "docs" / "how-to" / "query.md"
#: A heading, or a query with the output below it.
_QUESTION = re.compile(
    r"^## (?P<title>[^\n]*)$|^```sql\n(?P<query>(?:(?!```).*\n)+)```\n\n```\n(?P<output>(?:(?!```).*\n)+)```$",
    flags=re.MULTILINE,
)
#: Width of psql's output in characters.
_WIDTH = 150


def main(
    files: Annotated[list[Path] | None, typer.Argument(help="Candles of March and April 2026.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/how-to/query.md instead of printing it.")] = False,
) -> None:
    """Update the output on the page."""
    from bench import dashboards_data

    url = dashboards_data.present(files or [])
    page = _QUESTION.sub(
        lambda found: run_query(url, found["query"]) if found["query"] else found[0], PAGE.read_text(encoding="utf-8")
    )
    if write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page)


class Question(NamedTuple):
    """A query of the page and the output below it. The title is its heading, with a number from the second query on."""

    title: str
    query: str
    output: str


def parse_questions(page: str) -> list[Question]:
    """Every query of the page that has its output below it."""
    found: list[Question] = []
    title, number = "", 0
    for match in _QUESTION.finditer(page):
        if match["title"]:
            title, number = match["title"], 0
            continue
        number += 1
        found.append(Question(title if number == 1 else f"{title} ({number})", match["query"], match["output"]))
    return found


def run_query(url: str, query: str) -> str:
    """The query in its fence, and below it the output of psql for candlecast_reader, in UTC."""
    formats = ("footer=off", "format=wrapped", f"columns={_WIDTH}")
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *(f"-P{one}" for one in formats), "-d", url, "-f", "-"]
    as_reader = f"set role candlecast_reader;\nset timezone = 'UTC';\n{query}"
    done = subprocess.run(command, input=as_reader, stdout=subprocess.PIPE, text=True, check=True)
    output = "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())
    return f"```sql\n{query}```\n\n```\n{output}\n```"
