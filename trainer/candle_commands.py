"""The commands that bring candles into the database; ``trainer.cli`` registers them beside those of the models."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.options import DatabaseUrl


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

    Files are applied in the order given: where two disagree about a minute, the last one wins.

    Example: `candlecast load BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip`
    """
    from trainer.data.load import load_files

    if not load_files(files, symbol, database_url):
        raise typer.Exit(1)
