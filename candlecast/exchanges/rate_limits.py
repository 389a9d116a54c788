"""Never asks an exchange more often than it may: what a client waits for before each request.

Limits are kept twice: what this process asked for within any 60 s stays under half of what the exchange allows a
minute, and where the exchange's own count (it may hear others from this address) nears its limit, the next minute is
waited for. What the exchange asks for itself, Retry-After, is heeded to the second by every request that follows.
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
#: Longer than this a request does not wait for a ban or limit to end: it raises, and says until when.
MAX_PAUSE_SECONDS = 300.0
#: Retry-After where the exchange sent none: a limit that was hit, an address that is banned or shut out.
PAUSE_SECONDS = {HTTPStatus.TOO_MANY_REQUESTS: 60.0, HTTPStatus.IM_A_TEAPOT: 120.0, HTTPStatus.FORBIDDEN: 300.0}


@dataclass(frozen=True)
class Limits:
    """What the exchange allows one address."""

    weight_per_minute: int
    used_header: str  #: of each answer: the weight that the exchange counted in the present minute
    share: float = 0.5  #: of the limit that this process uses at most
    full: float = 0.8  #: from this part of the limit on, by the exchange's count, the next minute is waited for


class RateLimiter:
    """Of one base URL; without limits Retry-After alone is heeded."""

    def __init__(self, clock: Clock, base_url: str, limits: Limits | None) -> None:
        self._clock, self._base_url, self._limits = clock, base_url, limits
        self._gate = asyncio.Lock()
        self._asked: deque[tuple[float, int]] = deque()  # when, weight: of the last minute
        self._quiet_until = 0.0  # by clock.elapsed(): the exchange wants to hear nothing before
        self._quiet_because = ""

    async def wait(self, weight: int = 0) -> None:
        """Until a request of this weight may be sent; it is counted. Raises Unreachable where that takes too long."""
        async with self._gate:  # one at a time decides, so that no two take the same room
            await self._wait_for_room(weight)
            if weight:
                self._asked.append((self._clock.elapsed(), weight))

    def heed(self, answer: httpx.Response) -> None:
        """Take in what the exchange says of its limits."""
        status = answer.status_code
        if status in PAUSE_SECONDS:
            told = answer.headers.get("Retry-After", "")
            pause = float(told) if told.isdigit() else PAUSE_SECONDS[HTTPStatus(status)]
            self._be_quiet(pause, f"HTTP {status}: it wants to hear nothing until its Retry-After is over")
        used = answer.headers.get(self._limits.used_header, "") if self._limits else ""
        if self._limits and used.isdigit() and int(used) >= self._limits.full * self._limits.weight_per_minute:
            rest = MINUTE_SECONDS - self._clock.now() % MINUTE_SECONDS
            self._be_quiet(rest + 1, f"this address has used {used} of {self._limits.weight_per_minute} this minute")

    async def _wait_for_room(self, weight: int) -> None:
        while True:
            now = self._clock.elapsed()
            while self._asked and self._asked[0][0] <= now - MINUTE_SECONDS:
                self._asked.popleft()
            wait = self._quiet_until - now
            if wait > MAX_PAUSE_SECONDS:
                raise unreachable(self._base_url, f"{self._quiet_because}, {wait / 60:,.0f} minutes from now")
            if wait <= 0 and self._limits is not None:
                room = self._limits.share * self._limits.weight_per_minute - sum(used for _, used in self._asked)
                wait = 0.0 if room >= weight or not self._asked else self._asked[0][0] + MINUTE_SECONDS - now
            if wait <= 0:
                return
            await self._clock.sleep(wait + 0.01)

    def _be_quiet(self, seconds: float, reason: str) -> None:
        until = self._clock.elapsed() + seconds
        if until > self._quiet_until:
            self._quiet_until, self._quiet_because = until, reason
            _LOG.warning("%s: %s: %.0f s from now", self._base_url, reason, seconds)


def unreachable(base_url: str, reason: str) -> Unreachable:
    """The error to raise where a request came to nothing."""
    return Unreachable(
        f"{base_url} cannot be reached: {reason}",
        "Check the network, or wait; docs/how-to/feed.md says which addresses are used and how to change them.",
    )
