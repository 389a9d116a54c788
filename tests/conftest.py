"""Shared fixtures: databases, connections in a role, artifacts, real candles.

`make test` creates a throw-away cluster and passes it in CANDLECAST_TEST_URL (a superuser's libpq URI of the database
postgres). One template database is migrated per session; each test gets a clone of it. pg_cron runs in only one
database, CANDLECAST_TEST_CRON_DATABASE: tests marked `cron` share it and run one after the other.
"""

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bench.processes import CANDLECAST
from tests.support.databases import alembic, with_database
from tests.support.paths import ROOT, SHARED_DATA

TEMPLATE = "candlecast_template"
_numbers = itertools.count(1)


def _migrate(url: str) -> None:
    done = alembic(url, "upgrade", "head")
    if done.returncode:
        pytest.fail(f"alembic upgrade head failed:\n{done.stdout}{done.stderr}", pytrace=False)


@pytest.fixture(scope="session")
def cluster_url() -> str:
    """The throw-away cluster, as superuser."""
    url = os.environ.get("CANDLECAST_TEST_URL")
    if not url:
        pytest.skip("no test cluster: run `make test` (PYTEST_ARGS selects tests)")
    return url


@pytest.fixture
def admin(cluster_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's autocommit connection to the database postgres."""
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template(cluster_url: str) -> str:
    """The name of a fully migrated database without connections."""
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        # An earlier pytest run on this cluster may have left one.
        for statement in ("drop database if exists {}", "create database {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(TEMPLATE)))
    _migrate(with_database(cluster_url, TEMPLATE))
    return TEMPLATE


def _databases(cluster_url: str) -> Iterator[Callable[..., str]]:
    """make(template='template0') -> URL of a new database, dropped at the end.

    Each statement uses a new connection, because a test may crash the server on purpose.
    """
    names: list[str] = []

    def execute(statement: str, *names: str) -> None:
        with psycopg.connect(cluster_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def make(template: str = "template0") -> str:
        name = f"candlecast_{os.getpid()}_{next(_numbers)}"
        names.append(name)
        execute("create database {} template {}", name, template)
        return with_database(cluster_url, name)

    yield make
    for name in names:
        execute("drop database if exists {} with (force)", name)


#: Databases per test, per module and per session.
make_database = pytest.fixture(_databases, name="make_database")
make_shared_database = pytest.fixture(_databases, scope="module", name="make_shared_database")
make_session_database = pytest.fixture(_databases, scope="session", name="make_session_database")


@pytest.fixture
def database_url(make_database: Callable[..., str], template: str) -> str:
    """A migrated database for one test."""
    return make_database(template)


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's autocommit connection to the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def connect_as(database_url: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """connect_as('candlecast_reader') -> a connection with this session authorization, as after a login."""
    with ExitStack() as stack:

        def connect(role: str, url: str = database_url) -> psycopg.Connection:
            connection = stack.enter_context(psycopg.connect(url, autocommit=True))
            connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(role)))
            return connection

        yield connect


@pytest.fixture(scope="session")
def cron_url(cluster_url: str) -> str:
    """The database with pg_cron, migrated. Tests that use it are marked `cron` and undo their changes."""
    name = os.environ["CANDLECAST_TEST_CRON_DATABASE"]
    url = with_database(cluster_url, name)
    _migrate(url)
    return url


@pytest.fixture
def cron_db(cron_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's autocommit connection to the pg_cron database."""
    with psycopg.connect(cron_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """run_cli(url, 'load', 'file.csv') -> the completed process; the exit status is not checked."""

    def run(url: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CANDLECAST, *map(str, arguments)],
            cwd=options.pop("cwd", ROOT),
            env=os.environ | {"DATABASE_URL": url, "COLUMNS": "200"} | options.pop("env", {}),
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real candles, which are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real candles are missing: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Small real models, trained once per session (tests/support/artifacts.py)."""
    from tests.support.artifacts import make_artifacts

    return make_artifacts(tmp_path_factory.mktemp("models"))
