"""Complete responses that are built once and sent to many clients."""

import hashlib
import json
import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True)
class PreparedResponse:
    """Status, body and ETag of a response."""

    status: int
    body: bytes
    media_type: str = "application/json"
    #: False if a part of the document could not be read.
    complete: bool = True
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", f'"{hashlib.blake2b(self.body, digest_size=12).hexdigest()}"')

    def reply_to(self, request: Request) -> Response:
        """The response, or 304 if the client's ETag matches."""
        headers = {"cache-control": "no-cache", "etag": self.etag}
        if self.status == 200 and self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, self.status, headers, self.media_type)


def prepare_json(value: Any, status: int = 200, *, complete: bool = True) -> PreparedResponse:
    """The value as JSON: times in ISO 8601, intervals in seconds, NaN and infinity as null."""
    text = json.dumps(to_json_value(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return PreparedResponse(status, text.encode(), complete=complete)


def to_json_value(value: Any) -> Any:
    """The value with only JSON types."""
    if isinstance(value, dict):
        return {key: to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
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
