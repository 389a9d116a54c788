"""Asks every query of docs/how-to/query.md and writes what came back beneath it.

    python -m bench dashboards BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip           prints the page
    python -m bench dashboards BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip --write   writes it
    python -m bench dashboards --write            again, of the models and predictions that are there already

bench/dashboards_data.py says what they are asked of. The first run takes a quarter of an hour on one core, a later one
a minute. It needs a superuser's URL of a throw-away server, and makes two databases there that it leaves.
"""

import re
import subprocess
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from bench.processes import ROOT

PAGE = ROOT / "docs" / "how-to" / "query.md"
#: A heading, or a query with the output beneath it.
_ASKED = re.compile(
    r"^## (?P<title>[^\n]*)$|^```sql\n(?P<query>(?:(?!```).*\n)+)```\n\n```\n(?P<output>(?:(?!```).*\n)+)```$",
    flags=re.MULTILINE,
)
#: How wide psql's output is.
_WIDTH = 150


def main(
    files: Annotated[list[Path] | None, typer.Argument(help="Candles of March and April 2026.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Into docs/how-to/query.md, instead of printing.")] = False,
) -> None:
    """Make the page's output again."""
    from bench import dashboards_data

    url = dashboards_data.present(files or [])
    page = _ASKED.sub(
        lambda found: answered(url, found["query"]) if found["query"] else found[0], PAGE.read_text(encoding="utf-8")
    )
    if write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page)


class Question(NamedTuple):
    """A query of the page and the output beneath it. The title is its heading; a second query there has its number."""

    title: str
    query: str
    output: str


def asked(page: str) -> list[Question]:
    """Every query of the page that has its output beneath it."""
    found: list[Question] = []
    title, number = "", 0
    for match in _ASKED.finditer(page):
        if match["title"]:
            title, number = match["title"], 0
            continue
        number += 1
        found.append(Question(title if number == 1 else f"{title} ({number})", match["query"], match["output"]))
    return found


def answered(url: str, query: str) -> str:
    """The query in its fence, and beneath it what psql shows a reader, in UTC."""
    looks = ("footer=off", "format=wrapped", f"columns={_WIDTH}")
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *(f"-P{one}" for one in looks), "-d", url, "-f", "-"]
    as_reader = f"set role candlecast_reader;\nset timezone = 'UTC';\n{query}"
    done = subprocess.run(command, input=as_reader, stdout=subprocess.PIPE, text=True, check=True)
    output = "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())
    return f"```sql\n{query}```\n\n```\n{output}\n```"
