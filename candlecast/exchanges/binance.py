"""Binance spot: public market data, no key. docs/how-to/feed.md has the sources of what is said here about it.

async with Binance.from_environment(Clock()) as exchange:
    await exchange.klines("BTCUSDT", first, last)
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from candlecast.core.errors import (
    ArchiveRefused,
    CandlecastUserError,
    Disconnected,
    HttpNotFound,
    NotPublished,
    RequestRefused,
    UnknownSymbol,
    Unreachable,
)
from candlecast.core.text import shorten
from candlecast.core.times import MINUTE_US
from candlecast.exchanges.base import Alive, Archive, Candle, Closed, Ending, Message, Unreadable
from candlecast.exchanges.clock import Clock
from candlecast.exchanges.http import HttpClient
from candlecast.exchanges.rate_limits import Limits

_LOG = logging.getLogger("candlecast.exchanges")
#: Where public market data are served; the environment's CANDLECAST_BINANCE_{REST,STREAM,ARCHIVE}_URL replace these.
REST_URL = "https://data-api.binance.vision"
STREAM_URL = "wss://data-stream.binance.vision"
ARCHIVE_URL = "https://data.binance.vision"
WEIGHT_PER_MINUTE = 6000
_PAGE = 1000
#: Of an answer that refuses: no such symbol; characters that no symbol has.
_INVALID_SYMBOL = {-1121, -1100}
#: Seconds, real ones: for the opening handshake, and for a connection that we close to say good-bye.
_OPEN_TIMEOUT, _CLOSE_TIMEOUT = 10.0, 1.0
_MAX_DOWNLOADS = 3
_QUOTE = "@bookTicker"
#: How every message of a combined stream begins; the stream's name follows.
_ENVELOPE = '{"stream":"'


class Binance:
    """The exchange, by its REST interface, its combined streams and its public archive."""

    name = "binance"
    #: The exchange carries 1024 streams a connection; a request line with more than about 400 names is refused before.
    max_symbols = 200

    def __init__(
        self,
        clock: Clock,
        rest_url: str = REST_URL,
        stream_url: str = STREAM_URL,
        archive_url: str = ARCHIVE_URL,
        weight_limit: int = WEIGHT_PER_MINUTE,
    ) -> None:
        self._clock = clock
        self._stream_url = stream_url.rstrip("/")
        self._archive_url = archive_url.rstrip("/")
        self._rest = HttpClient(clock, rest_url, Limits(weight_limit, "X-MBX-USED-WEIGHT-1M"))
        self._files = HttpClient(clock, archive_url)

    @classmethod
    def from_environment(cls, clock: Clock) -> Self:
        """With the addresses of CANDLECAST_BINANCE_*_URL where they are set. Raises CandlecastUserError."""
        return cls(
            clock,
            _address("CANDLECAST_BINANCE_REST_URL", REST_URL, "http"),
            _address("CANDLECAST_BINANCE_STREAM_URL", STREAM_URL, "ws"),
            _address("CANDLECAST_BINANCE_ARCHIVE_URL", ARCHIVE_URL, "http"),
        )

    async def __aenter__(self) -> Self:
        """Nothing is connected before it is asked for."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._rest.__aexit__(*error)
        await self._files.__aexit__(*error)

    async def server_time(self) -> float:
        """As ``Exchange``: GET /api/v3/time."""
        return await self._rest.get("/api/v3/time", {}, weight=1, parse=lambda body: int(body["serverTime"]) / 1e3)

    async def klines(self, symbol: str, first: int, last: int) -> list[Candle]:
        """As ``Exchange``: GET /api/v3/klines, at most 1,000."""
        params = {
            "symbol": symbol,
            "interval": "1m",
            "startTime": first // 1000,
            "endTime": last // 1000,
            "limit": _PAGE,
        }

        def parse(body: Any) -> list[Candle]:
            candles = [_candle_of_row(symbol, row) for row in body]
            times = [candle.open_time for candle in candles]
            if times != sorted(set(times)) or (times and not first <= times[0] <= times[-1] <= last):
                raise ValueError("klines out of order or out of the range that was asked for")
            return candles

        try:
            return await self._rest.get("/api/v3/klines", params, weight=2, parse=parse)
        except RequestRefused as error:
            if _code(error.answer) in _INVALID_SYMBOL:
                raise UnknownSymbol(
                    f"Binance has no symbol {shorten(symbol)}", "Name one that is traded there, as BTCUSDT."
                ) from None
            raise

    @asynccontextmanager
    async def stream(self, symbols: Sequence[str], *, quotes: bool = False) -> AsyncIterator[AsyncIterator[Message]]:
        """As ``Exchange``: one combined stream of <symbol>@kline_1m, and of <symbol>@bookTicker with quotes."""
        names = [f"{symbol.lower()}@kline_1m" for symbol in symbols]
        if quotes:
            names += [f"{symbol.lower()}{_QUOTE}" for symbol in symbols]
        try:
            # The exchange's pings are answered by the library; silence is judged by who reads, on the clock.
            connection = await connect(
                f"{self._stream_url}/stream?streams={'/'.join(names)}",
                open_timeout=_OPEN_TIMEOUT,
                close_timeout=_CLOSE_TIMEOUT,
                ping_interval=None,
                compression=None,  # a candle is 400 bytes: what deflate keeps in memory is more
                max_queue=1024,  # while the database is slow pings are heard, and answered
                user_agent_header="candlecast",
            )
        except (OSError, WebSocketException) as error:
            raise Unreachable(
                f"{self._stream_url} cannot be reached: {str(error) or type(error).__name__}",
                "Check the network, or wait; docs/how-to/feed.md says which addresses are used and how to change them.",
            ) from None
        try:
            yield _messages(connection)
        finally:
            await connection.close()

    def archives(self, symbol: str, first: date, last: date) -> list[Archive]:
        """As ``Exchange``: data/spot/monthly where all of a month's days are asked for, else data/spot/daily."""
        found = []
        day = first
        while day <= last:
            end = _month_end(day)
            if day.day == 1 and end <= last:
                found.append(self._archive(symbol, day, end))
            else:
                end = day
                found.append(self._archive(symbol, day, day))
            day = end + timedelta(days=1)
        return found

    def days_of(self, archive: Archive) -> list[Archive]:
        """As ``Exchange``."""
        count = (archive.last - archive.first).days + 1
        days = [archive.first + timedelta(days=number) for number in range(count)]
        return [self._archive(archive.symbol, day, day) for day in days]

    async def download(self, archive: Archive) -> bytes:
        """As ``Exchange``: NAME.zip, and NAME.zip.CHECKSUM with its SHA-256."""
        path = archive.url.removeprefix(self._archive_url)
        why = ""
        for number in range(1, _MAX_DOWNLOADS + 1):
            try:
                content = await self._files.download(path)
                promised = (await self._files.download(f"{path}.CHECKSUM")).decode(errors="replace").split()
            except HttpNotFound:
                raise NotPublished(f"{archive.name} is not published") from None
            found = hashlib.sha256(content).hexdigest()
            if promised[:1] == [found]:
                return content
            said = shorten(" ".join(promised[:1])[:12])
            why = f"its SHA-256 begins with {found[:12]!r}, its CHECKSUM file with {said}"
            _LOG.warning("%s refused, try %s of %s: %s", archive.name, number, _MAX_DOWNLOADS, why)
        raise ArchiveRefused(f"{archive.name}: {why}, {_MAX_DOWNLOADS} times", "Try later, or load it by hand.")

    def _archive(self, symbol: str, first: date, last: date) -> Archive:
        period, stamp = ("daily", f"{first:%Y-%m-%d}") if first == last else ("monthly", f"{first:%Y-%m}")
        name = f"{symbol}-1m-{stamp}.zip"
        return Archive(symbol, name, f"{self._archive_url}/data/spot/{period}/klines/{symbol}/1m/{name}", first, last)


