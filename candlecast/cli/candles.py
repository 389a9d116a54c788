"""The commands that bring candles into the database; `app.py` registers them with those of the models."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from candlecast.cli.options import DatabaseUrl, symbol_of, time_of

Symbols = Annotated[
    list[str], typer.Option("--symbol", help="As the exchange names it; again for more.", show_default=False)
]
ExchangeName = Annotated[str, typer.Option("--exchange", help="Where candles come from.")]


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
    from candlecast.candles.load import load_files

    if not load_files(files, symbol, database_url):
        raise typer.Exit(1)


def feed(
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", help="What to feed; again for more.", show_default="BTCUSDT"),
    ] = None,
    exchange: ExchangeName = "binance",
    quotes: Annotated[
        bool, typer.Option("--quotes", help="Read best bid and ask too, for spread_bps: many more messages.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Keep candles coming, minute by minute, until told to stop: the live feed.

    Closed candles are written as they arrive. What was missed (a lost connection, a restart, a day's outage) is read
    over REST, from the newest stored minute on; the last 24 hours are read again at the start, the last hour every
    15 minutes. A longer history is for `candlecast backfill`. `candlecast status` shows how it goes; one feed writes a
    symbol. docs/how-to/feed.md says what happens when something breaks, and has a systemd unit.

    Exit status: 0 stopped by SIGTERM, SIGINT or SIGHUP; 1 an error; 75 another feed is at it.

    Example: `candlecast feed --symbol BTCUSDT --symbol ETHUSDT`
    """
    from candlecast.candles.feed.command import feed as run
    from candlecast.candles.feed.options import FeedOptions

    run(exchange, [symbol_of(symbol) for symbol in symbols or ["BTCUSDT"]], database_url, FeedOptions(quotes=quotes))


def backfill(
    symbols: Symbols,
    days: Annotated[int, typer.Option(min=1, max=10_000, help="How many days before today, UTC.")] = 90,
    exchange: ExchangeName = "binance",
    database_url: DatabaseUrl = None,
) -> None:
    """Fetch months of candles from the exchange.

    From midnight UTC of that many days ago to the last minute that is over: whole months and days from the exchange's
    public archives, held against their CHECKSUM files, the rest by its REST interface. No account is needed.

    Run it again whenever it was stopped: what is loaded is not fetched again. Minutes that the exchange itself lacks
    are told, not an error. `candlecast feed` keeps candles coming.

    Exit status: 0 all there, 1 a symbol, archive or candle is not, 69 the exchange cannot be reached; 128 and the
    signal's number where one ended it. docs/how-to/feed.md has addresses and limits.

    Example: `candlecast backfill --symbol BTCUSDT --days 90`

    Example: `candlecast backfill --symbol BTCUSDT --symbol ETHUSDT --days 365`
    """
    from candlecast.candles.history.backfill import backfill as run
    from candlecast.exchanges import exchange_named

    raise typer.Exit(run([symbol_of(symbol) for symbol in symbols], days, exchange_named(exchange), database_url))


def repair(
    symbols: Symbols,
    from_time: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            parser=time_of,
            metavar="TIME",
            help="First minute to look at; default: the oldest stored candle.",
            show_default=False,
        ),
    ] = None,
    to_time: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            parser=time_of,
            metavar="TIME",
            help="Where to stop, itself left out; default: now.",
            show_default=False,
        ),
    ] = None,
    gaps_only: Annotated[bool, typer.Option("--gaps-only", help="Fill what is missing, compare nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    exchange: ExchangeName = "binance",
    database_url: DatabaseUrl = None,
) -> None:
    """Fill gaps in stored candles, and correct those that the exchange has otherwise.

    Fetches the range from the exchange, as backfill does, and holds the table to it: minutes that are missing are
    filled, values that differ are corrected (a known spread_bps stays), and what the exchange has no candle for is
    told. A running feed need not be stopped.

    Exit status: as backfill's.

    Example: `candlecast repair --symbol BTCUSDT --dry-run`

    Example: `candlecast repair --symbol BTCUSDT --from 2026-03-01 --to 2026-03-08`

    Example: `candlecast repair --symbol BTCUSDT --gaps-only`
    """
    from candlecast.candles.history.repair import RepairOptions
    from candlecast.candles.history.repair import repair as run
    from candlecast.exchanges import exchange_named

    options = RepairOptions(from_time=from_time, to_time=to_time, gaps_only=gaps_only, dry_run=dry_run)
    raise typer.Exit(run([symbol_of(symbol) for symbol in symbols], options, exchange_named(exchange), database_url))
