"""Benchmarks. All figures of latency, throughput and size in the documentation come from them.

    python -m bench NAME --help
    python -m bench limits --cron-minutes 10 --json figures.json
    make bench BENCH_ARGS='feed-latency --sessions 10'      on a throw-away cluster

`make bench` without a name runs `limits`. The database is --database-url, else DATABASE_URL, else the one in .env.
Exit status 1: a limit was missed.
"""

import importlib
import inspect
import os
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup

#: What each benchmark measures. Its --help shows its options.
BENCHMARKS = {
    "limits": "latency, memory, growth and agreement, with limits",
    "scale": "every documented query with 20 million predictions; 10 GB",
    "serve-load": "predict_now() under 200 requests per second",
    "first-paint": "load time of the dashboard page",
    "alerts": "delay of Prometheus alerts after an outage",
    "feed-latency": "from the exchange's frame to committed predictions",
    "feed-load": "CPU and memory of the feed with 50 symbols",
    "backfill": "rows per second, compared with plain COPY",
    "dashboards": "writes the output in docs/how-to/query.md",
}


class _Benchmarks(TyperGroup):
    """Imports a benchmark only when it runs, so that the list needs none of their libraries."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(BENCHMARKS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return click.Command(cmd_name, help=BENCHMARKS[cmd_name]) if cmd_name in BENCHMARKS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(name), rest


def load(name: str) -> Any:
    """The benchmark as a command that reports the figures of its module's ``main``."""
    module = importlib.import_module(f"bench.{name.replace('-', '_')}")

    def command(database_url: str | None, json_file: Path | None, **options: Any) -> None:
        from bench.figures import report

        if database_url:
            os.environ["DATABASE_URL"] = database_url
        figures = module.main(**options)
        if figures:
            report(name, figures, options, json_file)

    url = Annotated[str | None, typer.Option(help="The database; default: DATABASE_URL, else the one in .env.")]
    json_path = Annotated[Path | None, typer.Option("--json", help="Write all figures and samples to this file.")]
    shared = [("database_url", url), ("json_file", json_path)]
    signature = inspect.signature(module.main)
    more = [inspect.Parameter(one, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=of) for one, of in shared]
    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *more])
    command.__annotations__ = {}
    single = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=_help(module.__doc__))(command)
    return typer.main.get_command(single)


def _help(docstring: str) -> str:
    """Keep the line breaks of indented lines."""
    return docstring.replace("\n\n    ", "\n\n\b\n    ")


app = typer.Typer(cls=_Benchmarks, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
app.callback(help=_help(__doc__))(lambda: None)

if __name__ == "__main__":
    app(prog_name="python -m bench")
