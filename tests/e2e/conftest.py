"""Servers for the tests of docs/how-to: installed by the documented commands, predicting DEMO."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.support.clusters import Cluster, as_root, create_cluster, drop_cluster, own_packages, wait_for
from tests.support.deployment import deploy_calibrated, load_demo
from tests.support.documents import blocks, installation, page

#: These files run first; test_unattended.py runs last.
SERVERS = ("test_operations.py", "test_standby.py", "test_pooler.py", "test_prometheus.py", "test_troubleshooting.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the servers before the tests that wait for full minutes, so that the servers' jobs have run by then."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        if here not in item.path.parents or item.path.name in SERVERS:
            return 0
        return 2 if item.path.name == "test_unattended.py" else 1

    items.sort(key=place)


@pytest.fixture(scope="session")
def pythonpath(cluster_url: str) -> str:
    """The PYTHONPATH of the test run's server."""
    with psycopg.connect(cluster_url) as db:
        db.execute("create extension if not exists plpython3u")
        db.execute(
            "create function pg_temp.path() returns text language plpython3u as"
            " $$ import os; return os.environ['PYTHONPATH'] $$"
        )
        (path,) = db.execute("select pg_temp.path()").fetchone()
        db.rollback()
    return path


@pytest.fixture(scope="session")
def began() -> dict[str, datetime]:
    """For each server the time from which it runs undisturbed."""
    return {}


@pytest.fixture(scope="session")
def primary(pythonpath: str, artifacts: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Installed by the documented commands: a DEMO candle every minute, an active ensemble, a login."""
    cluster = create_cluster("primary", pythonpath)
    try:
        cluster.start()
        for commands in installation():
            cluster.run(commands, tmp_path_factory.mktemp("primary"))
        with cluster.connect() as db:
            load_demo(db, datetime.now(UTC))
            deploy_calibrated(db, artifacts)
            # As `make up` schedules it.
            db.execute(
                "select cron.schedule_in_database('candlecast-demo', '* * * * *', 'select generate_demo_candles()',"
                " 'candlecast', 'candlecast_cron', true)"
            )
            db.execute("alter role ann password 'secret'")
            db.execute("alter role ann in database candlecast set statement_timeout = '1min'")
        yield cluster
    finally:
        drop_cluster(cluster)


@pytest.fixture(scope="session")
def restored(
    primary: Cluster, pythonpath: str, began: dict[str, datetime], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A dump of the primary, restored in a new cluster. It has a copy of the Python package that a test may change."""
    folder = tmp_path_factory.mktemp("restored")
    cluster = create_cluster("restored", pythonpath)
    try:
        as_root("mkdir", str(own_packages(cluster)))
        import candlecast

        as_root("cp", "-rL", str(Path(candlecast.__file__).parent), str(own_packages(cluster)))
        cluster.start()
        dump, restore = blocks(page("restore"), "bash")
        first = f"PYTHONPATH = '{own_packages(cluster)}:"
        cluster.run(installation()[0], folder, **{"PYTHONPATH = '": first})
        primary.run(dump, folder)
        cluster.run(restore, folder)
        began["restored"] = datetime.now(UTC)
        yield cluster
    finally:
        drop_cluster(cluster)


@pytest.fixture(scope="session")
def standby(primary: Cluster, pythonpath: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A hot standby of the primary, until `promoted` promotes it."""
    folder = tmp_path_factory.mktemp("standby")
    cluster = create_cluster("standby", pythonpath)
    try:
        cluster.start()
        cluster.run(installation()[0], folder)
        where = conninfo_to_dict(primary.url())
        here = f"host={where['host']} port={where['port']} user=postgres"
        cluster.run(blocks(page("replicas"), "bash")[0], folder, **{"host=primary.example user=replicator": here})
        yield cluster
    finally:
        drop_cluster(cluster)


@pytest.fixture(scope="session")
def promoted(standby: Cluster, began: dict[str, datetime]) -> Cluster:
    """The standby, promoted. The primary keeps running for other tests; no client writes into both."""
    standby.run(blocks(page("replicas"), "bash")[1], Path("/"))
    wait_for(standby, "select 1 where not pg_is_in_recovery()", seconds=20)
    began["promoted"] = datetime.now(UTC)
    return standby
