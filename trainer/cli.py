"""The ``candlecast`` command: loads candles, trains models, deploys them.

Each command imports what it needs when it runs, so that ``--help`` answers at once. An expected error
(CandlecastUserError) ends as two lines on standard error and exit status 1.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trainer.errors import CandlecastUserError, print_error


class PublishAs(StrEnum):
    """How a published ensemble goes live."""

    active = "active"
    test = "test"


class PublishAfterTraining(StrEnum):
    """The same, or not at all."""

    active = "active"
    test = "test"
    none = "none"


class _Commands(TyperGroup):
    """Prints expected errors instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CandlecastUserError as error:
            print_error(error)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="Where the database is; default: DATABASE_URL of the environment, else of the nearest .env.",
        show_default=False,
    ),
]


@app.callback()
def main() -> None:
    """Bitcoin forecasts inside PostgreSQL: load candles, train models, deploy them."""
    # The callback keeps `candlecast load` a subcommand however few commands there are.


@app.command()
def load(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Candle files: zip, csv, csv.gz or parquet.", show_default=False),
    ],
    symbol: Annotated[
        str | None,
        typer.Option(help="The files' symbol; default: what each file's name says.", show_default=False),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Load one-minute candles into the database.

    Reads the exchange's kline archives and what people saved of them; each file loads whole or not at
    all, loading again is harmless. Exit status 1 when a file was refused.

    Example: `candlecast load BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip`
    """
    from trainer.load import load_files

    if not load_files(files, symbol, database_url):
        raise typer.Exit(1)
