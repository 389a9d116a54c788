"""Runs the service: a socket of its own, uvicorn, and an end that is one.

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

#: Connections that wait to be taken.
_BACKLOG = 512


def run_service(host: str, port: int, url: str | None, *, access_log: bool) -> None:
    """Answer until SIGTERM or SIGINT, whatever becomes of the database.

    Raises CandlecastUserError where no database is named, or the address cannot be had.
    """
    app = create_application(database_url(url))
    listener = _listen(host, port)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="candlecast serve: %(message)s")
    # The pool would tell of every attempt; pool.py tells when it went and when it came.
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
    """The server raises the signal again once it has closed what was open: being told to stop is no failure."""
    raise SystemExit(0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # With its protocol named, else asyncio leaves Nagle's algorithm on: 40 ms for each answer on a kept connection.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)  # at once: who reads the line below may ask before the server runs
        except OSError:
            listener.close()
            raise
        return listener
    except socket.gaierror as error:
        raise CandlecastUserError(f"{host} is no address of this machine: {error.strerror}", _HINT) from None
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"port {port} of {host} is taken",
            errno.EACCES: f"port {port} is for root alone",
            errno.EADDRNOTAVAIL: f"{host} is no address of this machine",
        }
        message = reasons.get(error.errno or 0, f"{host}:{port} cannot be listened on: {error.strerror}")
        raise CandlecastUserError(message, _HINT) from None


_HINT = "Name another: `candlecast serve --host 127.0.0.1 --port 8081`."
