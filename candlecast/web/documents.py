"""/api/NAME: the JSON documents of the dashboard: `live` (every minute), `operations` (often) and `record` (rarely).

The sections of a document fail independently: a missing table (older schema) or a timeout becomes the `absent` or
`error` of its section. Times are epochs in `live` and ISO 8601 elsewhere. No document contains an age, so that its
ETag changes only with its data.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from candlecast.core.errors import DatabaseGone, QueryRefused
from candlecast.core.freshness import LATE_SECONDS, MISSING_SECONDS
from candlecast.web import page_queries
from candlecast.web.caching import Cached
from candlecast.web.pool import MAX_CONNECTIONS, DatabasePool
from candlecast.web.responses import PreparedResponse, prepare_json

#: Per document: its sections, and the seconds for which a response is cached.
_SECTIONS = {
    "operations": (
        {
            "feed": page_queries.FEED,
            "runs": page_queries.RUNS,
            "recent": page_queries.RECENT_RUNS,
            "trouble": page_queries.TROUBLE,
        },
        5.0,
    ),
    "record": (
        {
            "leaderboard": page_queries.LEADERBOARD,
            "coverage": page_queries.COVERAGE,
            "tests": page_queries.TESTS,
            "ensembles": page_queries.ENSEMBLES,
            "history": page_queries.HISTORY,
            "drift": page_queries.DRIFT,
            "consistency": page_queries.CONSISTENCY,
        },
        30.0,
    ),
}
_LIVE_SECONDS = 1.0
#: Query timeouts in seconds. A section of `record` reads a week.
_TIMEOUTS = {"live": 1.5, "operations": 2.0, "record": 8.0}
_LISTS: dict[str, list[Any]] = {"candles": [], "forecast": [], "past": []}
#: The documents of a database without a symbol.
_EMPTY: dict[str, dict[str, Any]] = {
    "live": {"symbol": None, "newest_candle": None, "ensemble_id": None} | _LISTS,
    **{
        name: {"symbol": None} | {section: {"rows": []} for section in sections}
        for name, (sections, _) in _SECTIONS.items()
    },
}
#: Connections per document, over all clients and symbols. The remaining connections serve /health and `live`;
#: `operations` does not wait for the week-long reads of `record`.
_SLOW_CONNECTIONS = {"operations": 1, "record": MAX_CONNECTIONS - 4}
_TOO_LONG = "the query timed out; a table may be locked"
_MISSING = {"42P01", "42883", "42703"}  # undefined table, function, column


class Documents:
    """The documents of each symbol, cached."""

    def __init__(self, pool: DatabasePool) -> None:
        self._pool = pool
        self._slow = {name: asyncio.Semaphore(number) for name, number in _SLOW_CONNECTIONS.items()}
        self._symbols = Cached(self._load_symbols, 5.0)
        self._documents: dict[tuple[str, str], Cached[PreparedResponse]] = {}

    async def get_symbols(self, request: Request) -> Response:
        """/api/symbols: all symbols, the default symbol first."""
        try:
            found = await self._symbols.get()
        except (DatabaseGone, QueryRefused) as error:
            return _explain(error).reply_to(request)
        return prepare_json({"symbols": found}).reply_to(request)

    async def get_document(self, request: Request) -> Response:
        """/api/NAME?symbol=SYMBOL; the default symbol if none is given."""
        name = request.path_params["name"]
        if name not in _TIMEOUTS:
            return prepare_json({"error": f"there is no /api/{name}"}, 404).reply_to(request)
        try:
            known = [row["symbol"] for row in await self._symbols.get()]
        except (DatabaseGone, QueryRefused) as error:
            return _explain(error).reply_to(request)
        symbol = request.query_params.get("symbol") or (known[0] if known else None)
        if symbol is None:
            return prepare_json(_EMPTY[name]).reply_to(request)
        if symbol not in known:
            # Only known symbols are cached, so that requests cannot fill the cache with arbitrary names.
            return prepare_json({"error": f"unknown symbol {symbol}"}, 404).reply_to(request)
        return (await self._find_cached(name, symbol).get()).reply_to(request)

    def _find_cached(self, name: str, symbol: str) -> Cached[PreparedResponse]:
        key = (name, symbol)
        if key not in self._documents:
            load, seconds = self._choose_loader(name, symbol)
            self._documents[key] = Cached(load, seconds)
        return self._documents[key]

    def _choose_loader(self, name: str, symbol: str) -> tuple[Callable[[], Awaitable[PreparedResponse]], float]:
        if name == "live":
            return lambda: self._load_live(symbol), _LIVE_SECONDS
        sections, seconds = _SECTIONS[name]
        return lambda: self._load_sections(name, symbol, sections), seconds

    async def _load_symbols(self) -> list[dict[str, Any]]:
        return await self._pool.fetch(page_queries.SYMBOLS, timeout=_TIMEOUTS["live"], name="/api/symbols")

    async def _load_live(self, symbol: str) -> PreparedResponse:
        try:
            about = {"symbol": symbol}
            newest = await self._fetch_row(page_queries.NEWEST, about, f"/api/live, newest of {symbol}")
            row = await self._fetch_row(page_queries.LIVE, about | newest, f"/api/live of {symbol}")
        except (DatabaseGone, QueryRefused) as error:
            return _explain(error)
        lists = {name: row[name] or nothing for name, nothing in _LISTS.items()}
        limits = {"late_seconds": LATE_SECONDS, "missing_seconds": MISSING_SECONDS}
        return prepare_json({"symbol": symbol} | row | lists | limits)

    async def _fetch_row(self, query: str, values: dict[str, Any], name: str) -> dict[str, Any]:
        (row,) = await self._pool.fetch(query, values, timeout=_TIMEOUTS["live"], name=name)
        return row

    async def _load_sections(self, name: str, symbol: str, sections: dict[str, str]) -> PreparedResponse:
        try:
            found = await asyncio.gather(
                *(self._load_section(name, section, query, symbol) for section, query in sections.items())
            )
        except DatabaseGone as gone:
            return _explain(gone)
        document = {"symbol": symbol} | dict(zip(sections, found, strict=True))
        return prepare_json(document, complete=all("error" not in section for section in found))

    async def _load_section(self, name: str, section: str, query: str, symbol: str) -> dict[str, Any]:
        query_name = f"/api/{name}, {section} of {symbol}"
        try:
            async with self._slow[name]:
                found = await self._pool.fetch(query, {"symbol": symbol}, timeout=_TIMEOUTS[name], name=query_name)
                return {"rows": found}
        except QueryRefused as refused:
            if refused.sqlstate in _MISSING:
                return {"absent": "The database schema is too old for this section. Run `alembic upgrade head`."}
            if refused.timed_out:
                return {"error": _TOO_LONG}
            return {"error": refused.reason}


def _explain(error: DatabaseGone | QueryRefused) -> PreparedResponse:
    if isinstance(error, DatabaseGone):
        why = f"the database does not answer: {error.reason}"
    else:
        why = _TOO_LONG if error.timed_out else f"the database rejected the query: {error.reason}"
    return prepare_json({"error": why, "hint": error.hint}, 503, complete=False)
