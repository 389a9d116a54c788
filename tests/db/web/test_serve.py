"""`candlecast serve`: a real process with a real database that answers, hangs, disappears and returns."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from psycopg import conninfo, sql

from bench.processes import CANDLECAST
from candlecast.core.errors import QueryRefused
from candlecast.core.freshness import LATE_SECONDS, MISSING_SECONDS
from candlecast.web.pool import DatabasePool
from tests.support.databases import with_database
from tests.support.serving import ROOT, bring_up_to_now, next_minute, serving

WATCHER = "candlecast_test_watcher"
#: The server's processes belong to the postgres user.
SUDO = [] if os.geteuid() == 0 else ["sudo"]


@pytest.fixture(scope="module")
def watcher(cluster_url):
    """A login with only the role candlecast_reader."""
    with psycopg.connect(cluster_url, autocommit=True) as admin:
        admin.execute(f"create role {WATCHER} login password '{WATCHER}' in role candlecast_reader")
        yield WATCHER
        admin.execute(f"drop role {WATCHER}")


@pytest.fixture(scope="module")
def now_url(make_shared_database, calibrated_template):
    url = make_shared_database(calibrated_template)
    with psycopg.connect(url, autocommit=True) as db:
        bring_up_to_now(db)
    return url


@pytest.fixture(scope="module")
def service(now_url, watcher):
    with serving(as_login(now_url, watcher)) as running:
        yield running


@pytest.fixture(autouse=True)
def now(now_url):
    """Each test starts with the newest candle stored and predicted."""
    with psycopg.connect(now_url, autocommit=True) as db:
        next_minute(db)
        yield db


def as_login(url, role):
    """The URL for a TCP login as this role; its password is its name."""
    return conninfo.make_conninfo(url, host="127.0.0.1", user=role, password=role)


def samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_health_returns_the_result_of_the_sql_function(service, now):
    answer = service.wait_for("/health", lambda answer: answer.json()["status"] == "ok", 3)
    found = answer.json()
    assert (answer.status_code, found["reasons"]) == (200, [])
    assert found["ml_model_version"] == now.execute("select id from active_ensembles where is_active").fetchone()[0]
    assert found["ml_inference_enabled"] is True
    assert 0 <= found["candle_age_seconds"] < LATE_SECONDS
    assert answer.headers["content-type"] == "application/json"


def test_health_is_503_while_inference_is_switched_off(service, now):
    now.execute("update ml_settings set value = 'false' where name = 'enabled'")
    try:
        down = service.wait_for("/health", lambda answer: answer.status_code == 503, 3).json()
        assert down["status"] == "down"
        assert any("switched off" in reason for reason in down["reasons"])
        page = service.wait_for("/metrics", lambda answer: "ml_inference_enabled 0.0" in answer.text, 3)
        assert page.status_code == 200
    finally:
        now.execute("update ml_settings set value = 'true' where name = 'enabled'")
    service.wait_for("/health", lambda answer: answer.status_code == 200, 3)


def test_metrics_equal_the_rows_of_the_sql_function(service, now):
    time.sleep(1.1)  # until the response from before this test's candle has expired
    answer = service.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer.text)
    assert found["ml_database_up", ()] == 1
    steady = "name !~ 'age|lag|missing'"
    for name, labels, value in now.execute(f"select name, labels, value from metrics() where {steady}"):
        key = (name, tuple(sorted((label, str(of)) for label, of in labels.items())))
        assert found[key] == pytest.approx(value), key
    assert found["ml_inference_latency_ms_count", (("symbol", "DEMO"),)] >= 1
    assert found["process_resident_memory_bytes", ()] > 1e6


def test_promtool_accepts_the_metrics(service):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: scripts/packages.sh --tests installs it")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=service.get("/metrics").text, capture_output=True, text=True, check=False
    )
    # Exit status 3: only style warnings. The unit ms is part of the metric's name.
    assert checked.returncode in (0, 3), checked.stdout + checked.stderr
    warnings = [line for line in (checked.stdout + checked.stderr).splitlines() if line.strip()]
    assert all(line.startswith("ml_inference_latency_ms ") for line in warnings), warnings


def test_live_document_equals_the_tables(service, now):
    time.sleep(1.1)
    document = service.get("/api/live?symbol=DEMO").json()
    newest, close = now.execute(
        "select extract(epoch from open_time)::bigint, close from candles_1m order by open_time desc limit 1"
    ).fetchone()
    assert document["newest_candle"] == newest == document["candles"][-1][0]
    assert document["candles"][-1][4] == close
    assert [candle[0] for candle in document["candles"]] == list(range(newest - 239 * 60, newest + 60, 60))
    stored = now.execute("select horizon, predicted_price, lower_price from latest_predictions order by horizon")
    shown = [(one["horizon"], one["predicted_price"], one["lower_price"]) for one in document["forecast"]]
    assert shown == stored.fetchall()
    assert {one["candle_time"] for one in document["forecast"]} == {newest}
    assert (document["late_seconds"], document["missing_seconds"]) == (LATE_SECONDS, MISSING_SECONDS)
    hits = [row[7] for row in document["past"] if row[1] == 1]
    expected = now.execute(
        "select direction_hit from prediction_outcomes where horizon = 1 order by candle_time"
    ).fetchall()
    assert hits == [hit for (hit,) in expected]
    assert len([hit for hit in hits if hit is not None]) > 60


def test_other_documents_have_every_section(service, now):
    operations = service.get("/api/operations").json()
    assert operations["runs"]["rows"][0]["status"] == "predicted"
    assert operations["feed"]["rows"][0]["missing_24h"] == 0
    record = service.get("/api/record").json()
    board = [(row["time_window"], row["horizon"], row["hits"], row["low"]) for row in record["leaderboard"]["rows"]]
    assert board == now.execute("select time_window, horizon, hits, low from ensemble_leaderboard").fetchall()
    assert [row[1] for row in board if row[0] == "24 h"] == [1, 2, 3, 4, 5]
    assert [row["coverage"] for row in record["coverage"]["rows"] if row["horizon"] == 2] == [100, 50, 20, 10, 5]
    assert [row["state"] for row in record["ensembles"]["rows"]] == ["active"]
    for name in ("tests", "history", "drift", "consistency"):
        assert "rows" in record[name] or "absent" in record[name], record[name]


def test_an_unchanged_document_is_answered_with_304(service):
    first = service.get("/api/record")
    second = service.get("/api/record", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, second.status_code, second.content) == (200, 304, b"")
    assert service.get("/api/record", headers={"If-None-Match": '"other"'}).status_code == 200
    assert first.headers["content-encoding"] == "gzip"


def test_unknown_symbols_and_paths_are_404(service):
    assert service.get("/api/symbols").json() == {"symbols": [{"symbol": "DEMO", "forecast": True}]}
    for path in ("/api/live?symbol=NOPE", "/api/nothing", "/static/../app.py", "/static/%2e%2e/app.py", "/nothing"):
        assert service.get(path).status_code == 404, path
    assert httpx.post(f"{service.url}/health").status_code == 405


def test_every_response_has_the_security_headers(service):
    for path in ("/", "/health", "/metrics", "/api/live", "/static/app.js", "/nothing"):
        headers = service.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "//" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_page_and_all_its_files_are_served(service):
    page = service.get("/")
    assert page.headers["content-type"].startswith("text/html")
    seen, waiting = set(), re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        found = service.get(f"/{path}")
        assert found.status_code == 200, path
        if "vendor" not in path and path.endswith(".js"):
            waiting += [f"static/{name}" for name in re.findall(r'from "\./([^"]+)"', found.text)]
    assert len([path for path in seen if path.endswith(("js", "mjs"))]) > 8
    text = service.get("/static/vendor/lightweight-charts/LICENSE").text
    assert "Apache License" in text


def test_health_queries_the_database_once_per_second(service):
    def get_health(_):
        answer = service.get("/health")
        return answer.status_code, answer.json()["checked_at"]

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(get_health, range(150)))
    elapsed = time.monotonic() - started
    assert {status for status, _ in answers} == {200}
    assert len({checked_at for _, checked_at in answers}) <= elapsed + 2


def test_pool_reads_as_candlecast_reader_and_cannot_write(now_url):
    async def fetch():
        pool = DatabasePool(now_url)
        await pool.open()
        try:
            query = "select current_user::text as role, current_setting('statement_timeout') as timeout"
            found = await pool.fetch(query, timeout=1.5)
            with pytest.raises(QueryRefused) as refused:
                await pool.fetch("delete from candles_1m", timeout=1.5)
            with pytest.raises(QueryRefused, match="timed out"):
                await pool.fetch("select pg_sleep(5)", timeout=0.4)
        finally:
            await pool.close()
        return found, refused.value

    (row,), refused = asyncio.run(fetch())
    assert row["role"] == "candlecast_reader"
    assert 1 <= int(row["timeout"].removesuffix("ms")) <= 1500
    assert refused.sqlstate == "25006"  # a read-only transaction


def test_a_login_without_rights_gets_a_hint_to_grant(now_url, admin):
    admin.execute("create role candlecast_test_nobody login password 'candlecast_test_nobody'")
    try:
        with serving(as_login(now_url, "candlecast_test_nobody")) as service:
            health, live = service.get("/health"), service.get("/api/live")
            assert (health.status_code, live.status_code) == (503, 503)
            assert "permission denied" in health.json()["reasons"][0]
            assert "grant candlecast_reader" in health.json()["hint"]
            assert samples(service.get("/metrics").text)["ml_database_up", ()] == 0
    finally:
        admin.execute("drop role candlecast_test_nobody")


def test_a_missing_view_affects_only_its_section(service, now):
    now.execute("alter view ensemble_leaderboard rename to hidden_for_a_test")
    try:
        with serving(conninfo.make_conninfo(now.info.dsn)) as other:
            record = other.get("/api/record").json()
    finally:
        now.execute("alter view hidden_for_a_test rename to ensemble_leaderboard")
    assert "alembic upgrade head" in record["leaderboard"]["absent"]
    assert record["coverage"]["rows"]


def scrape_timeout() -> int:
    settings = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    return int(settings["global"]["scrape_timeout"].removesuffix("s"))


def test_health_and_metrics_time_out_on_a_lock(service, now):
    with now.transaction():
        now.execute("lock table predictions in access exclusive mode")
        time.sleep(1.1)  # until the cached responses have expired
        started = time.monotonic()
        answer = service.get("/health")
        assert time.monotonic() - started < 2
        assert answer.status_code == 503
        assert "timed out" in answer.json()["reasons"][0]
        started = time.monotonic()
        metrics = service.get("/metrics")
        assert time.monotonic() - started < scrape_timeout(), "Prometheus would report the service as down"
        assert (metrics.status_code, "\nml_database_up 0.0\n" in metrics.text) == (200, True)
    service.wait_for("/health", lambda answer: answer.status_code == 200, 5)


def test_a_slow_section_delays_no_other_document(now_url, now):
    with serving(now_url) as service, ThreadPoolExecutor(2) as pool, now.transaction():
        assert service.get("/health").status_code == 200
        locked = "feed_status, ensemble_events, feature_drift, consistency_checks"
        now.execute(f"lock table {locked} in access exclusive mode")
        started = time.monotonic()
        _, pending = (pool.submit(service.get, f"/api/{name}") for name in ("record", "operations"))
        assert service.get("/health").status_code == 200
        assert service.get("/api/live").status_code == 200
        assert time.monotonic() - started < 1
        operations = pending.result(timeout=6).json()  # record takes 8 seconds or more
    assert operations["feed"] == {"error": "the query timed out; a table may be locked"}
    assert operations["runs"]["rows"]


def test_a_hanging_backend_is_replaced(service, now):
    service.wait_for("/health", lambda answer: answer.status_code == 200, 5)
    hung = now.execute("select pid from pg_stat_activity where application_name = 'candlecast serve'").fetchall()
    signal_all(hung, "STOP")
    try:
        time.sleep(1.1)
        started = time.monotonic()
        answer = service.get("/health")
        assert time.monotonic() - started < 2.5
        assert answer.status_code in (200, 503)
        service.wait_for("/health", lambda answer: answer.status_code == 200, 5)
    finally:
        signal_all(hung, "CONT")


def signal_all(pids, name):
    subprocess.run([*SUDO, "kill", f"-{name}", *(str(pid) for (pid,) in pids)], check=True)


def test_service_survives_the_loss_of_the_database(service, now_url, admin):
    name = conninfo.conninfo_to_dict(now_url)["dbname"]
    service.wait_for("/health", lambda answer: answer.status_code == 200, 15)
    allow = sql.SQL("alter database {} allow_connections {}")
    admin.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
    try:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        gone = service.wait_for("/health", lambda answer: answer.status_code == 503, 4).json()
        assert gone["status"] == "down"
        assert "not currently accepting connections" in gone["reasons"][0]
        time.sleep(1.1)
        started = time.monotonic()
        assert service.get("/health").status_code == 503
        assert time.monotonic() - started < 2
        metrics = service.wait_for("/metrics", lambda answer: "ml_database_up 0.0" in answer.text, 4)
        assert "ml_candle_age_seconds" not in metrics.text
        document = service.wait_for("/api/live", lambda answer: answer.status_code == 503, 8).json()
        assert "does not answer" in document["error"]
        assert service.get("/").status_code == 200
    finally:
        admin.execute(allow.format(sql.Identifier(name), sql.SQL("true")))
    service.wait_for("/health", lambda answer: answer.status_code == 200, 15)
    service.wait_for("/api/live", lambda answer: answer.status_code == 200, 5)
    service.wait_for("/metrics", lambda answer: "ml_candle_age_seconds" in answer.text, 5)


def test_service_may_start_before_its_database(cluster_url, template, admin):
    name = "candlecast_served_later"
    with serving(with_database(cluster_url, name)) as service:
        answer = service.get("/health")
        assert answer.status_code == 503
        assert f'database "{name}" does not exist' in answer.json()["reasons"][0]
        try:
            admin.execute(f"create database {name} template {template}")
            empty = service.wait_for("/health", lambda answer: "no ensemble is active" in answer.text)
            assert empty.status_code == 503
            assert service.wait_for("/api/live", lambda answer: answer.status_code == 200).json()["candles"] == []
            assert service.get("/api/record").json()["leaderboard"] == {"rows": []}
            log = [
                f'candlecast serve: the database does not answer: database "{name}" does not exist',
                "candlecast serve: the database answers again",
            ]
            assert service.end() == (0, "\n".join([*log, ""]))
        finally:
            admin.execute(f"drop database if exists {name} with (force)")


def test_sigterm_shuts_down_cleanly_with_an_open_connection(now_url):
    with serving(now_url) as service:
        assert service.get("/health").status_code == 200
        started = time.monotonic()
        status, error = service.end()
        assert (status, error) == (0, "")
        assert time.monotonic() - started < 5


def test_an_unusable_address_fails_with_a_hint(now_url):
    def refused(*options, url=now_url):
        done = subprocess.run(
            [*CANDLECAST, "serve", *options],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 1
        return done.stderr

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = refused("--port", str(port))
    assert error.startswith(f"candlecast: port {port} of 127.0.0.1 is already in use\nhint: ")
    assert "--port" in error
    assert "192.0.2.1 is not an address of this machine" in refused("--host", "192.0.2.1")
    assert "cannot be parsed" in refused(url="postgresql://[")


def test_help_shows_an_example(run_cli, now_url):
    done = run_cli(now_url, "serve", "--help")
    assert done.returncode == 0
    assert "candlecast serve --port 8081" in " ".join(done.stdout.split())
