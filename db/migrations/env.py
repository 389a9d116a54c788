"""Alembic's entry point: one connection and one transaction per `alembic` call; server notices go to stderr.

The database is DATABASE_URL (a libpq URI), from the environment or from `.env` next to alembic.ini.
"""

import os
import shlex
import sys
from pathlib import Path

import psycopg
from alembic import context
from sqlalchemy import Connection, create_engine, pool

from db.migrations.unreleased import VERSION_TABLE, refuse_unreleased

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The libpq URI to migrate: `alembic -x url=...`, DATABASE_URL, or the one in `.env`."""
    url = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("DATABASE_URL")
    dotenv = ROOT / ".env"
    if not url and dotenv.exists():
        lines = shlex.split(dotenv.read_text(), comments=True)
        url = dict(line.split("=", 1) for line in lines if "=" in line).get("DATABASE_URL")
    if not url:
        sys.exit("alembic: no database: set DATABASE_URL, or run `make up`, which writes .env")
    return url


def connect() -> psycopg.Connection:
    """A libpq connection, so that every libpq URI works; notices go to stderr."""
    connection = psycopg.connect(database_url(), client_encoding="utf8")
    connection.add_notice_handler(lambda notice: say(f"{notice.severity}: {notice.message_primary}"))
    return connection


def say(message: str) -> None:
    """Print to stderr."""
    sys.stderr.write(f"{message}\n")


def wait_for_others(connection: Connection) -> None:
    """Allow one migration of a database at a time; a second one waits, then continues from there."""
    key = "hashtextextended('candlecast migrations', 0)"
    if not connection.exec_driver_sql(f"select pg_try_advisory_xact_lock({key})").scalar():
        say("alembic: waiting for another migration of this database")
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({key})")


def run_migrations() -> None:
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=pool.NullPool)
    with engine.connect() as connection:
        superuser = connection.exec_driver_sql("select rolsuper from pg_roles where rolname = current_user").scalar()
        if not superuser:
            sys.exit("alembic: migrations create PL/Python functions and roles: connect as a superuser")
        connection.rollback()
        context.configure(
            connection=connection,
            target_metadata=None,
            version_table=VERSION_TABLE,
            version_table_schema="public",
        )
        with context.begin_transaction():
            wait_for_others(connection)
            refuse_unreleased(connection)
            connection.exec_driver_sql("set local search_path = public")
            context.run_migrations()


if context.is_offline_mode():
    sys.exit("alembic: --sql is not supported: the migrations read the database that they change")
run_migrations()
