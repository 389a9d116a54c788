"""Retries with exponential backoff, for HTTP requests and the database connection.

    rows = await retry(ask, clock, (httpx.RequestError,), max_wait=15.0, max_tries=6)

The stream uses ``backoff`` directly, because it counts a long connection as a success.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from candlecast.exchanges.clock import Clock

Result = TypeVar("Result")


def backoff(attempt: int, max_seconds: float) -> float:
    """Seconds to wait after this attempt (0 is the first): doubling from 1 s, half of it random."""
    limit = min(max_seconds, 2.0 ** min(attempt, 16))  # a day of failures has over a thousand attempts
    return random.uniform(limit / 2, limit)


async def retry(
    work: Callable[[], Awaitable[Result]],
    clock: Clock,
    failures: tuple[type[Exception], ...],
    *,
    max_wait: float,
    max_tries: int | None = None,
    on_failure: Callable[[Exception, float | None], None] = lambda error, wait: None,
) -> Result:
    """Call ``work()`` until it raises none of ``failures``; after ``max_tries`` attempts the last failure is raised.

    ``max_wait``: limit of the seconds between two attempts. ``max_tries``: None means no limit. ``on_failure`` gets
    each failure and the seconds until the next attempt, or None after the last one.
    """
    attempt = 0
    while True:
        try:
            return await work()
        except failures as error:
            is_last = attempt + 1 == max_tries
            wait = None if is_last else backoff(attempt, max_wait)
            on_failure(error, wait)
            if wait is None:
                raise
        await clock.sleep(wait)
        attempt += 1
