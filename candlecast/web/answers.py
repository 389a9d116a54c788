"""What the service answers, made at most once in a while however many ask."""

import asyncio
import hashlib
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """A whole response, ready to be sent to many."""

    status: int
    body: bytes
    media_type: str = "application/json"
    #: Whether all that was asked for could be read.
    complete: bool = True
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", f'"{hashlib.blake2b(self.body, digest_size=12).hexdigest()}"')

    def to(self, request: Request) -> Response:
        """The response, or that the client has it already."""
        headers = {"cache-control": "no-cache", "etag": self.etag}
        if self.status == 200 and self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, self.status, headers, self.media_type)


def json_answer(value: Any, status: int = 200, *, complete: bool = True) -> Answer:
    """The value as JSON: times in ISO 8601, intervals in seconds, what is no number null."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Answer(status, text.encode(), complete=complete)


def plain(value: Any) -> Any:
    """The value in what JSON has."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value


#: An answer that lacks something is kept no longer: what could not be read may be there at any time.
_LACKING_SECONDS = 5.0


class Cached(Generic[T]):
    """What `load` gives, kept for so many seconds. Whoever asks while it loads waits for the same load."""

    def __init__(self, load: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._load = load
        self._seconds = seconds
        self._task: asyncio.Task[T] | None = None
        self._expires = -math.inf

    async def get(self) -> T:
        """The kept value, or a new one. A caller who goes away ends no load that others wait for."""
        if self._task is None or (self._task.done() and asyncio.get_running_loop().time() >= self._expires):
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._task)

    async def _run(self) -> T:
        seconds = self._seconds
        try:
            value = await self._load()
            if isinstance(value, Answer) and not value.complete:
                seconds = min(seconds, _LACKING_SECONDS)
            return value
        finally:
            self._expires = asyncio.get_running_loop().time() + seconds
