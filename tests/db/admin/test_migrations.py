"""Migrations: every step up and down, what a downgrade keeps, and what rejects an upgrade."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import ProgrammingError

from db.migrations import objects, roles
from tests.support.databases import alembic
from tests.support.golden_files import assert_golden, dump
from tests.support.migrations import CONFIG, migrate
from tests.support.paths import ROOT

SCRIPTS = list(reversed(list(ScriptDirectory.from_config(CONFIG).walk_revisions())))


def test_history_is_one_line_of_numbered_files():
    names = [Path(script.path).name for script in SCRIPTS]
    assert sorted(names) == sorted(path.name for path in (ROOT / "db/migrations/versions").glob("*.py"))
    for number, script in enumerate(SCRIPTS, start=1):
        assert re.fullmatch(rf"{number:04d}_[a-z0-9]+(_[a-z0-9]+)*\.py", Path(script.path).name)
        assert script.revision == f"{number:04d}"
        assert script.down_revision == (None if number == 1 else f"{number - 1:04d}")
        assert f"Revises: {script.down_revision or 'nothing'}" in script.module.__doc__


def test_migrations_name_every_sql_file_and_no_other():
    named = {
        f"{name}_v{int(version):02d}.sql"
        for path in (ROOT / "db/migrations/versions").glob("*.py")
        for name, version in re.findall(r'create\("(\w+/\w+)", version=(\d+)\)', path.read_text())
    }
    there = {str(path.relative_to(objects.FUNCTIONS)) for path in objects.FUNCTIONS.rglob("*.sql")}
    assert sorted(named) == sorted(there)


def test_an_object_has_one_file_with_all_of_its_text():
    """A file alters only its own table. Exception: the foreign key between two tables that reference each other."""
    circle = {("ab/ab_evaluations_v01.sql", "active_ensembles")}
    altered = set()
    for path in objects.FUNCTIONS.rglob("*.sql"):
        text = path.read_text()
        name = str(path.relative_to(objects.FUNCTIONS))
        tables = re.findall(r"^create table (?:if not exists )?(\w+)", text, re.MULTILINE)
        assert len(tables) <= 1, name
        assert re.search(r"^create ", text, re.MULTILINE) or name in {"admin/roles_v01.sql", "admin/jobs_v01.sql"}, name
        named = set(re.findall(r"^alter table (\w+)", text, re.MULTILINE))
        altered |= {(name, table) for table in named - set(tables)}
    assert altered == circle


def test_no_body_of_a_function_or_view_lives_in_python():
    for path in (ROOT / "db/migrations").rglob("*.py"):
        assert not re.search(
            r"create (or replace )?(function|procedure|view|aggregate|table public)", path.read_text()
        ) or (
            path.name == "notes.py"  # the table of the migrations
        ), path.name


def test_every_step_up_is_undone_by_its_step_down_and_replays(make_database):
    url = make_database()
    states = [dump(url)]
    for script in SCRIPTS:
        migrate(url, script.revision)
        states.append(dump(url))
    idle = [script.revision for n, script in enumerate(SCRIPTS) if states[n] == states[n + 1]]
    assert idle == ["0008"], "a migration did nothing"  # 0008 schedules jobs, if pg_cron is there
    for number, script in reversed(list(enumerate(SCRIPTS))):
        migrate(url, script.down_revision or "base")
        assert dump(url) == states[number], f"after the downgrade of {script.revision}"
    for number, script in enumerate(SCRIPTS, start=1):
        migrate(url, script.revision)
        assert dump(url) == states[number], f"after the second upgrade to {script.revision}"


KEPT = ("model_versions", "active_ensembles", "predictions", "inference_runs")


def test_a_partial_downgrade_keeps_the_rows_of_earlier_steps(committed_duel, duel_url):
    """Down to before the A/B tests and up again, with ensembles that an evaluation changed."""
    evaluated = "update active_ensembles set change_evaluation_id = (select max(id) from ab_evaluations)"
    committed_duel.execute("select from evaluate_ab((select max(open_time) from candles_1m))")
    assert committed_duel.execute(evaluated).rowcount == 4
    assert committed_duel.execute("select count(change_evaluation_id) from active_ensembles").fetchone()[0] == 4
    counts = "select array[" + ", ".join(f"(select count(*) from {name})" for name in KEPT) + "] as rows"
    before = committed_duel.execute(counts).fetchone()
    assert before.rows[2] > 0
    for revision in ("0005", "head"):
        migrate(duel_url, revision)
        assert committed_duel.execute(counts).fetchone() == before
        assert committed_duel.execute("select count(change_evaluation_id) from active_ensembles").fetchone()[0] == 0


def test_downgrade_to_base_keeps_only_the_version_table(make_database):
    url = make_database()
    migrate(url, "head")
    migrate(url, "base")
    with psycopg.connect(url) as db:
        assert db.execute("""
            select array(select relname from pg_class where relnamespace = 'public'::regnamespace and relkind <> 'i'),
                array(select extname from pg_extension),
                (select count(*) from pg_proc where pronamespace = 'public'::regnamespace),
                (select count(*) from pg_namespace where nspname like 'candlecast%'),
                (select count(*) from pg_default_acl)
        """).fetchone() == (["candlecast_version"], ["plpgsql"], 0, 0, 0)


def test_existing_extensions_are_kept(make_database):
    url = make_database()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("create extension plpython3u")
        db.execute("create function mine() returns int language plpython3u as 'return 7'")
        before = dump(url)
        migrate(url, "head")
        migrate(url, "base")
        assert dump(url) == before
        assert db.execute("select mine()").fetchone() == (7,)


@pytest.mark.cron
def test_jobs_and_pg_cron_are_created_and_dropped(cron_url):
    jobs = "select jobname, schedule, command, database, username, active from cron.job order by jobname"
    with psycopg.connect(cron_url, autocommit=True) as db:
        before, found = dump(cron_url, "--schema-only"), db.execute(jobs).fetchall()
        name = db.info.dbname
        assert [row[:2] + row[3:] for row in found] == [
            ("candlecast-aggregate", "11 * * * *", name, "candlecast_cron", True),
            ("candlecast-consistency", "20 0 * * *", name, "candlecast_cron", True),
            ("candlecast-drift", "20 0 * * *", name, "candlecast_cron", True),
            ("candlecast-evaluate", "10 0 * * *", name, "candlecast_cron", True),
            ("candlecast-inference", "* * * * *", name, "candlecast_cron", True),
            ("candlecast-prune", "41 2 * * *", name, "candlecast_cron", True),
            ("candlecast-prune-measurements", "43 2 * * *", name, "candlecast_cron", True),
        ]
        migrate(cron_url, "0007")
        assert db.execute(jobs).fetchall() == []
        migrate(cron_url, "base")
        assert db.execute("select array(select extname from pg_extension)").fetchone() == (["plpgsql"],)
        migrate(cron_url, "head")
        assert (dump(cron_url, "--schema-only"), db.execute(jobs).fetchall()) == (before, found)


def test_without_pg_cron_the_upgrade_names_the_alternative(make_database):
    done = alembic(make_database(), "upgrade", "head")
    assert done.returncode == 0
    assert "pg_cron is not available in this database" in done.stderr
    assert "Call run_inference() every minute some other way" in done.stderr


@pytest.fixture
def operations(make_database) -> Connection:
    """The connection that `objects.execute` uses inside a migration."""
    url = make_database()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)
    with engine.connect() as connection, Operations.context(MigrationContext.configure(connection)):
        yield connection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("insert into log values (107 % 100)", ["7"]),
        ("insert into log values (7::int::text)", ["7"]),
        ("do $$ declare x int; begin x := 7; insert into log values (x); end $$", ["7"]),
        ("insert into log values ('%s'), ('%(x)s'), (':x'), ('%%')", ["%s", "%(x)s", ":x", "%%"]),
        ("insert into log values ('a'); -- 100 %\ninsert into log values ('b');", ["a", "b"]),
    ],
)
def test_execute_runs_sql_text_unchanged(operations, text, expected):
    objects.execute("create table log (what text)")
    objects.execute(text)
    assert [row[0] for row in objects.execute("select what from log")] == expected


@pytest.mark.parametrize("text", ["select 107 % 100", "select 'a' like '%a%'", "select 1; select 107 % 100"])
def test_without_no_parameters_such_text_fails(operations, text):
    """Why `objects.execute` sets the option. If this fails, the option is no longer needed."""
    with pytest.raises(ProgrammingError, match="placeholder"):
        operations.execution_options(no_parameters=False).exec_driver_sql(text)


def test_roles_are_dropped_unless_something_uses_them(make_database, operations, monkeypatch):
    """With other role names: the template uses the real ones."""
    names = [f"candlecast_probe_{what}" for what in ("idle", "owner", "elsewhere")]
    monkeypatch.setattr(roles, "ROLES", tuple(names))
    elsewhere = make_database()
    home = operations.exec_driver_sql("select current_database()").scalar()
    operations.commit()
    try:
        for name in names:
            objects.execute(f"create role {name}; grant usage on schema public to {name}")
            objects.execute(f"grant connect on database {home} to {name}")
        objects.execute("create table mine (x int); alter table mine owner to candlecast_probe_owner")
        operations.commit()
        with psycopg.connect(elsewhere, autocommit=True) as other:
            other.execute("create table theirs (x int); grant select on theirs to candlecast_probe_elsewhere")
            roles.drop_roles()
            operations.commit()
            left = "select array_agg(rolname order by rolname) from pg_roles where rolname like 'candlecast_probe%'"
            assert other.execute(left).fetchone() == (["candlecast_probe_elsewhere", "candlecast_probe_owner"],)
            assert objects.scalar("select count(*) from mine") == 0, "a table that a role owns is kept"
            assert "candlecast_probe" not in dump(elsewhere).replace("TABLE public.theirs TO candlecast_probe", "")
            other.execute("drop table theirs")
        objects.execute("drop table mine")
        monkeypatch.setattr(roles, "ROLES", tuple(names[1:]))
        roles.drop_roles()
        operations.commit()
        assert objects.scalar(left) is None
    finally:
        operations.rollback()
        for name in names:
            objects.execute(
                f"drop table if exists mine; do $$ begin drop owned by {name}; drop role {name}; "
                "exception when undefined_object then end $$"
            )
        operations.commit()


def test_a_downgrade_keeps_and_reports_roles_in_use(make_database, template):
    url = make_database()
    alembic(url, "upgrade", "head")
    done = alembic(url, "downgrade", "base")
    assert done.returncode == 0, done.stderr
    assert "role candlecast_owner is kept because it is in use" in done.stderr
    assert f"in database {template}" in done.stderr
    with psycopg.connect(url) as db:
        assert db.execute("select count(*) from pg_roles where rolname like 'candlecast\\_%'").fetchone() >= (6,)


def test_a_downgrade_that_breaks_a_users_view_is_refused(make_database):
    url = make_database()
    migrate(url, "head")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("create view mine as select * from latest_predictions")
    before = dump(url)
    done = alembic(url, "downgrade", "base")
    assert done.returncode == 1
    assert "cannot drop view latest_predictions because other objects depend on it" in done.stderr
    assert "view mine depends on view latest_predictions" in done.stderr
    assert dump(url) == before


def test_only_a_superuser_migrates(make_database, admin):
    url = make_database()
    before = dump(url)
    admin.execute("create role candlecast_probe_plain")
    try:
        plain = psycopg.conninfo.make_conninfo(url, options="-c role=candlecast_probe_plain")
        done = alembic(plain, "upgrade", "head")
    finally:
        admin.execute("drop role candlecast_probe_plain")
    assert done.returncode == 1
    assert done.stderr == "alembic: migrations create PL/Python functions and roles: connect as a superuser\n"
    assert dump(url) == before


def test_without_a_database_the_remedy_is_named(tmp_path):
    shutil.copytree(ROOT / "db/migrations", tmp_path / "db/migrations", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "alembic: no database: set DATABASE_URL, or run `make up`, which writes .env\n"


def test_upgrading_twice_changes_nothing(make_database):
    url = make_database()
    migrate(url, "head")
    before = dump(url)
    migrate(url, "head")
    assert dump(url) == before


def test_two_concurrent_upgrades_run_one_after_the_other(make_database):
    url = make_database()
    upgrade = f"from tests.conftest import alembic; print(alembic({url!r}, 'upgrade', 'head'))"
    command_line = [sys.executable, "-c", upgrade]
    with psycopg.connect(url) as blocker:
        blocker.execute("select pg_advisory_xact_lock(hashtextextended('candlecast migrations', 0))")
        running = [subprocess.Popen(command_line, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        with psycopg.connect(url, autocommit=True) as watch:
            while watch.execute(waiting).fetchone() != (2,):
                assert all(process.poll() is None for process in running)
        blocker.rollback()
    for process in running:
        output, _ = process.communicate(timeout=60)
        assert "returncode=0" in output
        assert "alembic: waiting for another migration of this database" in output
    with psycopg.connect(url) as db:
        assert db.execute("select version_num from candlecast_version").fetchall() == [(SCRIPTS[-1].revision,)]
        assert db.execute("select count(*) from ml_settings").fetchone() == (17,)


def test_golden_schema(database_url):
    """Every object as pg_dump prints it. The text depends on the major version: skipped on any other one."""
    with psycopg.connect(database_url) as db:
        major = db.info.server_version // 10000
    golden = (ROOT / "tests/schema.sql").read_text() if (ROOT / "tests/schema.sql").exists() else ""
    written_on = re.match(r"-- pg_dump --schema-only on PostgreSQL (\d+)", golden)
    if written_on and int(written_on[1]) != major:
        pytest.skip(f"tests/schema.sql is of PostgreSQL {written_on[1]}, this is {major}")
    head = f"-- pg_dump --schema-only on PostgreSQL {major}, without SET and -- lines. Written by: make golden\n\n"
    assert_golden("tests/schema.sql", head + dump(database_url, "--schema-only"))
