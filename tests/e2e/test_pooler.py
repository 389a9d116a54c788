"""PgBouncer in transaction mode in front of a real server, configured as docs/operations.md says."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.support.clusters import blocks, free_port, section
from tests.support.serving import serving

pytestmark = pytest.mark.cron


@pytest.fixture(scope="module")
def pgbouncer():
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        pytest.skip("pgbouncer is not here; scripts/packages.sh --tests, that make test runs, could not get it")
    return found


@pytest.fixture(scope="module")
def version(pgbouncer):
    done = subprocess.run([pgbouncer, "--version"], capture_output=True, text=True, check=True)
    major, minor = re.search(r"PgBouncer (\d+)\.(\d+)", done.stdout).groups()
    return int(major), int(minor)


@pytest.fixture(scope="module")
def pooled(pgbouncer, version, primary):
    """The URL of the primary through a PgBouncer, as ann."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="candlecast-pgbouncer-"))
    (settings,) = blocks("Connection poolers", "ini")
    settings = settings.replace("port=5432", f"port={primary.port}").replace("6432", str(port))
    settings = settings.replace("/etc/pgbouncer", str(folder)) + "unix_socket_dir =\n"
    if version >= (1, 21):
        settings += "max_prepared_statements = 100\n"
    (folder / "pgbouncer.ini").write_text(settings)
    (logins,) = blocks("Connection poolers")
    primary.run(logins, folder)
    folder.chmod(0o755)
    # It refuses to run as root; and it ends where the tests are killed.
    other = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    command = ["setpriv", *other, "--pdeathsig", "TERM", pgbouncer, str(folder / "pgbouncer.ini")]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log, stdout=log, cwd="/") as process:
        url = make_conninfo(f"postgresql://ann:secret@127.0.0.1:{port}/candlecast", connect_timeout=5)
        try:
            for _ in range(100):
                try:
                    psycopg.connect(url).close()
                    break
                except psycopg.OperationalError:
                    time.sleep(0.1)
            else:
                pytest.fail((folder / "log").read_text())
            yield url
        finally:
            process.terminate()
            shutil.rmtree(folder)


@pytest.fixture
def clients(pooled):
    """Two clients that prepare nothing by themselves."""
    options = {"autocommit": True, "prepare_threshold": None}
    with psycopg.connect(pooled, **options) as one, psycopg.connect(pooled, **options) as other:
        yield one, other


@pytest.fixture
def direct(primary):
    """A connection of ann's to the server itself."""
    with psycopg.connect(f"postgresql://ann:secret@127.0.0.1:{primary.port}/candlecast", autocommit=True) as db:
        yield db


def test_clients_predict_as_on_the_server_itself(clients, direct):
    newest = direct.execute("select candle_time from predict_now('DEMO')").fetchone()[0]
    expected = direct.execute("select * from predict('DEMO', %s)", (newest,)).fetchall()
    for client in clients:
        assert client.execute("select * from predict('DEMO', %s)", (newest,)).fetchall() == expected
        assert len(client.execute("select * from predict_now('DEMO')").fetchall()) == 5
    between = "select count(*) from predict_range('DEMO', %s::timestamptz - interval '3 min', %s::timestamptz)"
    assert clients[0].execute(between, (newest, newest)).fetchone() == (15,)


def test_models_stay_loaded_in_the_pool_for_every_client(clients, primary):
    """One client alone makes the pool's session load them, and the other one's call goes to that same session."""
    one, other = clients
    one.execute("select predict('DEMO')")
    (pid,) = one.execute("select pg_backend_pid()").fetchone()
    mapped = Path(f"/proc/{pid}/maps")
    assert other.execute("select pg_backend_pid()").fetchone() == (pid,)
    sessions = primary.ask("select count(*) from pg_stat_activity where usename = 'ann'")
    assert sessions == [(1,)]
    if os.geteuid() == 0:
        assert "onnxruntime" in mapped.read_text()


def test_a_prepared_statement_belongs_to_its_own_session(clients, pooled, version):
    holder, _ = clients
    with psycopg.connect(pooled, autocommit=True) as preparing:
        preparing.execute("select 1 as prepared", prepare=True)
        with holder.transaction():
            holder.execute("select 1")  # takes the pool's session that knows it
            if version >= (1, 21):
                assert preparing.execute("select 1 as prepared", prepare=True).fetchone() == (1,)
            else:
                with pytest.raises(psycopg.errors.InvalidSqlStatementName, match="does not exist") as error:
                    preparing.execute("select 1 as prepared", prepare=True)
                assert f"({error.value.sqlstate})" in section("Connection poolers")


def test_what_one_client_listens_for_another_one_hears(clients, direct, primary):
    """Whose transaction the pool's session is in at that moment; in the middle of nothing it would be nobody."""
    listening, other = clients
    heard: dict[str, list[str]] = {}
    for name, client in (("listening", listening), ("other", other)):
        heard[name] = []
        client.add_notify_handler(lambda notice, name=name: heard[name].append(notice.payload))
    for client in (listening, direct):
        client.execute("listen candlecast")
    with other.transaction():
        other.execute("select 1")
        primary.ask("select pg_notify('candlecast', 'anything')")
        assert [notice.payload for notice in direct.notifies(timeout=10, stop_after=1)] == ["anything"]
    assert heard == {"listening": [], "other": ["anything"]}


def test_what_is_set_stays_with_the_pools_session(clients):
    one, other = clients
    one.execute("set lock_timeout = '1234ms'")
    assert other.execute("show lock_timeout").fetchone() == ("1234ms",)
    with one.transaction():
        one.execute("set local lock_timeout = '4321ms'")
    assert other.execute("show lock_timeout").fetchone() == ("1234ms",)
    one.execute("reset lock_timeout")
    assert one.execute("show statement_timeout").fetchone() == ("1min",), "what the role has is there for everybody"


def test_options_in_the_url_are_refused(pooled, version):
    # From 1.20 on PgBouncer reads the options, and names the one that it does not track.
    told = (
        "unsupported startup parameter in options" if version >= (1, 20) else "unsupported startup parameter: options"
    )
    with pytest.raises(psycopg.OperationalError, match=told):
        psycopg.connect(pooled, options="-c statement_timeout=5s")
    assert f"`{told}`" in section("Connection poolers")


def test_candlecast_serve_works_through_it(pooled):
    with serving(pooled) as service:
        answer = service.wait_for("/health", lambda answer: answer.json()["ml_model_version"])
        assert answer.json()["symbol"] == "DEMO"
        assert "ml_health" in service.get("/metrics").text


def test_a_model_that_goes_live_is_seen_at_the_next_call(clients, primary):
    client, _ = clients
    query = "select distinct ensemble_id from predict('DEMO')"
    before = client.execute(query).fetchone()
    ((new,),) = primary.ask(
        "select create_ensemble(mamba_version_id, lgbm_version_id, 0.75, symbol => 'DEMO')"
        " from active_ensembles where id = %s",
        *before,
    )
    primary.ask("select activate_ensemble(%s)", new)
    assert client.execute(query).fetchall() == [(new,)]
    primary.ask("select rollback_ensemble('DEMO')")
    assert client.execute(query).fetchone() == before
