"""Connects to the database that ``make up`` made.

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
    "Run `make up`, which starts PostgreSQL and writes .env, or name another database with "
    "--database-url or DATABASE_URL (postgresql://user@host:port/name)."
)
_ROLES = (
    "Connect as a login with the role that the command needs. load, backfill, repair and feed: "
    "candlecast_feeder; retrain, train and publish --as test: candlecast_trainer; publish --as active: "
    "candlecast_trainer and candlecast_operator; status, evaluate and card: candlecast_reader."
)


def connect(url: str | None = None) -> psycopg.Connection:
    """A connection in autocommit mode, so that ``connection.transaction()`` is a transaction.

    The URL is that of ``database_url``. Raises CandlecastUserError where there is none or nobody answers.
    """
    try:
        return psycopg.connect(database_url(url), autocommit=True, fallback_application_name="candlecast")
    except psycopg.OperationalError as error:
        raise no_connection(error) from None


def database_url(url: str | None = None) -> str:
    """The argument, else DATABASE_URL of the environment, else that of the nearest ``.env``.

    Raises CandlecastUserError where there is none, or none that libpq can read.
    """
    url = url or os.environ.get("DATABASE_URL") or _url_of_env_file()
    if not url:
        raise CandlecastUserError("no database is named", _NO_DATABASE)
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # its message would repeat the URL, password and all
        raise CandlecastUserError("the database URL cannot be parsed", _NO_DATABASE) from None
    return url


def no_connection(error: psycopg.OperationalError) -> CandlecastUserError:
    """Nobody answers, or nobody who lets us in."""
    return CandlecastUserError(f"no connection to the database: {' '.join(str(error).split())}", _NO_DATABASE)


def explain(error: psycopg.Error) -> CandlecastUserError:
    """An error of the server as one for the user: its own message, its own hint or the usual remedy."""
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    message = message.removeprefix("plpy.Error: ")  # what PL/Python puts before every message
    hint = error.diag.message_hint
    if hint is None and isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        hint = "The database has no candlecast objects, or old ones: run `alembic upgrade head`."
    elif hint is None and isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = _ROLES
    elif hint is None and isinstance(error, psycopg.OperationalError):
        hint = "Look at the server: `candlecast status`; then run the command again."
    return CandlecastUserError(message, hint)


def read_env_file(path: Path) -> dict[str, str]:
    """KEY=value lines, quoted as a shell would read them; blank lines and comments are skipped."""
    variables = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise CandlecastUserError(
                f"{path}: line {number}: {error}", "Quote the value as a shell would, or run `make up`."
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
