"""`candlecast backfill`: downloads the candles of the last N days from the exchange's archives and over REST.

Complete days are skipped, and so are archives that are recorded in ``loaded_archives`` and whose candles are still
stored. So a new run continues an interrupted one.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from rich.console import Console

from candlecast.candles.gaps import find_gaps
from candlecast.candles.history.coverage import find_unsettled_days, has_candles
from candlecast.candles.history.days import ONE_DAY, Days
from candlecast.candles.history.importer import Importer
from candlecast.candles.history.outcome import Outcome
from candlecast.candles.history.report import print_backfill
from candlecast.candles.history.runner import Context, run_symbols
from candlecast.candles.history.span import find_closed_end, find_listing_time, require_symbol
from candlecast.client.display import console
from candlecast.client.progress import show_progress
from candlecast.core.text import plain
from candlecast.exchanges.base import Exchange


def backfill(symbols: Sequence[str], days: int, exchange: Exchange, url: str | None = None) -> int:
    """Download each symbol's last ``days`` days (UTC), up to the last complete minute.

    Returns the exit status of ``run_symbols``. Raises CandlecastUserError; Unreachable (69).
    """
    err = console(stderr=True)

    async def work(context: Context, outcome: Outcome) -> None:
        await _backfill(context, outcome, days, err)

    return run_symbols(symbols, work, lambda outcomes: print_backfill(console(), outcomes), exchange, url)


async def _backfill(context: Context, outcome: Outcome, days: int, err: Console) -> None:
    symbol = outcome.symbol
    require_symbol(symbol)
    end = find_closed_end(context.now)
    today = end.date()
    start = datetime.combine(today - days * ONE_DAY, time(), UTC)
    if not await context.execute(has_candles, symbol, start, start + ONE_DAY):
        start = await find_listing_time(context, symbol, start, end, err)
    wanted: list[date] = []
    if start.date() < today:
        wanted = await context.execute(find_unsettled_days, symbol, Days(start.date(), today - ONE_DAY))
    with show_progress(err, plain(symbol)) as show:
        importer = Importer(context, outcome, show)
        of_today = await context.execute(find_gaps, symbol, max(start, end.replace(hour=0, minute=0)), end)
        await importer.import_days(wanted, sum(gap.minutes for gap in of_today))
        await importer.import_klines(await context.execute(find_gaps, symbol, start, end))
    outcome.missing = await context.execute(find_gaps, symbol, start, end)
    outcome.is_counted = True
