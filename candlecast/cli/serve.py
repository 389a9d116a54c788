"""`candlecast serve`."""

from typing import Annotated

import typer

from candlecast.cli.options import DatabaseUrl


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on. There is no password: limit who can reach it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free port.")] = 8080,
    access_log: Annotated[bool, typer.Option("--access-log", help="A log line for every request.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Serve the dashboard, /health and /metrics over HTTP, until stopped.

    It only reads, and uses the role `candlecast_reader` if the login is a member of it. No other role is needed. While
    the database is down, /health returns status 503, and the service reconnects. To serve other machines, put a proxy
    with TLS and authentication in front.

    Exit status: 0 stopped by SIGTERM or SIGINT; 1 the address is not available, or no database is configured.

    Example: `candlecast serve`

    Example: `candlecast serve --port 8081 --database-url postgresql://watcher@db.example/candlecast`
    """
    from candlecast.web.service import run_service

    run_service(host, port, database_url, access_log=access_log)
