"""Asks an exchange over HTTP: tries again where that may help (``retry``), as often as it may (``rate_limits``).

async with HttpClient(clock, "https://data-api.binance.vision", limits) as client:
    rows = await client.get("/api/v3/klines", {"symbol": "BTCUSDT"}, weight=2, parse=list)
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Self, TypeVar

import httpx

from candlecast.core.errors import HttpNotFound, RequestRefused, Unreachable
from candlecast.core.text import plain, shorten
from candlecast.exchanges.clock import Clock
from candlecast.exchanges.rate_limits import PAUSE_SECONDS, Limits, RateLimiter, unreachable
from candlecast.exchanges.retry import retry

Result = TypeVar("Result")
_LOG = logging.getLogger("candlecast.exchanges")
#: Seconds, real ones whatever the clock: to connect, and between two pieces of an answer.
_CONNECT_TIMEOUT, _READ_TIMEOUT = 5.0, 15.0
#: Of one request: about half a minute in all.
MAX_TRIES, _MAX_BACKOFF_SECONDS = 6, 15.0
MAX_CONCURRENT_REQUESTS = 4
#: Bytes of a file that is downloaded: a month of candles has three million.
_MAX_BYTES = 2**26


class HttpClient:
    """One base URL, its limits and its connections. Use it as an async context manager."""

    def __init__(self, clock: Clock, base_url: str, limits: Limits | None = None, max_tries: int = MAX_TRIES) -> None:
        self._clock, self._base_url, self._max_tries = clock, base_url.rstrip("/"), max_tries
        self._limiter = RateLimiter(clock, self._base_url, limits)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(_READ_TIMEOUT, connect=_CONNECT_TIMEOUT),
            follow_redirects=True,
            headers={"User-Agent": "candlecast"},
        )
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        self._is_answering = True  # or was not asked yet

    async def __aenter__(self) -> Self:
        """Nothing is connected before it is asked for."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, params: dict[str, Any], *, weight: int, parse: Callable[[Any], Result]) -> Result:
        """What ``parse`` makes of the JSON answer; a body that it cannot read (ValueError, ...) is asked for again.

        Raises Unreachable after several tries, HttpNotFound, RequestRefused.
        """

        async def ask() -> Result:
            try:
                answer = await self._ask(path, params, weight)
                return parse(json.loads(answer.content))
            except (ValueError, TypeError, LookupError, OverflowError) as error:
                reason = f"its answer cannot be read: {type(error).__name__}: {shorten(str(error))}"
                raise _Failed(reason) from error

        return await self._retry(ask)

    async def download(self, path: str) -> bytes:
        """The file that lies there. Raises Unreachable, HttpNotFound, RequestRefused."""

        async def receive() -> bytes:
            async with self._slots:
                await self._limiter.wait()
                return await self._receive(path)

        return await self._retry(receive)

    async def _retry(self, work: Callable[[], Awaitable[Result]]) -> Result:
        failures = (httpx.RequestError, _Failed)
        try:
            result = await retry(
                work,
                self._clock,
                failures,
                max_wait=_MAX_BACKOFF_SECONDS,
                max_tries=self._max_tries,
                on_failure=self._log_failure,
            )
        except failures as error:
            raise unreachable(self._base_url, str(error) or type(error).__name__) from None
        self._is_answering = True
        return result

    def _log_failure(self, error: Exception, _wait: float | None) -> None:
        """Where the exchange answered until then."""
        if self._is_answering:
            what = plain(str(error) or type(error).__name__)
            _LOG.warning("%s: %s; asked again, up to %s times", self._base_url, what, self._max_tries - 1)
        self._is_answering = False

    async def _receive(self, path: str) -> bytes:
        async with self._http.stream("GET", self._base_url + path) as answer:
            if answer.status_code != HTTPStatus.OK:
                await answer.aread()
                self._limiter.heed(answer)
                self._judge(answer)
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise RequestRefused(f"{self._base_url}{path} has more than {_MAX_BYTES / 2**20:.0f} MiB", "")
        return bytes(content)

    async def _ask(self, path: str, params: dict[str, Any], weight: int) -> httpx.Response:
        async with self._slots:
            await self._limiter.wait(weight)
            answer = await self._http.get(self._base_url + path, params=params)
        self._limiter.heed(answer)
        self._judge(answer)
        return answer

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == HTTPStatus.OK:
            return
        said = f"HTTP {status} {answer.reason_phrase}".rstrip()
        if status in PAUSE_SECONDS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Failed(said)
        self._is_answering = True
        if status == HTTPStatus.NOT_FOUND:
            raise HttpNotFound(f"{answer.request.url} does not exist")
        if status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
            raise Unreachable(
                f"{self._base_url} does not serve this location ({said})",
                "Set the exchange's addresses to ones that do: docs/how-to/feed.md has them.",
            )
        raise RequestRefused(f"{self._base_url} refuses: {said}: {shorten(answer.text, 200)}", answer.text[:1000])


class _Failed(Exception):
    """An answer that another try may better."""
