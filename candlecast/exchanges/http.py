"""Asks an exchange over HTTP: tries again where that may help, and never asks more often than it may.

    async with HttpClient(clock, "https://data-api.binance.vision", limits) as client:
        rows = await client.get("/api/v3/klines", {"symbol": "BTCUSDT"}, weight=2, parse=list)

Limits are kept twice: what this process asked for within any 60 s stays under half of what the exchange allows a
minute, and where the exchange's own count (it may hear others from this address) nears its limit, the next minute is
waited for. What the exchange asks for itself, Retry-After, is heeded to the second by every request that follows.
"""

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self, TypeVar

import httpx

from candlecast.core.errors import HttpNotFound, RequestRefused, Unreachable
from candlecast.core.text import plain, shorten
from candlecast.exchanges.clock import Clock

Parsed = TypeVar("Parsed")
_LOG = logging.getLogger("candlecast.exchanges")
#: Seconds, real ones whatever the clock: to connect, and between two pieces of an answer.
_CONNECT, _READ = 5.0, 15.0
#: Tries of one request, and the longest wait between two: about half a minute in all.
_TRIES, _LONGEST_BACKOFF = 6, 15.0
#: Longer than this (seconds) a request does not wait for a ban or limit to end: it raises, and says until when.
_PATIENCE = 300.0
_AT_ONCE = 4
_MINUTE = 60.0
#: Retry-After where the exchange sent none: a limit that was hit, an address that is banned or shut out.
_PAUSES = {HTTPStatus.TOO_MANY_REQUESTS: 60.0, HTTPStatus.IM_A_TEAPOT: 120.0, HTTPStatus.FORBIDDEN: 300.0}
#: Bytes of a file that is downloaded: a month of candles has three million.
_MOST_BYTES = 2**26


@dataclass(frozen=True)
class Limits:
    """What the exchange allows one address."""

    weight_a_minute: int
    used_header: str  #: of each answer: the weight that the exchange counted in the present minute
    share: float = 0.5  #: of the limit that this process uses at most
    full: float = 0.8  #: from this part of the limit on, by the exchange's count, the next minute is waited for


