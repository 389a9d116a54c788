"""What an exchange is to candlecast. A second one is one more module with a class that keeps to ``Exchange``.

    async with exchange_named("binance", Clock()) as exchange:
        for candle in await exchange.klines("BTCUSDT", first, last):
            ...

Times are microseconds since 1970-01-01 UTC, as everywhere in candlecast; those of a clock are seconds.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed minute of one symbol, as ``candles_1m`` has it."""

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
    spread_bps: float | None = None  #: None: no quotes were read


@dataclass(frozen=True, slots=True)
class Closed:
    """The stream's word that a minute is over, with its final candle."""

    candle: Candle


@dataclass(frozen=True, slots=True)
class Alive:
    """A message that asks for nothing: an open candle, a quote, an answer to a subscription."""

    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is none of the exchange's, or broken: why, and how it begins."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The exchange announces that it will close this connection: connect anew."""

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
    """A source of one-minute candles. Every call waits by the clock that the exchange was made with.

    Calls heed the exchange's limits by themselves and try again where that may help; what they raise is final for now.
    """

    name: str
    max_symbols: int  #: that one connection of the stream can carry

    async def __aenter__(self) -> Self:
        """Open what is needed."""

    async def __aexit__(self, *error: object) -> None:
        """Close it."""

    async def server_time(self) -> float:
        """Seconds since the epoch by the exchange's clock. Raises Unreachable."""

    async def klines(self, symbol: str, first: int, last: int) -> list[Candle]:
        """Candles with open_time in [first, last], ascending; a page at most, so ask again from the last one on.

        Which minutes are over is the caller's to know: one that is not comes as it stands. Minutes that the exchange
        has no candle for are left out. Raises Unreachable, UnknownSymbol.
        """

    def stream(
        self, symbols: Sequence[str], *, quotes: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """A connection that is subscribed to the symbols; iterating raises Disconnected when it ends.

        With ``quotes``, closed candles carry the spread of the last quote that came within their minute.
        """

    def archives(self, symbol: str, first: date, last: date) -> list[Archive]:
        """The files that hold these days: whole months where all their days are asked for, else days; ascending."""

    def days_of(self, archive: Archive) -> list[Archive]:
        """A month's archive as those of its days: for when the month is not published yet."""

    async def download(self, archive: Archive) -> bytes:
        """An archive's content, held against its CHECKSUM file.

        Raises NotPublished, ArchiveRefused (after fetching it again did not help), Unreachable.
        """
