"""The ASGI application: /health, /metrics, /api/... and the page.

uvicorn.run(application("postgresql://..."))
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

from candlecast.web.answers import Cached
from candlecast.web.api import Api
from candlecast.web.database import Database
from candlecast.web.exposition import metrics
from candlecast.web.health import health

STATIC = Path(__file__).parent / "static"
#: One query a second for each of /health and /metrics, however many ask.
CACHE_SECONDS = 1.0
#: The page needs nothing but what lies here, and nobody frames it.
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


def application(url: str) -> Starlette:
    """The service over one database, which may come later, go away and return."""
    database = Database(url)
    api = Api(database)
    of_health = Cached(lambda: health(database), CACHE_SECONDS)
    of_metrics = Cached(lambda: metrics(database), CACHE_SECONDS)

    async def get_health(request: Request) -> Response:
        return (await of_health.get()).to(request)

    async def get_metrics(request: Request) -> Response:
        return (await of_metrics.get()).to(request)

    async def get_page(_request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await database.open()
        yield
        await database.close()

    # What is asked 200 times a second is small and not worth compressing.
    compressed = [Middleware(GZipMiddleware, minimum_size=1_000)]
    return Starlette(
        routes=[
            Route("/health", get_health),
            Route("/metrics", get_metrics),
            Route("/api/symbols", api.symbols),
            Route("/api/{name}", api.document, middleware=compressed),
            Route("/", get_page, middleware=compressed),
            Mount("/static", _Revalidated(directory=STATIC), middleware=compressed),
        ],
        middleware=[Middleware(_SecurityHeaders)],
        lifespan=lifespan,
    )


class _Revalidated(StaticFiles):
    """Files that a browser keeps and asks about each time: after an upgrade nobody sees half of the old page."""

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
