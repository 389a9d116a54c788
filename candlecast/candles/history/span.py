"""What can be asked of an exchange: a symbol's name, from its first candle to the last minute that is over."""

from datetime import UTC, datetime

from rich.console import Console

from candlecast.candles.files import SYMBOL
from candlecast.candles.history.days import ONE_DAY
from candlecast.candles.history.runner import Context
from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain, shorten
from candlecast.core.times import ONE_MINUTE, describe_span, describe_time, microseconds_of, moment

#: After a minute's end; then its candle is asked for: the exchange needs a moment for the last trades.
CLOSING_SECONDS = 2.0


def find_closed_end(now: float) -> datetime:
    """Open time of the minute that is not over yet at this time of the exchange, in seconds since the epoch."""
    return datetime.fromtimestamp((now - CLOSING_SECONDS) // 60 * 60, UTC)


def require_symbol(symbol: str) -> None:
    """Raise CandlecastUserError where this can be none's: it becomes part of addresses and file names."""
    if not SYMBOL.fullmatch(symbol) or "/" in symbol:
        raise CandlecastUserError(
            f"{shorten(symbol)} is no symbol of an exchange", "Name it as the exchange does: --symbol BTCUSDT."
        )


async def find_listing_time(context: Context, symbol: str, start: datetime, end: datetime, err: Console) -> datetime:
    """``start``, or the exchange's first candle of the symbol where that is a day later or more.

    One request, so that no archive is asked for that cannot be. Raises UnknownSymbol, and CandlecastUserError where
    the exchange has no candle at all in [start, end).
    """
    page = await context.exchange.klines(symbol, microseconds_of(start), microseconds_of(end - ONE_MINUTE))
    if not page:
        span = f"{describe_span(start, end)} UTC"
        raise CandlecastUserError(
            f"{context.exchange.name} has no candle of {plain(symbol)} from {span}",
            "Check the symbol's name; ask for an earlier time where it is traded no longer.",
        )
    first = moment(page[0].open_time)
    if first - start < ONE_DAY:
        return start
    err.print(f"{plain(symbol)}: the exchange's first candle is {describe_time(page[0].open_time)}", soft_wrap=True)
    return first
