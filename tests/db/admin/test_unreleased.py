"""Databases with an alembic_version: another application's, and candlecast's from before its first release."""

import os
import re
import shlex
import subprocess
import sys

import psycopg
import pytest

from bench.processes import CANDLECAST
from db.migrations.notes import MARK
from tests.support.databases import alembic
from tests.support.golden_files import dump
from tests.support.migrations import migrate
from tests.support.paths import ROOT

FOREIGN = (
    "create table alembic_version (version_num varchar(32) primary key); insert into alembic_version values ('{}')"
)
NOTES = f"""create table migration_notes (name text primary key, note jsonb not null);
    comment on table migration_notes is '{MARK}; its downgrade reads it. Not for users.';"""
TABLES = "create table ml_settings (name text primary key); create table active_ensembles (id bigint);"
#: How a database from before the first release is recognized: by its notes at each step, by its tables at most.
OLD = {"0001": NOTES, "0014": NOTES + TABLES, "none": TABLES}
CANDLES = """
insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades, spread_bps)
select symbol, timestamptz '2026-01-01 00:00+00' + n * interval '1 minute', 100.1 + n / 3.0, 200.7, 99.3,
    100.2 + n / 7.0, n / 3.0, n * 33.4, n / 9.0, n * 11.1, n, case when n % 3 > 0 then n / 11.0 end
from unnest(array['BTCUSDT', 'X:odd/name-1']) as symbol, generate_series(0, 99) as n"""
ROWS = "select * from candles_1m order by symbol, open_time"


@pytest.mark.parametrize("revision", ["ae1027a6acf1", "0014", "0008"])
def test_another_applications_alembic_is_not_touched(make_database, revision):
    url = make_database()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(FOREIGN.format(revision) + "; create table theirs (x int); insert into theirs values (7)")
        before = dump(url)
        done = alembic(url, "upgrade", "head")
        assert done.returncode == 0, done.stderr
        assert db.execute("select count(*) from ml_settings").fetchone() == (17,)
        assert db.execute("select version_num from alembic_version").fetchall() == [(revision,)]
        assert alembic(url, "downgrade", "base").returncode == 0
        assert dump(url) == before


@pytest.mark.parametrize("revision", OLD)
@pytest.mark.parametrize("command", [("upgrade", "head"), ("downgrade", "base"), ("current",)], ids=" ".join)
def test_a_database_from_before_a_release_is_refused_unchanged(make_database, revision, command):
    url = make_database()
    with psycopg.connect(url, autocommit=True) as db:
        name = db.info.dbname
        db.execute(f"{FOREIGN.format(revision)}; {OLD[revision]}")
    before = dump(url)
    done = alembic(url, *command)
    assert done.returncode == 1
    assert f"database {name} is of a candlecast from before its first release" in done.stderr
    assert "Traceback" not in done.stderr
    assert dump(url) == before
    with psycopg.connect(url) as db:
        assert db.execute("select to_regclass('candlecast_version')").fetchone() == (None,)


def test_the_commands_of_the_refusal_keep_the_candles(make_database, tmp_path):
    """Runs its commands except make: the candles are the same afterwards, to the last bit."""
    url = make_database()
    migrate(url, "head")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(CANDLES)
        db.execute(f"drop table candlecast_version; alter database {db.info.dbname} set datestyle = 'German'")
        before = db.execute(ROWS).fetchall()
    advice = alembic(url, "upgrade", "head").stderr
    commands = "\n".join(re.findall(r"^ {7}(.*)", advice, flags=re.MULTILINE))
    programs = (
        f'alembic() {{ (cd {shlex.quote(str(ROOT))} && {sys.executable} -m alembic "$@"); }}\n'
        f'candlecast() {{ {shlex.join(CANDLECAST)} "$@"; }}\n'
    )
    done = subprocess.run(
        ["bash", "-ec", programs + commands],
        cwd=tmp_path,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.iterdir())) == 2
    with psycopg.connect(url) as db:
        assert db.execute(ROWS).fetchall() == before
        assert db.execute("select count(*) from candlecast_version").fetchone() == (1,)
