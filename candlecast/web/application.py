"""The ASGI application: /health, /metrics, /api/... and the page.

uvicorn.run(create_application("postgresql://..."))
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from candlecast.web.caching import Cached
from candlecast.web.documents import Documents
from candlecast.web.health import read_health
from candlecast.web.metrics import read_metrics
from candlecast.web.pool import DatabasePool

STATIC = Path(__file__).parent / "static"
#: /health and /metrics each run at most one query per second, for any number of clients.
CACHE_SECONDS = 1.0
#: The page loads only its own files and must not be embedded in a frame.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def create_application(url: str) -> Starlette:
    """The application for one database. The database may be unreachable at any time, also at the start."""
    pool = DatabasePool(url)
    documents = Documents(pool)
    health = Cached(lambda: read_health(pool), CACHE_SECONDS)
    metrics = Cached(lambda: read_metrics(pool), CACHE_SECONDS)

    async def get_health(request: Request) -> Response:
        return (await health.get()).reply_to(request)

    async def get_metrics(request: Request) -> Response:
        return (await metrics.get()).reply_to(request)

    async def get_page(_request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await pool.open()
        yield
        await pool.close()

    # /health and /metrics are requested up to 200 times a second and are small: compression is not worth its CPU time.
    compressed = [Middleware(GZipMiddleware, minimum_size=1_000)]
    return Starlette(
        routes=[
            Route("/health", get_health),
            Route("/metrics", get_metrics),
            Route("/api/symbols", documents.get_symbols),
            Route("/api/{name}", documents.get_document, middleware=compressed),
            Route("/", get_page, middleware=compressed),
            Mount("/static", _Revalidated(directory=STATIC), middleware=compressed),
        ],
        middleware=[Middleware(_SecurityHeaders)],
        lifespan=lifespan,
    )


class _Revalidated(StaticFiles):
    """Static files that browsers cache and revalidate on each use: an upgrade never mixes old and new files."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        return response


class _SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