def _address(variable: str, default: str, scheme: str) -> str:
    address = os.environ.get(variable) or default
    if not re.fullmatch(rf"{scheme}s?://[^\s/?#]+[^\s?#]*", address):
        raise CandlecastUserError(f"{variable} is no address: {shorten(address)}", f"Write it like {default}.")
    return address


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _code(answer: str) -> int | None:
    try:
        code = json.loads(answer)["code"]
    except (ValueError, TypeError, KeyError):
        return None
    return code if isinstance(code, int) else None


def _candle_of_row(symbol: str, row: Sequence[Any]) -> Candle:
    """A kline as the REST interface writes it. Raises ValueError, TypeError, IndexError."""
    open_time, opened, high, low, close, volume, close_time, quote_volume, trades, taker_base, taker_quote = row[:11]
    _require_minute(open_time, close_time)
    prices = (float(opened), float(high), float(low), float(close))
    volumes = (float(volume), float(quote_volume), float(taker_base), float(taker_quote))
    return Candle(symbol, open_time * 1000, *prices, *volumes, int(trades))


def _require_minute(open_time: int, close_time: int) -> None:
    if (open_time * 1000) % MINUTE_US or close_time - open_time != MINUTE_US // 1000 - 1:
        raise ValueError(f"no minute: {open_time} to {close_time}")


