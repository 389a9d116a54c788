"""The ``candlecast`` command: loads candles, trains models, publishes them.

Each module of this folder has a group of commands: candles.py, training.py, models.py, status.py, serve.py. A command
imports its dependencies when it runs, so that ``--help`` is fast. An expected error (CandlecastUserError) prints two
lines to standard error and exits with status 1, or with the error's own status.
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


def _print_version(is_requested: bool) -> None:
    if not is_requested:
        return
    try:
        typer.echo(f"candlecast {version('candlecast')}")
    except PackageNotFoundError:
        typer.echo("candlecast (not installed, running from a clone)")
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
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Bitcoin price forecasts inside PostgreSQL: load candles, train models, publish them.

    Example: `candlecast backfill --symbol BTCUSDT --days 90`
    """


for command in (
    *(candles.load, candles.backfill, candles.repair, candles.feed),
    *(training.train, training.retrain, training.evaluate),
    *(models.predict, models.card, models.publish),
    *(status, serve),
):
    app.command()(expand_options(command))
