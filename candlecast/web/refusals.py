"""What libpq and the server say of a failure, as /health and the page pass it on: without addresses, with a hint."""

import psycopg

from candlecast.core.errors import QueryRefused

_NOT_LISTENING = {"Connection refused", "No such file or directory"}


def to_query_refused(error: psycopg.Error) -> QueryRefused:
    """The error with the server's reason and hint."""
    timed_out = isinstance(error, psycopg.errors.QueryCanceled)
    # A lock, or a table that grew: what the server says of its own time limit helps nobody.
    reason = "it takes too long" if timed_out else _read_message(error)
    return QueryRefused(reason, error.diag.message_hint or find_hint(error), error.sqlstate, timed_out=timed_out)


def strip_address(text: str) -> str:
    """The message of libpq without host, port and address: 'connection to server at "h" (a), port 1 failed: REASON'."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    failed = [line.rpartition("failed: ")[2] for line in lines if "failed: " in line]
    reason = (failed or lines or ["no connection"])[-1].removeprefix("FATAL:").strip()
    return f"nothing listens there ({reason})" if reason in _NOT_LISTENING else reason


def find_hint(error: psycopg.Error) -> str | None:
    """What to do where the server itself gives no hint."""
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return "The database has no candlecast objects, or old ones: run `alembic upgrade head`."
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "Let the service's login read: `grant candlecast_reader to LOGIN;`."
    if "authentication failed" in str(error) or "no password supplied" in str(error):
        return "The server refuses the user or the password of DATABASE_URL."
    return None


def _read_message(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).removeprefix("plpy.Error: ")