async def _messages(connection: ClientConnection) -> AsyncIterator[Message]:
    """What each text of the connection says; a quote is kept as text until its symbol's minute closes."""
    newest_quote: dict[str, str] = {}
    try:
        async for text in connection:
            if isinstance(text, bytes):
                yield Unreadable(f"a binary frame of {len(text)} bytes, where the exchange sends text")
                continue
            if text.startswith(_ENVELOPE):
                stream = text[len(_ENVELOPE) : text.find('"', len(_ENVELOPE))]
                if stream.endswith(_QUOTE):
                    newest_quote[stream.removesuffix(_QUOTE).upper()] = text
                    yield Alive()
                    continue
            yield _read(text, newest_quote)
    except ConnectionClosed as error:
        raise Disconnected(f"the connection ended: {error}") from None
    raise Disconnected("the exchange closed the connection")


def _read(text: str, newest_quote: dict[str, str]) -> Message:
    try:
        message = json.loads(text)
        data = message.get("data", message)
        if data.get("e") == "serverShutdown":
            return Ending("the exchange announced that it closes the connection")
        if data.get("e") != "kline":
            return Alive()
        kline = data["k"]
        if kline["i"] != "1m":
            raise ValueError(f"interval {kline['i']}")
        symbol = kline["s"]
        if kline["x"] is not True:
            return Alive(symbol)
        _require_minute(kline["t"], kline["T"])
        prices = (float(kline["o"]), float(kline["h"]), float(kline["l"]), float(kline["c"]))
        volumes = (float(kline["v"]), float(kline["q"]), float(kline["V"]), float(kline["Q"]))
        spread = _spread(newest_quote.pop(symbol, None))
        return Closed(Candle(symbol, kline["t"] * 1000, *prices, *volumes, int(kline["n"]), spread))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return Unreadable(f"a message cannot be read ({type(error).__name__}: {error}): {shorten(text)}")


def _spread(text: str | None) -> float | None:
    """(ask - bid) / their mean, in basis points; None where there is no quote, or none that makes sense."""
    if text is None:
        return None
    try:
        data = json.loads(text)["data"]
        bid, ask = float(data["b"]), float(data["a"])
    except (ValueError, TypeError, KeyError):
        return None
    return 2e4 * (ask - bid) / (ask + bid) if 0 < bid <= ask < float("inf") else None
