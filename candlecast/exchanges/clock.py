"""The clock for everything that waits for an exchange.

    clock = Clock()
    await clock.sleep(2.0)

Tests and benchmarks replay hours in seconds: ``Clock(speed=600, start=...)`` starts at the recorded time, and a sleep
of a minute takes 0.1 s. Exchanges and the feed must not read another clock.
"""

import asyncio
import time
from typing import NoReturn


class Clock:
    """Seconds since 1970-01-01 UTC, ``speed`` times as fast as real time."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        self.speed = speed
        self._began = time.monotonic()
        self._start = time.time() if start is None else start
        self._is_real = start is None and speed == 1.0

    def now(self) -> float:
        """The time of this machine, which may be wrong, or of the replay."""
        return time.time() if self._is_real else self._start + self.elapsed()

    def elapsed(self) -> float:
        """Seconds since the clock was created; changes of the machine's time have no effect."""
        return (time.monotonic() - self._began) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` by this clock."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """``async with clock.timeout(30):`` raises TimeoutError if the block takes longer."""
        return asyncio.timeout(seconds / self.speed)

    async def forever(self) -> NoReturn:
        """Wait until canceled."""
        while True:
            await asyncio.sleep(3600)
