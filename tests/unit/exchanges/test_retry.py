"""Retries with exponential backoff."""

import asyncio

import pytest

from candlecast.exchanges.clock import Clock
from candlecast.exchanges.retry import backoff, retry


@pytest.mark.parametrize(
    ("attempt", "max_seconds", "longest"), [(0, 15, 1), (1, 15, 2), (3, 15, 8), (4, 15, 15), (5000, 60, 60)]
)
def test_the_wait_doubles_up_to_a_limit_and_half_is_random(attempt, max_seconds, longest):
    waits = [backoff(attempt, max_seconds) for _ in range(200)]
    assert longest / 2 <= min(waits) < 0.6 * longest
    assert 0.9 * longest < max(waits) <= longest


def attempts(failing, max_tries=None, error=OSError):
    """The number of attempts, the result or the type of the error, and the waits that ``on_failure`` got."""
    tried, waits = [], []

    async def work():
        tried.append(None)
        if len(tried) <= failing:
            raise error
        return "done"

    def on_failure(_error, wait):
        waits.append(wait)

    async def scene():
        clock = Clock(1e6)
        return await retry(work, clock, (OSError,), max_wait=4.0, max_tries=max_tries, on_failure=on_failure)

    try:
        outcome = asyncio.run(scene())
    except Exception as failure:
        outcome = type(failure)
    return len(tried), outcome, waits


def test_retry_ends_with_the_first_success():
    tried, outcome, waits = attempts(failing=3)
    assert (tried, outcome, len(waits)) == (4, "done", 3)
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits, (1, 2, 4), strict=True))


def test_the_last_error_is_raised_without_a_wait():
    tried, outcome, waits = attempts(failing=9, max_tries=3)
    assert (tried, outcome, waits[-1]) == (3, OSError, None)


def test_other_errors_are_not_retried():
    assert attempts(failing=1, error=ValueError) == (1, ValueError, [])
