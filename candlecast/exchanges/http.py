"""Requests to an exchange over HTTP, with retries (``retry``) and rate limits (``rate_limits``).

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
#: Timeouts for connecting, and between two chunks of a response, in seconds of real time.
_CONNECT_TIMEOUT, _READ_TIMEOUT = 5.0, 15.0
#: Retries of one request: about half a minute in all.
MAX_TRIES, _MAX_BACKOFF_SECONDS = 6, 15.0
MAX_CONCURRENT_REQUESTS = 4
#: Limit in bytes of a download. A month of candles has three million.
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
        self._is_answering = True  # or before the first request

    async def __aenter__(self) -> Self:
        """Connections are opened by the first request."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, params: dict[str, Any], *, weight: int, parse: Callable[[Any], Result]) -> Result:
        """Return ``parse`` of the JSON response; a response that it cannot parse (ValueError, ...) is requested again.

        Raises Unreachable after several attempts, HttpNotFound, RequestRefused.
        """

        async def request() -> Result:
            try:
                response = await self._request(path, params, weight)
                return parse(json.loads(response.content))
            except (ValueError, TypeError, LookupError, OverflowError) as error:
                reason = f"invalid response: {type(error).__name__}: {shorten(str(error))}"
                raise _Failed(reason) from error

        return await self._retry(request)

    async def download(self, path: str) -> bytes:
        """The file at this path. Raises Unreachable, HttpNotFound, RequestRefused."""

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
        """Log the first failure after a success."""
        if self._is_answering:
            what = plain(str(error) or type(error).__name__)
            _LOG.warning("%s: %s; retrying up to %s times", self._base_url, what, self._max_tries - 1)
        self._is_answering = False

    async def _receive(self, path: str) -> bytes:
        async with self._http.stream("GET", self._base_url + path) as response:
            if response.status_code != HTTPStatus.OK:
                await response.aread()
                self._limiter.update(response)
                self._raise_for_status(response)
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise RequestRefused(f"{self._base_url}{path} is larger than {_MAX_BYTES / 2**20:.0f} MiB", "")
        return bytes(content)

    async def _request(self, path: str, params: dict[str, Any], weight: int) -> httpx.Response:
        async with self._slots:
            await self._limiter.wait(weight)
            response = await self._http.get(self._base_url + path, params=params)
        self._limiter.update(response)
        self._raise_for_status(response)
        return response

    def _raise_for_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == HTTPStatus.OK:
            return
        reason = f"HTTP {status} {response.reason_phrase}".rstrip()
        if status in PAUSE_SECONDS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Failed(reason)
        self._is_answering = True
        if status == HTTPStatus.NOT_FOUND:
            raise HttpNotFound(f"{response.request.url} does not exist")
        if status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
            raise Unreachable(
                f"{self._base_url} does not serve this location ({reason})",
                "Set other addresses of the exchange: docs/how-to/feed.md lists them.",
            )
        raise RequestRefused(
            f"{self._base_url} rejected the request: {reason}: {shorten(response.text, 200)}", response.text[:1000]
        )


class _Failed(Exception):
    """A failure that a retry may fix."""
