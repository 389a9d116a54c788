"""docs/how-to/operate.md and restore.md: a server is installed, dumped and restored by their commands."""

import re
from pathlib import Path

import psycopg
import pytest

from tests.support.clusters import NEWEST, as_root, own_packages
from tests.support.documents import installation
from tests.support.paths import ROOT

pytestmark = pytest.mark.cron


def test_a_server_that_is_installed_by_hand_predicts(primary):
    with primary.connect() as db:
        db.execute("set session authorization ann")
        assert len(db.execute("select * from predict_now('DEMO')").fetchall()) == 5
        assert db.execute("show jit").fetchone() == ("off",)


def test_a_restored_dump_predicts_the_same(primary, restored):
    ((newest,),) = restored.ask(NEWEST)
    forecast = restored.ask("select * from predict('DEMO', %s)", newest)
    assert forecast == primary.ask("select * from predict('DEMO', %s)", newest)
    stored = restored.ask("select * from predict_now('DEMO')")
    assert len(stored) == len(forecast) == 5
    if stored[0][1] == newest:  # otherwise the job has added the next candle
        assert stored == forecast


def test_a_restored_dump_has_roles_rights_and_settings(primary, restored):
    for command in ("pg_dump --schema-only --create candlecast", "pg_dumpall --roles-only"):
        there, here = (without_noise(cluster.run(command, Path("/"))) for cluster in (primary, restored))
        assert there == here
        assert "candlecast_reader" in here
    assert restored.ask("select setconfig from pg_db_role_setting order by setrole") == [
        (["jit=off"],),
        (["statement_timeout=1min"],),
    ]
    with psycopg.connect(f"postgresql://ann:secret@127.0.0.1:{restored.port}/candlecast", autocommit=True) as ann:
        assert len(ann.execute("select * from predict('DEMO')").fetchall()) == 5
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ann.execute("delete from predictions")


def without_noise(dump: str) -> str:
    """A dump without its random lines and without parentheses, which PostgreSQL places differently each time."""
    return re.sub(r"^\\(un)?restrict .*\n|[()]", "", dump, flags=re.MULTILINE)


def test_a_restored_dump_has_the_jobs_with_their_own_server(primary, restored):
    jobs = "select jobid, jobname, schedule, command, username, active from cron.job order by jobid"
    assert restored.ask(jobs) == primary.ask(jobs)
    assert restored.ask("select distinct nodeport, database from cron.job where jobname like 'candlecast-%%'") == [
        (restored.port, "candlecast")
    ]
    ((last,),) = restored.ask("select max(jobid) from cron.job")
    ((new,),) = restored.ask("select cron.schedule('another', '0 0 1 1 *', 'select 1')")
    assert new > last


def test_an_open_session_keeps_the_python_it_has_loaded(restored):
    """Until it ends, whatever is installed. The restored server imports its own copy, which this test changes."""

    def message(db: psycopg.Connection) -> str:
        with pytest.raises(psycopg.Error) as error:
            db.execute("select predict('NOBODY')")
        return error.value.diag.message_primary.removeprefix("plpy.Error: ")

    module = own_packages(restored) / "candlecast/core/errors.py"
    before, after = "there are no candles of", "the new release has no candles of"
    with restored.connect() as old:
        assert message(old) == f"{before} NOBODY"
        as_root("sed", "-i", f"s/{before}/{after}/", str(module))
        try:
            assert message(old) == f"{before} NOBODY"
            old.execute("discard all")
            assert message(old) == f"{before} NOBODY"
            with restored.connect() as new:
                assert message(new) == f"{after} NOBODY"
        finally:
            as_root("sed", "-i", f"s/{after}/{before}/", str(module))


def test_the_documented_settings_equal_those_of_make_up():
    """Except the cluster's name, address and time zone, and jit, which is set for the database here."""
    made = (ROOT / "scripts" / "cluster.sh").read_text()
    made = dict(re.findall(r"^([a-z_.]+) = (\S+)", made.split("settings() {")[1].split("\nCONF")[0], re.MULTILINE))
    documented = dict(re.findall(r"^([a-z_.]+) = (\S+)", installation()[0], re.MULTILINE))
    assert documented.pop("cron.database_name") == "'candlecast'"
    assert {name: made[name] for name in documented} == documented
    assert set(made) - set(documented) == {"cron.database_name", "listen_addresses", "timezone", "jit"}
