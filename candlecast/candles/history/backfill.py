"""`candlecast backfill`: the last so many days of candles, from the exchange's archives and its REST interface.

What the table has already is not fetched again: neither days of which no minute is missing, nor archives that
``loaded_archives`` has and whose candles are still there. That is what makes an interrupted run go on.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from rich.console import Console

from candlecast.candles.files import SYMBOL
from candlecast.candles.history.coverage import Days, gaps, has_any, runs, unsettled_days
from candlecast.candles.history.importer import Filler, Outcome
from candlecast.candles.history.report import print_backfill
from candlecast.candles.history.runner import Session, run
from candlecast.client.display import console
from candlecast.client.progress import shown as progress
from candlecast.core.errors import CandlecastUserError, Unreachable
from candlecast.core.text import plain, shown
from candlecast.core.times import describe_time, microseconds_of, moment
from candlecast.exchanges.base import Exchange

#: Seconds after a minute's end from which on its candle is asked for: the exchange needs a moment for the last trades.
CLOSING = 2.0
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


def backfill(symbols: Sequence[str], days: int, exchange: Exchange, url: str | None = None) -> int:
    """Fill each symbol's last ``days`` days, UTC, up to the last minute that is over; the exit status.

    0: every minute that the exchange has is there. 1: one symbol is not through, an archive or candle was refused and
    its minutes did not come another way. 128 and more: a signal. Raises CandlecastUserError; Unreachable (69).
    """

    async def command(session: Session) -> int:
        outcomes: list[Outcome] = []
        err = console(stderr=True)
        try:
            for symbol in dict.fromkeys(symbols):
                outcome = Outcome(symbol)
                outcomes.append(outcome)
                try:
                    await _backfill(session, outcome, days, err)
                except Unreachable:
                    raise
                except CandlecastUserError as error:
                    outcome.failed = error
        finally:  # whatever stopped it: say what is loaded
            print_backfill(console(), outcomes)
        return int(any(not outcome.is_complete for outcome in outcomes))

    return run(command, exchange, url)


def closed_until(now: float) -> datetime:
    """Open time of the minute that is not over yet at this time of the exchange, in seconds since the epoch."""
    return datetime.fromtimestamp((now - CLOSING) // 60 * 60, UTC)


def require_symbol(symbol: str) -> None:
    """Raise CandlecastUserError where this can be none's: it becomes part of addresses and file names."""
    if not SYMBOL.fullmatch(symbol) or "/" in symbol:
        raise CandlecastUserError(
            f"{shown(symbol)} is no symbol of an exchange", "Name it as the exchange does: --symbol BTCUSDT."
        )


async def _backfill(session: Session, outcome: Outcome, days: int, err: Console) -> None:
    symbol = outcome.symbol
    require_symbol(symbol)
    end = closed_until(session.now)
    today = end.date()
    start = datetime.combine(today - days * _DAY, time(), UTC)
    if not await session.database(has_any, symbol, start, start + _DAY):
        start = await listed_since(session, symbol, start, end, err)
    wanted: list[date] = []
    if start.date() < today:
        wanted = await session.database(unsettled_days, symbol, Days(start.date(), today - _DAY))
    archives = [a for stretch in runs(wanted) for a in session.exchange.archives(symbol, stretch.first, stretch.last)]
    with progress(err, plain(symbol)) as show:
        filler = Filler(session, outcome, show)
        of_today = await session.database(gaps, symbol, max(start, end.replace(hour=0, minute=0)), end)
        await filler.archives(archives, sum(gap.minutes for gap in of_today))
        await filler.klines(await session.database(gaps, symbol, start, end))
    outcome.missing = await session.database(gaps, symbol, start, end)
    outcome.is_counted = True


async def listed_since(session: Session, symbol: str, start: datetime, end: datetime, err: Console) -> datetime:
    """``start``, or the exchange's first candle of the symbol where that is a day later or more.

    One request, so that no archive is asked for that cannot be. Raises UnknownSymbol, and CandlecastUserError where
    the exchange has no candle at all in [start, end).
    """
    page = await session.exchange.klines(symbol, microseconds_of(start), microseconds_of(end - _MINUTE))
    if not page:
        span = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
        raise CandlecastUserError(
            f"{session.exchange.name} has no candle of {plain(symbol)} from {span}",
            "Check the symbol's name; ask for an earlier time where it is traded no longer.",
        )
    first = moment(page[0].open_time)
    if first - start < _DAY:
        return start
    err.print(f"{plain(symbol)}: the exchange's first candle is {describe_time(page[0].open_time)}", soft_wrap=True)
    return first
