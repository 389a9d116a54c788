"""Finds candles for predictions: the newest one, and the one that a run waits for."""

import time
from collections.abc import Collection, Iterator

from candlecast.server.session import Session

#: Seconds between two checks for a candle.
POLL_SECONDS = 0.004

_ARRIVED = "select from public.candles_1m where symbol = $1 and open_time = to_timestamp($2)"


def newest_candle(symbol: str, until: str) -> str:
    """A subquery: open_time and close of the newest candle up to a time; both arguments are SQL expressions."""
    return f"""(
    select open_time, close from public.candles_1m
    where symbol = {symbol} and open_time <= {until} order by open_time desc limit 1
)"""


def has_candle(session: Session, symbol: str, candle_time: float) -> bool:
    """Whether the candle of candle_time (epoch seconds) is stored."""
    return len(session.rows(_ARRIVED, ["text", "float8"], [symbol, candle_time])) > 0


def await_candles(session: Session, symbols: Collection[str], candle_time: float, deadline: float) -> Iterator[str]:
    """Yield each symbol when its candle of candle_time arrives, until all have arrived or the deadline has passed."""
    waiting = set(symbols)
    while waiting:
        for symbol in sorted(waiting):
            if has_candle(session, symbol, candle_time):
                waiting.remove(symbol)
                yield symbol
        if not waiting or session.now() >= deadline:
            return
        time.sleep(POLL_SECONDS)
