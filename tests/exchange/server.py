"""The server of the stand-in: REST, stream and archive on one port of 127.0.0.1."""

import asyncio
import math
import re
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler

from candlecast.exchanges.clock import Clock

from .archives import Archives, checksum
from .candles import Market
from .frames import kline_row
from .limits import Counters, Limits, Refusal
from .stream import Stream

_PAGE, _DEFAULT_PAGE = 1000, 500
_STREAMS = 1024
#: Timeout of a pong in seconds; seconds in which requests sent before a refusal may arrive.
_PONG_WITHIN, _GRACE = 60.0, 1.0
_SYMBOL = re.compile(r"[A-Z0-9\-_.]{1,20}")
#: Duration in seconds of random refusals.
_PAUSE, _BAN = (60, 120), (120, 180)
_NUMBER = web.RequestKey("number", int)
_FAULT = web.RequestKey("fault", str | None)
_USED = "X-MBX-USED-WEIGHT-1M"


class StandIn:
    """An exchange that serves ``market`` by ``clock``. Use it as an async context manager."""

    def __init__(
        self,
        market: Market,
        clock: Clock,
        *,
        weight_limit: int = 6000,
        update_every: float = 2.0,
        rest_lag: float = 0.5,
        connection_hours: float = 24.0,
        grace: float = 10.0,
        pong_grace: float = 60.0,
        port: int = 0,
    ) -> None:
        """``update_every``: seconds between two frames of an open candle; ``rest_lag``: delay of REST in seconds.

        ``grace``: real seconds for the client's responses, if the clock is so fast that its own seconds are too short.
        ``pong_grace``: the same for a pong. While a thousand frames wait for its database, a client reads no further
        and gets no ping. The database is not faster on a fast clock, so this soon happens on a loaded machine.
        Therefore a pong also has the exchange's minute in real seconds.
        """
        self.market, self.clock, self.counters = market, clock, Counters()
        late, late_pong = (seconds * clock.speed if clock.speed > 1 else 0.0 for seconds in (grace, pong_grace))
        self.limits = Limits(clock, self.counters, weight_limit, max(_GRACE, late))
        self._pong_within = max(_PONG_WITHIN, late_pong)
        self.archives = Archives(market)
        self.update_every, self.rest_lag, self.longest_connection = update_every, rest_lag, connection_hours * 3600.0
        self.streams: set[Stream] = set()
        self.defects: list[Exception] = []  #: errors of the stand-in itself
        self._corrupted: dict[str, list[str]] = {}
        self._port = port
        self._is_out = False
        self._site: web.TCPSite | None = None
        self._runner: web.AppRunner

    @property
    def rest_url(self) -> str:
        """The value of CANDLECAST_BINANCE_REST_URL."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def stream_url(self) -> str:
        """The value of CANDLECAST_BINANCE_STREAM_URL."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def archive_url(self) -> str:
        """The value of CANDLECAST_BINANCE_ARCHIVE_URL."""
        return self.rest_url

    def environment(self) -> dict[str, str]:
        """The three environment variables that make candlecast use this server."""
        urls = {"REST": self.rest_url, "STREAM": self.stream_url, "ARCHIVE": self.archive_url}
        return {f"CANDLECAST_BINANCE_{name}_URL": url for name, url in urls.items()}

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._watch])
        app.router.add_get("/api/v3/time", self._time)
        app.router.add_get("/api/v3/klines", self._klines)
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/data/{path:.*}", self._archive)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._open()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._abort_streams()
        await self._runner.cleanup()
        if self.defects:
            raise ExceptionGroup("the stand-in failed", self.defects)

    async def begin_outage(self, *, resetting: bool = False) -> None:
        """Abort all connections and refuse new ones; ``resetting``: accept and reset them."""
        self._is_out = True  # keep-alive connections are reset in both cases
        if not resetting and self._site:
            await self._site.stop()
            self._site = None
        self._abort_streams()

    async def end_outage(self) -> None:
        """Serve again, on the same port."""
        self._is_out = False
        if self._site is None:
            await self._open()

    def drop_connections(self) -> None:
        """Abort all streams; new ones are accepted."""
        self._abort_streams()

    async def close_streams(self, reason: str) -> None:
        """Close all streams with this reason."""
        for stream in list(self.streams):
            await stream.close(reason)

    async def send(self, text: str) -> None:
        """Send a text to all streams."""
        for stream in list(self.streams):
            await stream.send_text(text)

    def unanswered_pings(self) -> list[float]:
        """The age in seconds of the oldest ping without a pong, for each stream that has one."""
        return [stream.oldest_ping_age for stream in self.streams if not stream.is_silent and stream.oldest_ping_age]

    def corrupt(self, name: str, *faults: str) -> None:
        """Set faults (of ARCHIVE_FAULTS) for the next downloads of the archive ``name``, one each."""
        self._corrupted.setdefault(name, []).extend(faults)

    async def _open(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = self._site._server.sockets[0].getsockname()[1]

    def _abort_streams(self) -> None:
        for stream in list(self.streams):
            stream.abort()

    @web.middleware
    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:
            self.defects.append(error)
            raise

    async def _time(self, request: web.Request) -> web.StreamResponse:
        if refused := await self._refusal(request, "time", 1):
            return refused
        return self._json(f'{{"serverTime":{int(self.clock.now() * 1000)}}}')

    async def _klines(self, request: web.Request) -> web.StreamResponse:
        if refused := await self._refusal(request, "klines", 2):
            return refused
        query = request.query
        symbol = query.get("symbol", "")
        if not symbol:
            return self._error(400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        if not _SYMBOL.fullmatch(symbol):
            legal = "'^[A-Z0-9-_.]{1,20}$'"
            return self._error(400, -1100, f"Illegal characters found in parameter 'symbol'; legal range is {legal}.")
        if symbol not in self.market.symbols:
            return self._error(400, -1121, "Invalid symbol.")
        if query.get("interval") != "1m":
            return self._error(400, -1120, "Invalid interval.")
        numbers = {}
        for name in ("startTime", "endTime", "limit"):
            if name in query:
                if not query[name].isdigit():
                    legal = "'^[0-9]{1,20}$'"
                    return self._error(
                        400, -1100, f"Illegal characters found in parameter '{name}'; legal range is {legal}."
                    )
                numbers[name] = int(query[name])
        rows = self._page(symbol, numbers.get("startTime"), numbers.get("endTime"), numbers.get("limit", _DEFAULT_PAGE))
        body = "[" + ",".join(map(kline_row, rows)) + "]"
        fault = request.get(_FAULT)
        if fault == "malformed body":
            body = (body[: len(body) // 2], "<html>", '{"rows":1}', body.replace('"', "'"))[request[_NUMBER] % 4]
        if fault == "body cut off":
            return await self._cut_off(request, body)
        return self._json(body)

    def _page(self, symbol: str, start: int | None, end: int | None, limit: int) -> list:
        """The first ``limit`` candles from ``start`` on, else the last ones. Times in milliseconds, inclusive."""
        now = self.clock.now() - self.rest_lag
        limit = min(max(limit, 1), _PAGE)
        last = now if end is None else min(now, end / 1000)
        newest = math.floor(last / 60) * 60
        if start is None:
            return self.market.rows(symbol, newest - (limit - 1) * 60, newest, now)
        first = max(-(-start // 60_000) * 60, self.market.first)
        newest = min(newest, self.market.last)
        rows: list = []
        while first <= newest and len(rows) < limit:  # in steps, because the range may be months
            last = min(newest, first + (limit - len(rows) - 1) * 60)
            rows += self.market.rows(symbol, first, last, now)
            first = last + 60
        return rows

    async def _archive(self, request: web.Request) -> web.StreamResponse:
        counters = self.counters
        counters.requests["archive"] += 1
        if self._is_out:
            return self._reset(request)
        found = self.archives.find(request.path, self.clock.now())
        if found is None:
            return self._answer(404, "<Error><Code>NoSuchKey</Code></Error>", "application/xml")
        name, content = found
        archive = name.removesuffix(".CHECKSUM")
        pending = self._corrupted.get(archive, [])
        is_checksum = name != archive
        # "wrong checksum" applies to the CHECKSUM file, the other faults to the archive.
        fault = None
        if pending and is_checksum == (pending[0] == "wrong checksum"):
            fault = pending.pop(0)
        elif not pending:
            drawn = self.market.faults.of_download(counters.requests["archive"], self.clock.now())
            fault = drawn if is_checksum == (drawn == "wrong checksum") else None
        if fault:
            counters.faults[fault] += 1
        if fault == "archive 5xx":
            return self._answer(503, "<Error><Code>SlowDown</Code></Error>", "application/xml")
        if fault == "truncated zip":
            content = content[: len(content) // 2]
        if fault == "wrong checksum":
            content = checksum(archive, content)
        return web.Response(body=content, content_type="binary/octet-stream")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        counters = self.counters
        counters.requests["stream"] += 1
        if self._is_out:
            return self._reset(request)
        if not self.limits.admit_connection():
            return self._answer(429, "", "text/plain", {"Retry-After": "300"})
        names = [name for name in request.query.get("streams", "").split("/") if name]
        if not names or len(names) > _STREAMS:
            return self._answer(400, "", "text/plain")
        counters.connections += 1
        fault, life = self.market.faults.of_connection(counters.connections, self.clock.now())
        if fault == "handshake refused":
            counters.faults[fault] += 1
            return self._answer(503, "", "text/plain")
        socket = web.WebSocketResponse(autoping=False, compress=False, timeout=0.1)
        await socket.prepare(request)
        stream = Stream(socket, request, self.market, self.clock, counters, self._pong_within)
        if self._is_out:  # the outage began during the handshake
            stream.abort()
            return socket
        self.streams.add(stream)
        try:
            await stream.serve(names, fault, life, self.longest_connection, self.update_every)
        finally:
            self.streams.discard(stream)
        return socket

    async def _refusal(self, request: web.Request, path: str, weight: int) -> web.StreamResponse | None:
        """Count the request; returns a response if limits or faults prevent the regular one."""
        counters = self.counters
        counters.requests[path] += 1
        if self._is_out:
            return self._reset(request)
        connection = request.transport and request.transport.get_extra_info("peername")
        if refusal := self.limits.admit(weight, connection):
            return self._refuse(refusal)
        counters.klines_drawn += path == "klines"
        request[_NUMBER] = sum(counters.requests[path] for path in ("time", "klines"))
        faults = self.market.faults
        fault = request[_FAULT] = faults.of_request(request[_NUMBER], self.clock.now())
        if fault is None:
            return None
        if path == "time" and fault in ("malformed body", "body cut off"):
            request[_FAULT] = None
            return None
        counters.faults[fault] += 1
        draw = faults.drawn("answer", request[_NUMBER])
        if fault == "429":
            return self._refuse(self.limits.pause(draw.randint(*_PAUSE), connection))
        if fault == "418":
            return self._refuse(self.limits.ban(draw.randint(*_BAN), connection))
        if fault == "5xx":
            return self._answer(draw.choice((500, 502, 503, 504)), "<html>error</html>", "text/html", self._used())
        return None

    def _refuse(self, refusal: Refusal) -> web.Response:
        limit = f"current limit is {self.limits.weight_limit} request weight per 1 MINUTE"
        messages = {
            429: f"Too much request weight used; {limit}. Please use WebSocket Streams for live updates.",
            418: f"Way too much request weight used; IP banned until {int(self.clock.now() + refusal.retry_after)}000.",
        }
        headers = {"Retry-After": str(refusal.retry_after)}
        return self._error(refusal.status, -1003, messages[refusal.status], headers)

    def _error(self, status: int, code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
        return self._answer(status, f'{{"code":{code},"msg":"{message}"}}', "application/json", self._used(headers))

    def _json(self, body: str) -> web.Response:
        return self._answer(200, body, "application/json", self._used())

    def _used(self, headers: dict[str, str] | None = None) -> dict[str, str]:
        return {_USED: str(self.limits.used())} | (headers or {})

    def _answer(self, status: int, body: str, content_type: str, headers: dict[str, str] | None = None) -> web.Response:
        self.counters.answers[status] += 1
        return web.Response(status=status, text=body, content_type=content_type, headers=headers)

    async def _cut_off(self, request: web.Request, body: str) -> web.StreamResponse:
        response = web.StreamResponse(headers=self._used())
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2].encode())
        await asyncio.sleep(0)
        request.transport.abort()
        return response

    @staticmethod
    def _reset(request: web.Request) -> web.Response:
        request.transport.abort()
        return web.Response()
