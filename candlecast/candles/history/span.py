"""Limits of a download: a valid symbol name, the first candle, the last complete minute."""

from datetime import UTC, datetime

from rich.console import Console

from candlecast.candles.files import SYMBOL
from candlecast.candles.history.days import ONE_DAY
from candlecast.candles.history.runner import Context
from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain, shorten
from candlecast.core.times import ONE_MINUTE, describe_span, describe_time, microseconds_of, moment

#: Delay after a minute's end until its candle is final: the exchange is still adding the last trades.
CLOSING_SECONDS = 2.0


def find_closed_end(now: float) -> datetime:
    """Open time of the current, unfinished minute. ``now``: the exchange's time, seconds since the epoch."""
    return datetime.fromtimestamp((now - CLOSING_SECONDS) // 60 * 60, UTC)


def require_symbol(symbol: str) -> None:
    """Raise CandlecastUserError for an invalid name: it becomes part of URLs and file names."""
    if not SYMBOL.fullmatch(symbol) or "/" in symbol:
        raise CandlecastUserError(
            f"{shorten(symbol)} is not a symbol of an exchange", "Write it as the exchange does: --symbol BTCUSDT."
        )


async def find_listing_time(context: Context, symbol: str, start: datetime, end: datetime, err: Console) -> datetime:
    """``start``, or the time of the exchange's first candle if that is at least a day later.

    One request, which avoids requests for archives that cannot exist. Raises UnknownSymbol, and CandlecastUserError if
    the exchange has no candles in [start, end).
    """
    page = await context.exchange.klines(symbol, microseconds_of(start), microseconds_of(end - ONE_MINUTE))
    if not page:
        span = f"{describe_span(start, end)} UTC"
        raise CandlecastUserError(
            f"{context.exchange.name} has no candles of {plain(symbol)} from {span}",
            "Check the symbol's name. If it is no longer traded, choose an earlier time.",
        )
    first = moment(page[0].open_time)
    if first - start < ONE_DAY:
        return start
    err.print(f"{plain(symbol)}: the exchange's first candle is {describe_time(page[0].open_time)}", soft_wrap=True)
    return first
