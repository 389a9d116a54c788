"""The commands that bring candles into the database; ``trainer.cli`` registers them beside those of the models."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.options import DatabaseUrl, symbol_of


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


def feed(
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", help="What to feed; again for more.", show_default="BTCUSDT"),
    ] = None,
    exchange: Annotated[str, typer.Option(help="Where candles come from.")] = "binance",
    quotes: Annotated[
        bool, typer.Option("--quotes", help="Read best bid and ask too, for spread_bps: many more messages.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Keep candles coming, minute by minute, until told to stop: the live feed.

    Closed candles are written as they arrive. What was missed (a lost connection, a restart, a day's outage) is read
    over REST, from the newest stored minute on; the last 24 hours are read again at the start, the last hour every
    15 minutes. A longer history is for `candlecast backfill`. `candlecast status` shows how it goes; one feed writes a
    symbol. docs/feeds.md says what happens when something breaks, and has a systemd unit.

    Exit status: 0 stopped by SIGTERM, SIGINT or SIGHUP; 1 an error; 75 another feed is at it.

    Example: `candlecast feed --symbol BTCUSDT --symbol ETHUSDT`
    """
    from trainer.feed.command import feed as run
    from trainer.feed.run import FeedOptions

    run(exchange, [symbol_of(symbol) for symbol in symbols or ["BTCUSDT"]], database_url, FeedOptions(quotes=quotes))
