"""`candlecast serve`."""

from typing import Annotated

import typer

from candlecast.cli.options import DatabaseUrl


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Nobody is asked for a password, whoever reaches it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Serve /health, /metrics and the dashboard, until told to stop.

    Reads only, as `candlecast_reader` where the login is a member of it: such a login, and no more, is all it needs.
    The database may come later, go away and return; /health says so with status 503. For others than this machine put
    a proxy in front, with TLS and passwords.

    Exit status: 0 stopped by SIGTERM or SIGINT, 1 the address cannot be had or no database is named.

    Example: `candlecast serve`

    Example: `candlecast serve --port 8081 --database-url postgresql://watcher@db.example/candlecast`
    """
    from candlecast.web.service import run_service

    run_service(host, port, database_url, access_log=access_log)
