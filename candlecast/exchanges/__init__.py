"""The exchanges that candles come from: ``base`` says what one is, the others but ``binance`` are what they share."""

from candlecast.core.errors import CandlecastUserError
from candlecast.exchanges.base import Exchange
from candlecast.exchanges.clock import Clock


def exchange_named(name: str, clock: Clock | None = None) -> Exchange:
    """The exchange of this name, with the addresses that the environment gives it. Raises CandlecastUserError."""
    if name != "binance":
        raise CandlecastUserError(f"there is no exchange {name!r} here", "Use --exchange binance.")
    from candlecast.exchanges.binance import Binance

    return Binance.from_environment(clock or Clock())
