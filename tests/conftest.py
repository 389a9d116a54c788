"""What the tests share: databases of their own, connections in a role, artifacts, real candles.

`make test` makes a throw-away cluster and names it in CANDLECAST_TEST_URL (a superuser's libpq URI of its database
postgres). One template is migrated for the session; each test that asks gets a clone. pg_cron lives in the one
database that CANDLECAST_TEST_CRON_DATABASE names: tests marked `cron` share it, one after the other.
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
        pytest.skip("no test cluster: `make test` makes one (PYTEST_ARGS picks tests)")
    return url


@pytest.fixture
def admin(cluster_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's autocommit connection to the database postgres."""
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template(cluster_url: str) -> str:
    """The name of a database with every migration in it, that nobody is connected to."""
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        # An earlier run of pytest on this cluster may have left one.
        for statement in ("drop database if exists {}", "create database {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(TEMPLATE)))
    _migrate(with_database(cluster_url, TEMPLATE))
    return TEMPLATE


def _databases(cluster_url: str) -> Iterator[Callable[..., str]]:
    """make(template='template0') -> URL of a new database, dropped at the end.

    Each statement has a connection of its own: a test may crash the server on purpose.
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


#: The test's own, what the tests of a module share, and what all of them share.
make_database = pytest.fixture(_databases, name="make_database")
make_shared_database = pytest.fixture(_databases, scope="module", name="make_shared_database")
make_session_database = pytest.fixture(_databases, scope="session", name="make_session_database")


@pytest.fixture
def database_url(make_database: Callable[..., str], template: str) -> str:
    """A migrated database of the test's own."""
    return make_database(template)


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's autocommit connection to the test's own database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def connect_as(database_url: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """connect_as('candlecast_reader') -> a connection whose session is that role's, as if it had logged in."""
    with ExitStack() as stack:

        def connect(role: str, url: str = database_url) -> psycopg.Connection:
            connection = stack.enter_context(psycopg.connect(url, autocommit=True))
            connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(role)))
            return connection

        yield connect


@pytest.fixture(scope="session")
def cron_url(cluster_url: str) -> str:
    """The one database with pg_cron, migrated. Mark the tests that use it `cron`; leave it as you found it."""
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
    """run_cli(url, 'load', 'file.csv') -> the finished `candlecast load file.csv`, its exit status unchecked."""

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
    """Real candles that are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real candles are not here: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Small real models, trained once a session: see tests/support/artifacts.py."""
    from tests.support.artifacts import make_artifacts

    return make_artifacts(tmp_path_factory.mktemp("models"))
