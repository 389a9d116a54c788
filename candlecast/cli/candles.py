"""The commands that write candles: `load`, `feed`, `backfill`, `repair`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from candlecast.cli.options import DatabaseUrl, symbol_of, time_of

Symbols = Annotated[list[str], typer.Option("--symbol", help="Symbol on the exchange; repeatable.", show_default=False)]
ExchangeName = Annotated[str, typer.Option("--exchange", help="Source of the candles.")]


def load(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Candle files: zip, csv, csv.gz or parquet.", show_default=False),
    ],
    symbol: Annotated[
        str | None,
        typer.Option(help="Symbol of the files; default: from each file's name.", show_default=False),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Load files of one-minute candles into the database.

    Accepts the exchange's kline archives and exports of them. Each file is loaded in one transaction. Loading a file
    again changes nothing. Files are loaded in the given order, so later files overwrite earlier ones.

    Exit status: 0 all files loaded, 1 a file was rejected.

    Example: `candlecast load BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip`
    """
    from candlecast.candles.load import load_files

    if not load_files(files, symbol, database_url):
        raise typer.Exit(1)


def feed(
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", help="Symbol on the exchange; repeatable.", show_default="BTCUSDT"),
    ] = None,
    exchange: ExchangeName = "binance",
    quotes: Annotated[
        bool, typer.Option("--quotes", help="Best bid and ask too, for spread_bps (many more messages).")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Write each candle as it closes, until stopped (live feed).

    Candles come from the exchange's WebSocket stream. Missed candles are read over REST. The feed reads the last
    24 hours again at the start and the last hour every 7.5 to 15 minutes. For a longer history run
    `candlecast backfill`.

    Only one feed can write a symbol. `candlecast status` shows its state. docs/how-to/feed.md describes the behavior
    in each failure, and a systemd unit.

    Exit status: 0 stopped by SIGTERM, SIGINT or SIGHUP; 1 error; 75 another feed writes the symbol.

    Example: `candlecast feed --symbol BTCUSDT --symbol ETHUSDT`
    """
    from candlecast.candles.feed.command import feed as run
    from candlecast.candles.feed.options import FeedOptions

    run(exchange, [symbol_of(symbol) for symbol in symbols or ["BTCUSDT"]], database_url, FeedOptions(quotes=quotes))


def backfill(
    symbols: Symbols,
    days: Annotated[int, typer.Option(min=1, max=10_000, help="Number of days before today (UTC).")] = 90,
    exchange: ExchangeName = "binance",
    database_url: DatabaseUrl = None,
) -> None:
    """Download past candles from the exchange.

    The range starts N days ago at midnight UTC and ends with the last complete minute. Whole months and days come from
    the exchange's public archives (checksum-verified), the rest over REST. No account is needed.

    To continue an interrupted download, run the command again: stored candles are not downloaded again. Minutes that
    the exchange does not have are reported; they are not an error. Then run `candlecast feed` for new candles.

    Exit status: 0 complete; 1 a symbol failed or a candle was rejected; 69 the exchange cannot be reached; 128 + N
    stopped by signal N. docs/how-to/feed.md lists addresses and limits.

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
            help="Start time (inclusive); default: the oldest stored candle.",
            show_default=False,
        ),
    ] = None,
    to_time: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            parser=time_of,
            metavar="TIME",
            help="End time (exclusive); default: now.",
            show_default=False,
        ),
    ] = None,
    gaps_only: Annotated[bool, typer.Option("--gaps-only", help="Gaps only; no comparison of values.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; no changes.")] = False,
    exchange: ExchangeName = "binance",
    database_url: DatabaseUrl = None,
) -> None:
    """Fill gaps in stored candles and correct values that differ from the exchange.

    Downloads the range as `candlecast backfill` does and compares it with the stored candles. A stored spread_bps is
    kept. Minutes that the exchange does not have are reported. A running feed can continue.

    A TIME is 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z; UTC if it has no time zone.

    Exit status: 0 complete; 1 a symbol failed or a candle was rejected; 69 the exchange cannot be reached; 128 + N
    stopped by signal N.

    Example: `candlecast repair --symbol BTCUSDT --dry-run`

    Example: `candlecast repair --symbol BTCUSDT --from 2026-03-01 --to 2026-03-08`

    Example: `candlecast repair --symbol BTCUSDT --gaps-only`
    """
    from candlecast.candles.history.repair import RepairOptions
    from candlecast.candles.history.repair import repair as run
    from candlecast.exchanges import exchange_named

    options = RepairOptions(from_time=from_time, to_time=to_time, gaps_only=gaps_only, dry_run=dry_run)
    raise typer.Exit(run([symbol_of(symbol) for symbol in symbols], options, exchange_named(exchange), database_url))
