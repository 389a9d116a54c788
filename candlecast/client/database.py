"""Connects to the database of ``make up`` or to another one.

with connect() as connection:
    connection.execute("select 1")
"""

import os
import shlex
from pathlib import Path

import psycopg
import psycopg.conninfo

from candlecast.core.errors import CandlecastUserError

_NO_DATABASE = (
    "Run `make up`, which starts PostgreSQL and writes .env, or set another database with "
    "--database-url or DATABASE_URL (postgresql://user@host:port/name)."
)
_ROLES = (
    "Connect with the role that the command needs. load, backfill, repair and feed: "
    "candlecast_feeder; retrain, train and publish --as test: candlecast_trainer; publish --as active: "
    "candlecast_trainer and candlecast_operator; status, evaluate and card: candlecast_reader."
)


def connect(url: str | None = None) -> psycopg.Connection:
    """A connection in autocommit mode, so that ``connection.transaction()`` is a transaction.

    ``database_url`` finds the URL. Raises CandlecastUserError if there is none or if connecting fails.
    """
    try:
        return psycopg.connect(database_url(url), autocommit=True, fallback_application_name="candlecast")
    except psycopg.OperationalError as error:
        raise no_connection(error) from None


def database_url(url: str | None = None) -> str:
    """The argument, else DATABASE_URL in the environment, else DATABASE_URL in the nearest ``.env``.

    Raises CandlecastUserError if there is none, or if libpq cannot parse it.
    """
    url = url or os.environ.get("DATABASE_URL") or _url_of_env_file()
    if not url:
        raise CandlecastUserError("no database is configured", _NO_DATABASE)
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # its message would show the URL with the password
        raise CandlecastUserError("the database URL cannot be parsed", _NO_DATABASE) from None
    return url


def no_connection(error: psycopg.OperationalError) -> CandlecastUserError:
    """The error for a failed connection."""
    return CandlecastUserError(f"no connection to the database: {' '.join(str(error).split())}", _NO_DATABASE)


def explain(error: psycopg.Error) -> CandlecastUserError:
    """Convert an error of the server to a CandlecastUserError with its hint, or a default hint."""
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    message = message.removeprefix("plpy.Error: ")  # the prefix of PL/Python
    hint = error.diag.message_hint
    if hint is None and isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        hint = "Run `alembic upgrade head`: the database has no candlecast objects, or an old version of them."
    elif hint is None and isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = _ROLES
    elif hint is None and isinstance(error, psycopg.OperationalError):
        hint = "Check the database server, then run the command again."
    return CandlecastUserError(message, hint)


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of KEY=value lines, with shell quoting; blank lines and comments are skipped."""
    variables = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise CandlecastUserError(
                f"{path}: line {number}: {error}", "Quote the value as in a shell, or run `make up`."
            ) from None
        if words[:1] == ["export"]:
            words = words[1:]
        if len(words) == 1 and "=" in words[0]:
            name, _, value = words[0].partition("=")
            variables[name] = value
    return variables


def _url_of_env_file() -> str | None:
    here = Path.cwd()
    project = Path(__file__).resolve().parents[2]
    for folder in (here, *here.parents, project):
        path = folder / ".env"
        try:
            url = read_env_file(path).get("DATABASE_URL") if path.is_file() else None
        except OSError as error:
            raise CandlecastUserError(
                f"{path} cannot be read: {error.strerror}", "Run as the user who ran `make up`."
            ) from None
        if url:
            return url
    return None
