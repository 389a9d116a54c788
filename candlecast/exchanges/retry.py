"""Tries again what failed, and waits longer each time: for the requests over HTTP and for the database connection.

    rows = await retry(ask, clock, (httpx.RequestError,), max_wait=15.0, max_tries=6)

The stream, which counts a connection that lasted as a success, takes ``backoff`` alone.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from candlecast.exchanges.clock import Clock

Result = TypeVar("Result")


def backoff(attempt: int, max_seconds: float) -> float:
    """Seconds to wait after the try of this number (0 for the first): doubling from 1 s, half of it by chance."""
    limit = min(max_seconds, 2.0 ** min(attempt, 16))  # a day of failures is over a thousand
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
    """What ``work()`` returns, the first time that it raises none of ``failures``; the last try's is raised.

    ``max_wait``: seconds between two tries; ``max_tries``: None is without end. ``on_failure`` hears of each failure,
    with the seconds until the next try, None after the last.
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
