"""Runs migrations in the process of the tests: a second faster than the command, and errors are exceptions."""

import os
from unittest import mock

import psycopg
from alembic import command
from alembic.config import Config

from tests.support.paths import ROOT

CONFIG = Config(ROOT / "alembic.ini")


def migrate(url: str, revision: str) -> None:
    """Upgrade or downgrade the database to a revision (or head, base)."""
    with psycopg.connect(url) as db:
        known = db.execute("select to_regclass('public.candlecast_version') is not null").fetchone()[0]
        now = (known and db.execute("select max(version_num) from public.candlecast_version").fetchone()[0]) or ""
    up = revision == "head" or (revision != "base" and revision > now)
    with mock.patch.dict(os.environ, {"DATABASE_URL": url}):
        (command.upgrade if up else command.downgrade)(CONFIG, revision)
