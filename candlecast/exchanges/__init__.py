"""Exchanges: ``base`` defines the interface, ``binance`` implements it, the other modules are shared code."""

from candlecast.core.errors import CandlecastUserError
from candlecast.exchanges.base import Exchange
from candlecast.exchanges.clock import Clock


def exchange_named(name: str, clock: Clock | None = None) -> Exchange:
    """The exchange of this name, with addresses from the environment. Raises CandlecastUserError."""
    if name != "binance":
        raise CandlecastUserError(f"unknown exchange {name!r}", "Use --exchange binance.")
    from candlecast.exchanges.binance import Binance

    return Binance.from_environment(clock or Clock())
