"""Alembic's entry: one connection, one transaction for each `alembic` call, server notices on the screen.

The database is DATABASE_URL (a libpq URI), from the environment or from `.env` beside alembic.ini.
"""

import os
import shlex
import sys
from pathlib import Path

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool

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
    """A libpq connection, so that every URI libpq understands works; notices go to stderr."""
    connection = psycopg.connect(database_url(), client_encoding="utf8")
    connection.add_notice_handler(
        lambda notice: print(f"{notice.severity}: {notice.message_primary}", file=sys.stderr)
    )
    return connection


def run_migrations() -> None:
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=pool.NullPool)
    with engine.connect() as connection:
        superuser = connection.exec_driver_sql(
            "select rolsuper from pg_roles where rolname = current_user"
        ).scalar()
        if not superuser:
            sys.exit("alembic: migrations create PL/Python functions and roles: connect as a superuser")
        connection.rollback()
        context.configure(connection=connection, target_metadata=None, version_table_schema="public")
        with context.begin_transaction():
            connection.exec_driver_sql("set local search_path = public")
            context.run_migrations()


if context.is_offline_mode():
    sys.exit("alembic: --sql is not offered: the migrations look at the database that they change")
run_migrations()
