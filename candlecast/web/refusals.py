"""Turns errors of libpq and the server into reasons and hints for /health and the page, without addresses."""

import psycopg

from candlecast.core.errors import QueryRefused

_NOT_LISTENING = {"Connection refused", "No such file or directory"}


def to_query_refused(error: psycopg.Error) -> QueryRefused:
    """The error with the server's reason and hint."""
    timed_out = isinstance(error, psycopg.errors.QueryCanceled)
    # The server's message names only its statement_timeout, not the cause (a lock, or a table that grew).
    reason = "the query timed out" if timed_out else _read_message(error)
    return QueryRefused(reason, error.diag.message_hint or find_hint(error), error.sqlstate, timed_out=timed_out)


def strip_address(text: str) -> str:
    """REASON of libpq's 'connection to server at "HOST" (ADDRESS), port 1 failed: REASON'."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    failed = [line.rpartition("failed: ")[2] for line in lines if "failed: " in line]
    reason = (failed or lines or ["no connection"])[-1].removeprefix("FATAL:").strip()
    return f"no server at this address ({reason})" if reason in _NOT_LISTENING else reason


def find_hint(error: psycopg.Error) -> str | None:
    """The remedy for an error that has no hint of the server."""
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return "The candlecast schema is missing or too old. Run `alembic upgrade head`."
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "Grant read access to the service's login: `grant candlecast_reader to LOGIN;`."
    if "authentication failed" in str(error) or "no password supplied" in str(error):
        return "Correct the user and the password in DATABASE_URL."
    return None


def _read_message(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).removeprefix("plpy.Error: ")