class HttpClient:
    """One base URL, its limits and its connections. Use it as an async context manager."""

    def __init__(self, clock: Clock, base_url: str, limits: Limits | None = None, tries: int = _TRIES) -> None:
        self._clock, self._base_url, self._limits, self._tries = clock, base_url.rstrip("/"), limits, tries
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(_READ, connect=_CONNECT),
            follow_redirects=True,
            headers={"User-Agent": "candlecast"},
        )
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._gate = asyncio.Lock()
        self._asked: deque[tuple[float, int]] = deque()  # when, weight: of the last minute
        self._quiet_until = 0.0  # by clock.elapsed(): the exchange wants to hear nothing before
        self._quiet_because = ""
        self._is_answering = True  # or was not asked yet

    async def __aenter__(self) -> Self:
        """Nothing is connected before it is asked for."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, params: dict[str, Any], *, weight: int, parse: Callable[[Any], Parsed]) -> Parsed:
        """What ``parse`` makes of the JSON answer; a body that it cannot read (ValueError, ...) is asked for again.

        Raises Unreachable after several tries, HttpNotFound, RequestRefused.
        """
        for attempt in range(self._tries):
            try:
                answer = await self._ask(path, params, weight)
                parsed = parse(json.loads(answer.content))
                self._is_answering = True
                return parsed
            except (ValueError, TypeError, LookupError, OverflowError) as error:
                what = f"its answer cannot be read: {type(error).__name__}: {shorten(str(error))}"
            except (httpx.RequestError, _Failed) as error:
                what = str(error) or type(error).__name__
            await self._wait_after(attempt, what)
        raise self._unreachable(what)

    async def download(self, path: str) -> bytes:
        """The file that lies there. Raises Unreachable, HttpNotFound, RequestRefused."""
        for attempt in range(self._tries):
            try:
                async with self._slots:
                    async with self._gate:
                        await self._wait_for_room(0)
                    return await self._receive(path)
            except (httpx.RequestError, _Failed) as error:
                what = str(error) or type(error).__name__
            await self._wait_after(attempt, what)
        raise self._unreachable(what)

    async def _wait_after(self, attempt: int, what: str) -> None:
        """Before the next try, if there is one; told where the exchange answered until then."""
        if self._is_answering:
            _LOG.warning("%s: %s; asked again, up to %s times", self._base_url, plain(what), self._tries - 1)
        self._is_answering = False
        if attempt + 1 < self._tries:
            await self._clock.sleep(backoff(attempt, _LONGEST_BACKOFF))

    async def _receive(self, path: str) -> bytes:
        async with self._http.stream("GET", self._base_url + path) as answer:
            if answer.status_code != HTTPStatus.OK:
                await answer.aread()
                self._heed(answer)
                self._judge(answer)
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise RequestRefused(f"{self._base_url}{path} has more than {_MOST_BYTES / 2**20:.0f} MiB", "")
        self._is_answering = True
        return bytes(content)

    async def _ask(self, path: str, params: dict[str, Any], weight: int) -> httpx.Response:
        async with self._slots:
            async with self._gate:  # one at a time decides, so that no two take the same room
                await self._wait_for_room(weight)
                self._asked.append((self._clock.elapsed(), weight))
            answer = await self._http.get(self._base_url + path, params=params)
        self._heed(answer)
        self._judge(answer)
        return answer

    async def _wait_for_room(self, weight: int) -> None:
        while True:
            now = self._clock.elapsed()
            while self._asked and self._asked[0][0] <= now - _MINUTE:
                self._asked.popleft()
            wait = self._quiet_until - now
            if wait > _PATIENCE:
                raise self._unreachable(f"{self._quiet_because}, {wait / 60:,.0f} minutes from now")
            if wait <= 0 and self._limits is not None:
                room = self._limits.share * self._limits.weight_a_minute - sum(used for _, used in self._asked)
                wait = 0.0 if room >= weight or not self._asked else self._asked[0][0] + _MINUTE - now
            if wait <= 0:
                return
            await self._clock.sleep(wait + 0.01)

    def _heed(self, answer: httpx.Response) -> None:
        """Take in what the exchange says of its limits."""
        status = answer.status_code
        if status in _PAUSES:
            told = answer.headers.get("Retry-After", "")
            pause = float(told) if told.isdigit() else _PAUSES[HTTPStatus(status)]
            self._be_quiet(pause, f"HTTP {status}: it wants to hear nothing until its Retry-After is over")
        used = answer.headers.get(self._limits.used_header, "") if self._limits else ""
        if self._limits and used.isdigit() and int(used) >= self._limits.full * self._limits.weight_a_minute:
            rest = _MINUTE - self._clock.now() % _MINUTE
            self._be_quiet(rest + 1, f"this address has used {used} of {self._limits.weight_a_minute} this minute")

    def _be_quiet(self, seconds: float, reason: str) -> None:
        until = self._clock.elapsed() + seconds
        if until > self._quiet_until:
            self._quiet_until, self._quiet_because = until, reason
            _LOG.warning("%s: %s: %.0f s from now", self._base_url, reason, seconds)

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == HTTPStatus.OK:
            return
        said = f"HTTP {status} {answer.reason_phrase}".rstrip()
        if status in _PAUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Failed(said)
        self._is_answering = True
        if status == HTTPStatus.NOT_FOUND:
            raise HttpNotFound(f"{answer.request.url} does not exist")
        if status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
            raise Unreachable(
                f"{self._base_url} does not serve this location ({said})",
                "Set the exchange's addresses to ones that do: docs/feeds.md has them.",
            )
        raise RequestRefused(f"{self._base_url} refuses: {said}: {shorten(answer.text, 200)}", answer.text[:1000])

    def _unreachable(self, what: str) -> Unreachable:
        return Unreachable(
            f"{self._base_url} cannot be reached: {what}",
            "Check the network, or wait; docs/feeds.md says which addresses are used and how to change them.",
        )


class _Failed(Exception):
    """An answer that another try may better."""


def backoff(attempt: int, longest: float) -> float:
    """Seconds to wait after the try of this number (0 for the first): doubling from 1 s, half of it by chance."""
    limit = min(longest, 2.0 ** min(attempt, 16))  # a day of failures is over a thousand
    return random.uniform(limit / 2, limit)
