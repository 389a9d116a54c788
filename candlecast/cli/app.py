"""The ``candlecast`` command: loads candles, trains models, deploys them.

A module of this folder has a group of commands: candles.py, training.py, models.py, status.py, serve.py. Each command
imports what it needs when it runs, so that ``--help`` answers at once. An expected error (CandlecastUserError) ends as
two lines on standard error and exit status 1, or the one that the error names.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from candlecast.cli import candles, models, training
from candlecast.cli.expand import expand_options
from candlecast.cli.serve import serve
from candlecast.cli.status import status
from candlecast.client.display import print_error
from candlecast.core.errors import CandlecastUserError


class _Commands(TyperGroup):
    """Prints expected errors instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CandlecastUserError as error:
            print_error(error)
            raise typer.Exit(error.exit_status) from None


def _print_version(asked: bool) -> None:
    if not asked:
        return
    try:
        typer.echo(f"candlecast {version('candlecast')}")
    except PackageNotFoundError:
        typer.echo("candlecast, run from a clone and not installed")
    raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Bitcoin forecasts inside PostgreSQL: load candles, train models, deploy them."""
    # The callback keeps `candlecast load` a subcommand however few commands there are.


for command in (
    *(candles.load, candles.backfill, candles.repair, candles.feed),
    *(training.train, training.retrain, training.evaluate),
    *(models.predict, models.card, models.publish),
    *(status, serve),
):
    app.command()(expand_options(command))
