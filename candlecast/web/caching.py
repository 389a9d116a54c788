"""Caches values for a number of seconds and shares one load among concurrent callers."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from candlecast.web.responses import PreparedResponse

T = TypeVar("T")

#: Incomplete responses expire sooner: the missing part may become readable at any time.
_MAX_INCOMPLETE_SECONDS = 5.0


class Cached(Generic[T]):
    """The result of `load`, cached for `seconds`. Callers that arrive during a load wait for the same load."""

    def __init__(self, load: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._load = load
        self._seconds = seconds
        self._task: asyncio.Task[T] | None = None
        self._expires = -math.inf

    async def get(self) -> T:
        """The cached value, or a new one. A canceled caller does not cancel the load of the other callers."""
        if self._task is None or (self._task.done() and asyncio.get_running_loop().time() >= self._expires):
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._task)

    async def _run(self) -> T:
        seconds = self._seconds
        try:
            value = await self._load()
            if isinstance(value, PreparedResponse) and not value.complete:
                seconds = min(seconds, _MAX_INCOMPLETE_SECONDS)
            return value
        finally:
            self._expires = asyncio.get_running_loop().time() + seconds
