"""The exchange's limits for one address, and counters: requests, weight, bans, connections."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from candlecast.exchanges.clock import Clock

_FIVE_MINUTES = 300.0
CONNECTIONS_IN_FIVE_MINUTES = 300
MESSAGES_A_SECOND = 5
_FIRST_BAN, _MAX_BAN_SECONDS = 120, 3 * 86_400


@dataclass
class Counters:
    """Counts of all events, for tests of limits and faults."""

    requests: Counter = field(default_factory=Counter)  #: by path: 'klines', 'time', 'archive', 'stream'
    answers: Counter = field(default_factory=Counter)  #: by HTTP status
    weight: Counter = field(default_factory=Counter)  #: by clock minute, epoch seconds
    faults: Counter = field(default_factory=Counter)  #: by name, when they occurred
    klines_drawn: int = 0  #: requests of klines within the limits, for which faults are drawn
    frames: Counter = field(default_factory=Counter)  #: sent: 'open', 'closed', 'quote', 'shutdown', ...
    over_limit: int = 0  #: requests above the weight of a minute
    bans_earned: int = 0  #: for requests after a 429
    requests_while_banned: int = 0
    connections: int = 0
    most_connections: int = 0  #: attempts within five minutes
    connections_refused: int = 0  #: above CONNECTIONS_IN_FIVE_MINUTES
    pongs: int = 0
    dropped_without_pong: int = 0
    dropped_for_messages: int = 0

    @property
    def highest_weight(self) -> int:
        """The highest weight of a clock minute."""
        return max(self.weight.values(), default=0)

    def violations(self) -> dict[str, int]:
        """Counts above 0 of events that a well-behaved client never causes."""
        names = (
            "over_limit", "bans_earned", "requests_while_banned", "connections_refused", "dropped_without_pong",
            "dropped_for_messages",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names if getattr(self, name)}


class Refusal(NamedTuple):
    """Status 429 or 418, and the seconds until the next request is allowed."""

    status: int
    retry_after: int


class Limits:
    """The limit of weight per clock minute, and bans for clients that ignore a 429.

    Requests that were sent before the first refusal arrived are refused without a ban. They come within ``grace``
    seconds, over another connection or as the second request of the same one. A third request over the same connection
    ignores the refusal.
    """

    def __init__(self, clock: Clock, counters: Counters, weight_limit: int, grace: float) -> None:
        self._clock, self._counters, self.weight_limit, self._grace = clock, counters, weight_limit, grace
        self._refusing: tuple[int, float, float] = (0, -math.inf, -math.inf)  # status, since, until
        self._refusals: Counter = Counter()  # connection -> number of refusals of the current pause or ban
        self._bans = 0
        self._attempts: deque[float] = deque()

    def used(self) -> int:
        """The weight of the current clock minute."""
        return self._counters.weight[int(self._clock.now()) // 60 * 60]

    def admit(self, weight: int, connection: object) -> Refusal | None:
        """Count a request; returns a refusal during a pause or ban, or above the limit."""
        now = self._clock.now()
        status, since, until = self._refusing
        if now < until:
            ignores_refusal = self._refusals[connection] >= 2 or now > since + self._grace
            if status == 418:
                self._counters.requests_while_banned += ignores_refusal
            elif ignores_refusal:
                self._counters.bans_earned += 1
                return self.ban(min(_FIRST_BAN * 4**self._bans, _MAX_BAN_SECONDS), connection)
            return self._refuse(status, until, connection)
        minute = int(now) // 60 * 60
        self._counters.weight[minute] += weight
        if self._counters.weight[minute] > self.weight_limit:
            self._counters.over_limit += 1
            return self.pause(math.ceil(minute + 60 - now), connection)
        return None

    def pause(self, seconds: int, connection: object) -> Refusal:
        """Respond with 429 for ``seconds``, starting with this connection."""
        return self._begin(429, seconds, connection)

    def ban(self, seconds: int, connection: object) -> Refusal:
        """Respond with 418 for ``seconds``."""
        self._bans += 1
        return self._begin(418, seconds, connection)

    def admit_connection(self) -> bool:
        """Count an attempt to open a stream; returns False above the limit."""
        now = self._clock.now()
        self._attempts.append(now)
        while self._attempts[0] <= now - _FIVE_MINUTES:
            self._attempts.popleft()
        self._counters.most_connections = max(self._counters.most_connections, len(self._attempts))
        if len(self._attempts) > CONNECTIONS_IN_FIVE_MINUTES:
            self._counters.connections_refused += 1
            return False
        return True

    def _begin(self, status: int, seconds: int, connection: object) -> Refusal:
        now = self._clock.now()
        self._refusing = (status, now, now + seconds)
        self._refusals.clear()
        return self._refuse(status, now + seconds, connection)

    def _refuse(self, status: int, until: float, connection: object) -> Refusal:
        self._refusals[connection] += 1
        return Refusal(status, math.ceil(until - self._clock.now()))
