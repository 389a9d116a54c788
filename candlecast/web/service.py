"""Runs the service: opens the socket, starts uvicorn, shuts down cleanly.

candlecast serve --port 8080
"""

import errno
import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn

from candlecast.client.database import database_url
from candlecast.core.errors import CandlecastUserError
from candlecast.web.application import create_application

#: Connections that the kernel queues before they are accepted.
_BACKLOG = 512


def run_service(host: str, port: int, url: str | None, *, access_log: bool) -> None:
    """Serve until SIGTERM or SIGINT, even while the database is unreachable.

    Raises CandlecastUserError if no database is configured or the address cannot be used.
    """
    app = create_application(database_url(url))
    listener = _listen(host, port)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="candlecast serve: %(message)s")
    # psycopg's pool logs every attempt to connect; pool.py logs only when the database goes and returns.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _stop)
    where = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"candlecast serves http://{where}:{listener.getsockname()[1]}/ (/health, /metrics)\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        app,
        access_log=access_log,
        log_level="info" if access_log else "warning",
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=30,
        ws="none",
        limit_concurrency=500,
        backlog=_BACKLOG,
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Exit with status 0: a requested stop is no failure. uvicorn raises the signal again after its shutdown."""
    raise SystemExit(0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # With an explicit protocol. Without it asyncio leaves Nagle's algorithm on: 40 ms per response with keep-alive.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)  # now: a client may connect as soon as the address is printed
        except OSError:
            listener.close()
            raise
        return listener
    except socket.gaierror as error:
        raise CandlecastUserError(f"{host} is not an address of this machine: {error.strerror}", _HINT) from None
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"port {port} of {host} is already in use",
            errno.EACCES: f"port {port} needs root privileges",
            errno.EADDRNOTAVAIL: f"{host} is not an address of this machine",
        }
        message = reasons.get(error.errno or 0, f"cannot listen on {host}:{port}: {error.strerror}")
        raise CandlecastUserError(message, _HINT) from None


_HINT = "Choose another address or port: `candlecast serve --host 127.0.0.1 --port 8081`."
