"""/health: the result of health(), or the reason why it cannot be read."""

from datetime import UTC, datetime
from typing import Any

from candlecast.core.errors import DatabaseGone, QueryRefused
from candlecast.web.pool import DatabasePool
from candlecast.web.responses import PreparedResponse, prepare_json

#: Query timeout in seconds; short, so that a load balancer gets the reason before its own timeout.
TIMEOUT = 1.5


async def read_health(pool: DatabasePool) -> PreparedResponse:
    """200 for ok and degraded, 503 for down and for a database that does not answer."""
    try:
        (row,) = await pool.fetch("select public.health() as health", timeout=TIMEOUT)
    except DatabaseGone as gone:
        return prepare_json(_describe_down(f"the database does not answer: {gone.reason}", gone.hint), 503)
    except QueryRefused as refused:
        return prepare_json(_describe_down(f"health() failed: {refused.reason}", refused.hint), 503)
    return prepare_json(row["health"], 503 if row["health"]["status"] == "down" else 200)


def _describe_down(reason: str, hint: str | None) -> dict[str, Any]:
    """The keys of health() without values."""
    return {
        "status": "down",
        "reasons": [reason],
        "hint": hint,
        "checked_at": datetime.now(UTC),
        "ml_inference_enabled": None,
        "ml_model_version": None,
        "ml_last_prediction": None,
        "symbols": [],
    }
