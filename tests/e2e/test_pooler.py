"""docs/how-to/poolers.md: PgBouncer in transaction mode with the documented configuration, in front of a server."""

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

from tests.support.clusters import free_port
from tests.support.documents import blocks, page
from tests.support.serving import serving

pytestmark = pytest.mark.cron
PAGE = page("poolers")


@pytest.fixture(scope="module")
def pgbouncer():
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        pytest.skip(
            "pgbouncer is not installed; scripts/packages.sh --tests, which make test runs, could not install it"
        )
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
    (settings,) = blocks(PAGE, "ini")
    settings = settings.replace("port=5432", f"port={primary.port}").replace("6432", str(port))
    settings = settings.replace("/etc/pgbouncer", str(folder)) + "unix_socket_dir =\n"
    if version >= (1, 21):
        settings += "max_prepared_statements = 100\n"
    (folder / "pgbouncer.ini").write_text(settings)
    (logins,) = blocks(PAGE, "bash")
    primary.run(logins, folder)
    folder.chmod(0o755)
    # It refuses to run as root. It ends when the tests are killed.
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
    """Two clients that do not prepare statements automatically."""
    options = {"autocommit": True, "prepare_threshold": None}
    with psycopg.connect(pooled, **options) as one, psycopg.connect(pooled, **options) as other:
        yield one, other


@pytest.fixture
def direct(primary):
    """A connection of ann to the server itself."""
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
    """One client makes the pool's session load them, and the other client's call uses the same session."""
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
            holder.execute("select 1")  # takes the pool's session that has the statement
            if version >= (1, 21):
                assert preparing.execute("select 1 as prepared", prepare=True).fetchone() == (1,)
            else:
                with pytest.raises(psycopg.errors.InvalidSqlStatementName, match="does not exist") as error:
                    preparing.execute("select 1 as prepared", prepare=True)
                assert f"({error.value.sqlstate})" in PAGE


def test_a_notification_reaches_the_wrong_client(clients, direct, primary):
    """It goes to the client whose transaction uses the pool's session; without a transaction to none."""
    listening, other = clients
    received: dict[str, list[str]] = {}
    for name, client in (("listening", listening), ("other", other)):
        received[name] = []
        client.add_notify_handler(lambda notice, name=name: received[name].append(notice.payload))
    for client in (listening, direct):
        client.execute("listen candlecast")
    with other.transaction():
        other.execute("select 1")
        primary.ask("select pg_notify('candlecast', 'anything')")
        assert [notice.payload for notice in direct.notifies(timeout=10, stop_after=1)] == ["anything"]
    assert received == {"listening": [], "other": ["anything"]}


def test_a_setting_stays_with_the_pools_session(clients):
    one, other = clients
    one.execute("set lock_timeout = '1234ms'")
    assert other.execute("show lock_timeout").fetchone() == ("1234ms",)
    with one.transaction():
        one.execute("set local lock_timeout = '4321ms'")
    assert other.execute("show lock_timeout").fetchone() == ("1234ms",)
    one.execute("reset lock_timeout")
    assert one.execute("show statement_timeout").fetchone() == ("1min",), "settings of the role reach all clients"


def test_options_in_the_url_are_refused(pooled, version):
    # From 1.20 on PgBouncer parses the options and names the one that it does not track.
    message = (
        "unsupported startup parameter in options" if version >= (1, 20) else "unsupported startup parameter: options"
    )
    with pytest.raises(psycopg.OperationalError, match=message):
        psycopg.connect(pooled, options="-c statement_timeout=5s")
    assert f"`{message}`" in PAGE


def test_candlecast_serve_works_through_it(pooled):
    with serving(pooled) as service:
        answer = service.wait_for("/health", lambda answer: answer.json()["ml_model_version"])
        assert answer.json()["symbol"] == "DEMO"
        assert "ml_health" in service.get("/metrics").text


def test_the_next_call_uses_a_newly_active_model(clients, primary):
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
