"""Keeps requests within the exchange's rate limits. A client waits here before each request.

There are two limits. This process uses at most half of the weight per minute, in any 60 s. And when the exchange's own
count for this address, which includes other processes, gets near the limit, requests wait for the next minute.
Retry-After is obeyed by all following requests.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from candlecast.core.errors import Unreachable
from candlecast.core.times import MINUTE_SECONDS
from candlecast.exchanges.clock import Clock

_LOG = logging.getLogger("candlecast.exchanges")
#: Limit of a pause. If a ban lasts longer, requests raise Unreachable.
MAX_PAUSE_SECONDS = 300.0
#: Default of Retry-After, for: limit exceeded, address banned, access denied.
PAUSE_SECONDS = {HTTPStatus.TOO_MANY_REQUESTS: 60.0, HTTPStatus.IM_A_TEAPOT: 120.0, HTTPStatus.FORBIDDEN: 300.0}


@dataclass(frozen=True)
class Limits:
    """Limits of the exchange for one address."""

    weight_per_minute: int
    used_header: str  #: response header with the weight that was used in the current minute
    share: float = 0.5  #: maximum share of the limit that this process uses
    full: float = 0.8  #: share of the limit, by the exchange's count, from which requests wait for the next minute


class RateLimiter:
    """The rate limiter of one base URL; without ``limits`` it only obeys Retry-After."""

    def __init__(self, clock: Clock, base_url: str, limits: Limits | None) -> None:
        self._clock, self._base_url, self._limits = clock, base_url, limits
        self._gate = asyncio.Lock()
        self._sent: deque[tuple[float, int]] = deque()  # (time, weight) of the requests of the last minute
        self._paused_until = 0.0  # by clock.elapsed()
        self._pause_reason = ""

    async def wait(self, weight: int = 0) -> None:
        """Wait until a request of this weight may be sent, and count it. Raises Unreachable for a long ban."""
        async with self._gate:  # one at a time, so that two requests cannot use the same remaining weight
            await self._wait_for_weight(weight)
            if weight:
                self._sent.append((self._clock.elapsed(), weight))

    def update(self, response: httpx.Response) -> None:
        """Read the limits in the headers of a response."""
        status = response.status_code
        if status in PAUSE_SECONDS:
            retry_after = response.headers.get("Retry-After", "")
            pause = float(retry_after) if retry_after.isdigit() else PAUSE_SECONDS[HTTPStatus(status)]
            self._pause(pause, f"HTTP {status}: waiting for Retry-After")
        used = response.headers.get(self._limits.used_header, "") if self._limits else ""
        if self._limits and used.isdigit() and int(used) >= self._limits.full * self._limits.weight_per_minute:
            rest = MINUTE_SECONDS - self._clock.now() % MINUTE_SECONDS
            self._pause(rest + 1, f"this address has used {used} of {self._limits.weight_per_minute} this minute")

    async def _wait_for_weight(self, weight: int) -> None:
        while True:
            now = self._clock.elapsed()
            while self._sent and self._sent[0][0] <= now - MINUTE_SECONDS:
                self._sent.popleft()
            wait = self._paused_until - now
            if wait > MAX_PAUSE_SECONDS:
                raise unreachable(self._base_url, f"{self._pause_reason}, {wait / 60:,.0f} minutes from now")
            if wait <= 0 and self._limits is not None:
                left = self._limits.share * self._limits.weight_per_minute - sum(used for _, used in self._sent)
                wait = 0.0 if left >= weight or not self._sent else self._sent[0][0] + MINUTE_SECONDS - now
            if wait <= 0:
                return
            await self._clock.sleep(wait + 0.01)

    def _pause(self, seconds: float, reason: str) -> None:
        until = self._clock.elapsed() + seconds
        if until > self._paused_until:
            self._paused_until, self._pause_reason = until, reason
            _LOG.warning("%s: %s: %.0f s from now", self._base_url, reason, seconds)


def unreachable(base_url: str, reason: str) -> Unreachable:
    """The error for a request that failed finally."""
    return Unreachable(
        f"{base_url} cannot be reached: {reason}",
        "Check the network or try again later; docs/how-to/feed.md says how to change the addresses.",
    )
