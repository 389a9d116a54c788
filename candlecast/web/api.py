"""/api/...: what the dashboard reads, a document each for what changes every minute, often, and seldom.

A document's sections stand for themselves: what this database has not (an older schema), or what took too long, says
so in its place and leaves the others. Times are epochs in `live`, ISO 8601 elsewhere; no document holds an age, so that
its ETag stays while nothing happens.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from candlecast.core.errors import DatabaseGone, QueryRefused
from candlecast.web import queries
from candlecast.web.answers import Answer, Cached, json_answer
from candlecast.web.database import CONNECTIONS, Database

#: Sections by document, and for how many seconds an answer is kept.
_SECTIONS = {
    "operations": (
        {"feed": queries.FEED, "runs": queries.RUNS, "recent": queries.RECENT_RUNS, "trouble": queries.TROUBLE},
        5.0,
    ),
    "record": (
        {
            "leaderboard": queries.LEADERBOARD,
            "coverage": queries.COVERAGE,
            "tests": queries.TESTS,
            "ensembles": queries.ENSEMBLES,
            "history": queries.HISTORY,
            "drift": queries.DRIFT,
            "consistency": queries.CONSISTENCY,
        },
        30.0,
    ),
}
_LIVE_SECONDS = 1.0
#: A section of `record` reads a week.
_PATIENCE = {"live": 1.5, "operations": 2.0, "record": 8.0}
_LISTS: dict[str, list[Any]] = {"candles": [], "forecast": [], "past": []}
#: The documents of a database without a symbol.
_EMPTY: dict[str, dict[str, Any]] = {
    "live": {"symbol": None, "newest_candle": None, "ensemble_id": None} | _LISTS,
    **{
        name: {"symbol": None} | {section: {"rows": []} for section in sections}
        for name, (sections, _) in _SECTIONS.items()
    },
}
#: Connections for a document's sections, whoever asks for how many symbols: whatever these wait for, the rest is for
#: /health and `live`, and `operations` does not wait for what reads a week.
_SLOW_CONNECTIONS = {"operations": 1, "record": CONNECTIONS - 4}
_TOO_LONG = "the database takes too long; a table may be locked"
_MISSING = {"42P01", "42883", "42703"}  # undefined table, function, column


class Api:
    """The documents of each symbol, cached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slow = {name: asyncio.Semaphore(number) for name, number in _SLOW_CONNECTIONS.items()}
        self._symbols = Cached(self._ask_symbols, 5.0)
        self._documents: dict[tuple[str, str], Cached[Answer]] = {}

    async def symbols(self, request: Request) -> Response:
        """Which symbols there are, the leading one first."""
        try:
            found = await self._symbols.get()
        except (DatabaseGone, QueryRefused) as error:
            return _unavailable(error).to(request)
        return json_answer({"symbols": found}).to(request)

    async def document(self, request: Request) -> Response:
        """/api/NAME?symbol=SYMBOL; without a symbol of the leading one."""
        name = request.path_params["name"]
        if name not in _PATIENCE:
            return json_answer({"error": f"there is no /api/{name}"}, 404).to(request)
        try:
            known = [row["symbol"] for row in await self._symbols.get()]
        except (DatabaseGone, QueryRefused) as error:
            return _unavailable(error).to(request)
        symbol = request.query_params.get("symbol") or (known[0] if known else None)
        if symbol is None:
            return json_answer(_EMPTY[name]).to(request)
        if symbol not in known:
            # Known symbols alone, so that nobody fills the cache with names.
            return json_answer({"error": f"nothing is known of {symbol}"}, 404).to(request)
        return (await self._cached(name, symbol).get()).to(request)

    def _cached(self, name: str, symbol: str) -> Cached[Answer]:
        key = (name, symbol)
        if key not in self._documents:
            load, seconds = self._loader(name, symbol)
            self._documents[key] = Cached(load, seconds)
        return self._documents[key]

    def _loader(self, name: str, symbol: str) -> tuple[Callable[[], Awaitable[Answer]], float]:
        if name == "live":
            return lambda: self._live(symbol), _LIVE_SECONDS
        sections, seconds = _SECTIONS[name]
        return lambda: self._in_sections(name, symbol, sections), seconds

    async def _ask_symbols(self) -> list[dict[str, Any]]:
        return await self._database.rows(queries.SYMBOLS, seconds=_PATIENCE["live"], name="/api/symbols")

    async def _live(self, symbol: str) -> Answer:
        try:
            about = {"symbol": symbol}
            newest = await self._row(queries.NEWEST, about, f"/api/live, newest of {symbol}")
            row = await self._row(queries.LIVE, about | newest, f"/api/live of {symbol}")
        except (DatabaseGone, QueryRefused) as error:
            return _unavailable(error)
        lists = {name: row[name] or nothing for name, nothing in _LISTS.items()}
        return json_answer({"symbol": symbol} | row | lists)

    async def _row(self, query: str, values: dict[str, Any], name: str) -> dict[str, Any]:
        (row,) = await self._database.rows(query, values, seconds=_PATIENCE["live"], name=name)
        return row

    async def _in_sections(self, name: str, symbol: str, sections: dict[str, str]) -> Answer:
        try:
            found = await asyncio.gather(
                *(self._section(name, section, query, symbol) for section, query in sections.items())
            )
        except DatabaseGone as gone:
            return _unavailable(gone)
        document = {"symbol": symbol} | dict(zip(sections, found, strict=True))
        return json_answer(document, complete=all("error" not in section for section in found))

    async def _section(self, name: str, section: str, query: str, symbol: str) -> dict[str, Any]:
        told = f"/api/{name}, {section} of {symbol}"
        try:
            async with self._slow[name]:
                found = await self._database.rows(query, {"symbol": symbol}, seconds=_PATIENCE[name], name=told)
                return {"rows": found}
        except QueryRefused as refused:
            if refused.sqlstate in _MISSING:
                return {"absent": "this database does not keep it yet: `alembic upgrade head`"}
            if refused.timed_out:
                return {"error": _TOO_LONG}
            return {"error": refused.reason}


def _unavailable(error: DatabaseGone | QueryRefused) -> Answer:
    if isinstance(error, DatabaseGone):
        why = f"the database does not answer: {error.reason}"
    else:
        why = _TOO_LONG if error.timed_out else f"the database refuses: {error.reason}"
    return json_answer({"error": why, "hint": error.hint}, 503, complete=False)
