"""Fixtures of the database tests, in addition to tests/conftest.py."""

import shutil

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.support.ab_days import EVEN, moving_candles, predicted
from tests.support.databases import with_database
from tests.support.deployment import create, deploy, deploy_calibrated, load_demo, readable_copies


@pytest.fixture(scope="module")
def shared_session(make_shared_database, template):
    with psycopg.connect(make_shared_database(template), autocommit=True) as connection:
        yield connection


@pytest.fixture
def shared_db(shared_session):
    """A transaction in a migrated database of the module, rolled back: for tests that do not commit."""
    with shared_session.transaction(force_rollback=True):
        yield shared_session


@pytest.fixture(scope="session")
def live_template(cluster_url, template, artifacts):
    """A database to clone: a day of DEMO up to deployment.NEWEST, and an active ensemble."""
    name = "candlecast_live"
    with psycopg.connect(cluster_url, autocommit=True) as admin:
        admin.execute(f"create database {name} template {template}")
    with psycopg.connect(with_database(cluster_url, name), autocommit=True) as db:
        load_demo(db)
        deploy(db, artifacts)
    return name


@pytest.fixture
def live_url(make_database, live_template):
    return make_database(live_template)


@pytest.fixture
def live(live_url):
    """A connection to a clone of `live_template`; rows have names."""
    with psycopg.connect(live_url, autocommit=True, row_factory=namedtuple_row) as db:
        yield db


@pytest.fixture(scope="module")
def warm_session(make_shared_database, live_template):
    url = make_shared_database(live_template)
    with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as connection:
        yield connection


@pytest.fixture
def warm(warm_session):
    """A transaction in a clone of `live_template`, rolled back; loaded models stay cached, rows have names."""
    with warm_session.transaction(force_rollback=True):
        yield warm_session


@pytest.fixture(scope="session")
def calibrated_template(cluster_url, live_template, artifacts):
    """`live_template` with a calibrated active ensemble."""
    name = "candlecast_calibrated"
    with psycopg.connect(cluster_url, autocommit=True) as admin:
        admin.execute(f"create database {name} template {live_template}")
    with psycopg.connect(with_database(cluster_url, name), autocommit=True) as db:
        deploy_calibrated(db, artifacts)
    return name


@pytest.fixture
def calibrated_url(make_database, calibrated_template):
    return make_database(calibrated_template)


@pytest.fixture
def calibrated(calibrated_url):
    """A connection to a clone of `calibrated_template`; rows have names."""
    with psycopg.connect(calibrated_url, autocommit=True, row_factory=namedtuple_row) as db:
        yield db


@pytest.fixture
def copies(artifacts):
    """Copies of the two model folders that the server's operating system user can read."""
    folders = readable_copies(artifacts)
    yield folders
    shutil.rmtree(folders[0].parent)


@pytest.fixture(scope="session")
def duel_template(cluster_url, live_template, artifacts):
    """Five synthetic days (ab_days.py): ensemble 1 active and right in half of the minutes, 2 on test, 3, 4 waiting."""
    name = "candlecast_duel"
    with psycopg.connect(cluster_url, autocommit=True) as admin:
        admin.execute(f"create database {name} template {live_template}")
    with psycopg.connect(with_database(cluster_url, name), autocommit=True) as db:
        db.execute("delete from candles_1m")
        moving_candles(db, days=5)
        predicted(db, 1, EVEN)
        for number, weight in enumerate((0.1, 0.2, 0.3), start=2):
            assert create(db, artifacts, weight, is_test=number == 2) == number
        db.execute("vacuum analyze")
    return name


@pytest.fixture(scope="module")
def duel_session(make_shared_database, duel_template):
    with psycopg.connect(
        make_shared_database(duel_template), autocommit=True, row_factory=namedtuple_row
    ) as connection:
        yield connection


@pytest.fixture
def duel(duel_session):
    """A transaction in a clone of `duel_template`, rolled back; loaded models stay cached, rows have names."""
    with duel_session.transaction(force_rollback=True):
        yield duel_session


@pytest.fixture
def duel_url(make_database, duel_template):
    return make_database(duel_template)


@pytest.fixture
def committed_duel(duel_url):
    """A connection to a clone of `duel_template`; rows have names."""
    with psycopg.connect(duel_url, autocommit=True, row_factory=namedtuple_row) as db:
        yield db
