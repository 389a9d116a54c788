"""The interface of an exchange. To add one, write a module with a class that implements ``Exchange``.

    async with exchange_named("binance", Clock()) as exchange:
        for candle in await exchange.klines("BTCUSDT", first, last):
            ...

Times are microseconds since 1970-01-01 UTC. Times of a clock are seconds.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed minute of one symbol, with the columns of ``candles_1m``."""

    symbol: str
    open_time: int  #: microseconds since the epoch, on the minute
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_asset_volume: float
    taker_buy_base_asset_volume: float
    taker_buy_quote_asset_volume: float
    number_of_trades: int
    spread_bps: float | None = None  #: None without quotes


@dataclass(frozen=True, slots=True)
class Closed:
    """A minute has closed; its final candle."""

    candle: Candle


@dataclass(frozen=True, slots=True)
class Alive:
    """A message that needs no action: an open candle, a quote, a reply to a subscription."""

    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that cannot be parsed: the reason, and the start of its text."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The exchange announces that it will close this connection: reconnect."""

    reason: str


Message = Closed | Alive | Unreadable | Ending


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of the exchange's public archive: whole days of one symbol's candles."""

    symbol: str
    name: str  #: 'BTCUSDT-1m-2026-03.zip'
    url: str
    first: date  #: first day in it
    last: date  #: last day in it


class Exchange(Protocol):
    """A source of one-minute candles. Every call waits by the clock that was passed to the exchange.

    Calls obey the exchange's rate limits and retry by themselves. An error that they raise is final.
    """

    name: str
    max_symbols: int  #: limit of symbols for one connection of the stream

    async def __aenter__(self) -> Self:
        """Open the resources."""

    async def __aexit__(self, *error: object) -> None:
        """Close them."""

    async def server_time(self) -> float:
        """Seconds since the epoch by the exchange's clock. Raises Unreachable."""

    async def klines(self, symbol: str, first: int, last: int) -> list[Candle]:
        """Candles with open_time in [first, last], ascending; at most one page. Call again for the next page.

        An unfinished minute is included with its current values; the caller must not request it. Minutes that the
        exchange has no candle for are omitted. Raises Unreachable, UnknownSymbol.
        """

    def stream(
        self, symbols: Sequence[str], *, quotes: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """A connection with subscriptions to the symbols. The iterator raises Disconnected when it ends.

        With ``quotes``, closed candles have the spread of the last quote within their minute.
        """

    def archives(self, symbol: str, first: date, last: date) -> list[Archive]:
        """The files for these days, ascending: a month's file if all its days are requested, else files of days."""

    def days_of(self, archive: Archive) -> list[Archive]:
        """The archives of a month's days, for a month that is not published yet."""

    async def download(self, archive: Archive) -> bytes:
        """An archive's content, checksum-verified.

        Raises NotPublished, ArchiveRefused (after several downloads), Unreachable.
        """
