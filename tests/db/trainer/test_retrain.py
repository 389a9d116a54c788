"""`candlecast retrain`: a new ensemble on test or a row with the reason; one run per symbol; killed runs."""

import getpass
import json
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import psycopg
import pytest
from psycopg import conninfo

from candlecast.client.database import connect
from candlecast.core.errors import AlreadyRunning, CandlecastUserError
from candlecast.trainer.models.artifacts import MODEL_TYPES, reference
from candlecast.trainer.publish import publish_on_test_or_waiting
from candlecast.trainer.retrain import BUSY, FAILED, PUBLISHED, REFUSED, retrain
from candlecast.trainer.training_runs import begin
from tests.support.databases import with_database
from tests.support.deployment import MINUTE, NEWEST, create, deploy, load_demo, register
from tests.support.retraining import runs, small, start, wait_for, whole_versions

ENSEMBLES = "select id, state from active_ensembles order by id"
AT_THE_LOCK = "select exists (select from pg_locks where not granted and relation = 'active_ensembles'::regclass)"
NOTHING_NEW = "select (select count(*) from model_versions), (select count(*) from active_ensembles)"


@pytest.fixture(scope="module")
def five_days_template(cluster_url, template):
    """A template database: five days of DEMO up to deployment.NEWEST, no models."""
    name = "candlecast_five_days"
    with psycopg.connect(cluster_url, autocommit=True) as admin:
        admin.execute(f"create database {name} template {template}")
        with psycopg.connect(with_database(cluster_url, name), autocommit=True) as db:
            load_demo(db, days=5)
        yield name
        admin.execute(f"drop database {name}")


@pytest.fixture
def url(make_database, five_days_template):
    return make_database(five_days_template)


@pytest.fixture
def days(url):
    with psycopg.connect(url, autocommit=True) as db:
        yield db


def as_trainer(url: str) -> str:
    return conninfo.make_conninfo(url, options="-c role=candlecast_trainer")


def test_with_no_free_test_place_the_new_ensemble_waits(days, url, artifacts, tmp_path, capsys):
    active = deploy(days, artifacts)
    on_test = create(days, artifacts, 0.25, is_test=True)
    days.execute("update ml_settings set value = '1' where name = 'max_test_ensembles'")
    assert retrain(["NONE", "DEMO"], small(tmp_path), as_trainer(url)) == FAILED, "one of two failed"
    assert [row[:2] for row in runs(days)] == [("NONE", "failed"), ("DEMO", "published")]
    window_from, window_to, test_from, version, new, reason, metrics = days.execute("""
        select window_from, window_to, test_from, version, ensemble_id, reason, metrics
        from training_runs where symbol = 'DEMO'
    """).fetchone()
    assert (window_to, window_to - window_from) == (NEWEST + MINUTE, timedelta(days=5))
    assert window_to - test_from == timedelta(days=1)
    assert days.execute(ENSEMBLES).fetchall() == [(active, "active"), (on_test, "test"), (new, "waiting")]
    assert reason == (
        f"ensemble {new} cannot be put on test: DEMO already has as many on test as max_test_ensembles allows (1). "
        f"On test: {on_test}. When a place is free, run: select test_ensemble({new});"
    )
    assert metrics["gate"]["passed"]
    assert not metrics["on_test"]
    assert whole_versions(tmp_path) == [f"{kind}/{version}" for kind in ("mamba", "lgbm", "ensemble")]
    predicted = days.execute("select ensemble_id, probability_up from predict('DEMO', null, %s)", (new,)).fetchall()
    assert [one[0] for one in predicted] == [new] * 5
    assert all(0 < one[1] < 1 for one in predicted)
    out, err = capsys.readouterr()
    for words in ("1 min: ensemble", "majority class", "passed: better than", f"Ensemble {new} is waiting", reason):
        assert words in out, words
    assert "there are no candles of NONE" in err
    days.execute("select withdraw_ensemble(%s)", (on_test,))
    assert days.execute(reason[reason.index("select ") :]).fetchone() == (True,), "the remedy of the reason works"


@pytest.fixture
def two_ensembles(artifacts, tmp_path):
    """Folders of an exported ensemble, and of a copy whose versions have other names."""
    exported = artifacts[0].parents[1] / "ensemble" / artifacts[0].name
    shutil.copytree(exported.parents[1], tmp_path / "models")
    copies = {}
    for kind in MODEL_TYPES:
        copies[kind] = (tmp_path / "models" / kind / exported.name).rename(tmp_path / "models" / kind / "another")
        facts = json.loads((copies[kind] / "facts.json").read_text()) | {"version": "another"}
        if kind == "ensemble":
            facts |= {model_type: reference(copies[model_type]) for model_type in ("mamba", "lgbm")}
        (copies[kind] / "facts.json").write_text(json.dumps(facts))
    return exported, copies["ensemble"]


def test_of_two_concurrent_publications_one_waits(db, database_url, two_ensembles):
    db.execute("update ml_settings set value = '1' where name = 'max_test_ensembles'")
    start = Barrier(2, timeout=60)

    def publish(folder):
        with connect(as_trainer(database_url)) as connection, connection.transaction():
            start.wait()
            return publish_on_test_or_waiting(folder, connection)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(publish, two_ensembles))
    (tested,) = [published for published, no_place in results if no_place is None]
    ((waiting, no_place),) = [(published, no_place) for published, no_place in results if no_place is not None]
    assert (tested.state, waiting.state) == ("on test", "waiting")
    assert f"On test: {tested.id}." in no_place
    assert db.execute(ENSEMBLES).fetchall() == sorted([(tested.id, "test"), (waiting.id, "waiting")])


def test_failing_test_vectors_prevent_waiting_too(db, database_url, two_ensembles):
    db.execute("update ml_settings set value = '0' where name = 'max_test_ensembles'")
    facts = two_ensembles[1] / "facts.json"
    document = json.loads(facts.read_text())
    document["golden"]["probability_up"][0][0] += 0.01
    facts.write_text(json.dumps(document))
    with connect(database_url) as connection:
        with (
            pytest.raises(CandlecastUserError, match="does not reproduce its test vectors"),
            connection.transaction(),
        ):
            publish_on_test_or_waiting(two_ensembles[1], connection)
        assert db.execute(NOTHING_NEW).fetchone() == (0, 0)
        published, no_place = publish_on_test_or_waiting(two_ensembles[0], connection)
    assert published.state == "waiting", "there are no places"
    assert "max_test_ensembles allows (0). On test: none." in no_place


def test_the_gate_refuses_what_the_majority_class_beats(days, url, tmp_path, capsys):
    # On the last day the price rises by 0.1 % per minute, so always up is nearly always right.
    days.execute(
        """
        update candles_1m set open = open * grown, high = high * grown, low = low * grown, close = close * grown
        from (
            select open_time as at, exp(0.001 * extract(epoch from open_time - %(from)s) / 60) as grown
            from candles_1m where open_time > %(from)s
        ) as growth
        where open_time = at
        """,
        {"from": NEWEST - timedelta(days=1)},
    )
    assert retrain(["DEMO"], small(tmp_path), url) == REFUSED
    ((_, status, reason),) = runs(days)
    assert status == "refused"
    assert reason.startswith("1 min: ensemble ")
    assert "majority class 9" in reason
    assert days.execute(NOTHING_NEW).fetchone() == (0, 0)
    assert len(whole_versions(tmp_path)) == 3, "a refused ensemble stays on disk"
    out, err = capsys.readouterr()
    assert "refused: not better than the majority class" in out
    assert "the gate refused the new ensemble of DEMO" in err


def test_a_rejected_publication_leaves_only_its_row(days, url, tmp_path, capsys):
    days.execute("revoke execute on function create_ensemble from candlecast_trainer")
    assert retrain(["DEMO"], small(tmp_path), as_trainer(url)) == FAILED
    ((_, status, reason),) = runs(days)
    assert status == "failed"
    assert reason.startswith("permission denied for function create_ensemble. Connect with the role")
    assert days.execute(NOTHING_NEW).fetchone() == (0, 0)
    assert "permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("symbol", "options", "message", "remedy"),
    [
        ("NONE", {}, "there are no candles of NONE", "candlecast load FILE... --symbol NONE"),
        ("DEMO", {"max_candle_age_hours": 24.0}, "the newest candle of DEMO is", "Fix the feed, or load candles"),
        ("DEMO", {"window_days": 3.0}, "before the test part with 209 candles", "raise --window-days"),
        ("DEMO", {"window_days": 30.0, "test_days": 29.0}, "before the test part", "has 7,200 candles of 43,200"),
        ("DEMO", {"test_days": 0.1}, "DEMO has 139 minutes in the test part", "raise --test-days"),
    ],
)
def test_retrain_errors_are_written_to_the_row(days, url, tmp_path, capsys, symbol, options, message, remedy):
    assert retrain([symbol], small(tmp_path, **options), url) == FAILED
    ((_, status, reason),) = runs(days)
    err = capsys.readouterr().err
    assert status == "failed"
    for text in (reason, err):
        assert message in text
        assert remedy in text
    assert whole_versions(tmp_path) == []


def test_a_gap_in_the_test_part_is_reported_with_its_size(days, url, tmp_path):
    days.execute("delete from candles_1m where open_time between %s and %s", (NEWEST - 1000 * MINUTE, NEWEST - MINUTE))
    assert retrain(["DEMO"], small(tmp_path), url) == FAILED
    assert "The window has 6,200 candles of 7,200 minutes" in runs(days)[0][2]


def test_an_unreachable_database_is_reported_on_stderr(cluster_url, tmp_path, capsys):
    assert retrain(["DEMO"], small(tmp_path), conninfo.make_conninfo(cluster_url, port=1)) == FAILED
    err = capsys.readouterr().err
    assert err.startswith("candlecast: no connection to the database: ")
    assert "hint: Run `make up`" in err


def test_the_retrain_command_uses_its_options(days, url, tmp_path, run_cli):
    sizes = ("--window-days", "5", "--test-days", "1", "--time-budget-minutes", "0.03", "--mamba-seeds", "1")
    others = ("--models-dir", tmp_path, "--max-candle-age-hours", "1e6", "--threads", "1")
    done = run_cli(url, "retrain", "--symbol", "DEMO", *sizes, *others)
    assert done.returncode == PUBLISHED, done.stderr
    assert runs(days) == [("DEMO", "published", None)]
    ((new, metrics),) = days.execute("select ensemble_id, metrics from training_runs").fetchall()
    assert metrics["on_test"]
    assert days.execute(ENSEMBLES).fetchall() == [(new, "test")]
    assert f"Ensemble {new} is on test" in done.stdout


@pytest.mark.parametrize("moment", ["LightGBM, 1 min", "publication"])
def test_a_killed_run_becomes_lost_and_publishes_nothing(days, url, tmp_path, capsys, moment):
    with psycopg.connect(url) as blocker:
        blocker.execute("lock table active_ensembles in share mode")  # the run blocks at this lock
        process = start(url, tmp_path)
        try:
            if moment == "publication":
                wait_until(days, AT_THE_LOCK)
            else:
                wait_for(process, moment)
            if moment == "LightGBM, 1 min":
                assert retrain(["DEMO"], small(tmp_path), url) == BUSY, "one run per symbol at a time"
                pid, host = days.execute("select pid, host from training_runs").fetchone()
                err = capsys.readouterr().err
                assert "candlecast: DEMO is already being retrained, since 20" in err
                assert f"by process {pid} on {host} (training run 1)" in err
            assert runs(days) == [("DEMO", "running", None)]
        finally:
            process.kill()
            process.communicate()
    wait_until(days, "select not exists (select from pg_stat_activity as s, training_runs where s.pid = backend_pid)")
    assert days.execute(NOTHING_NEW).fetchone() == (0, 0)
    whole_versions(tmp_path)
    with connect(url) as connection:
        begin(connection, "OTHER", url)
        assert runs(days) == [
            ("DEMO", "lost", "the process ended without reporting a result"),
            ("OTHER", "running", None),
        ]


def wait_until(db: psycopg.Connection, query: str) -> None:
    """Repeat the query until it returns true. pg_stat_activity is a snapshot, so each query is a new transaction."""
    deadline = time.monotonic() + 60
    while not db.execute(query).fetchone()[0]:
        assert time.monotonic() < deadline, query
        time.sleep(0.02)


@pytest.mark.parametrize("drop", [False, True], ids=["connection", "database"])
def test_a_lost_connection_during_training_fails_the_run(days, url, admin, tmp_path, drop):
    process = start(url, tmp_path)
    try:
        wait_for(process, "LightGBM, 1 min")
        if drop:
            admin.execute(f"drop database {days.info.dbname} with (force)")
        else:
            days.execute("select pg_terminate_backend(backend_pid) from training_runs")
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == FAILED
    assert "candlecast: the connection to the database was lost while DEMO was being retrained" in err
    assert "Traceback" not in err
    if drop:
        assert "training run 1 could not be updated in training_runs: no connection to the database" in err
    else:
        ((_, status, reason),) = runs(days)
        assert status == "failed"
        assert "was lost while DEMO was being retrained" in reason
    assert whole_versions(tmp_path) == [], "training stopped"


def test_sigterm_is_recorded_as_the_reason(days, url, tmp_path):
    process = start(url, tmp_path)
    try:
        wait_for(process, "LightGBM, 1 min")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert runs(days) == [("DEMO", "failed", "interrupted by SIGTERM")]
    assert err.endswith("candlecast: interrupted by SIGTERM\n")


def test_a_full_disk_fails_the_run_with_a_reason(days, url, tmp_path, monkeypatch):
    # In a separate mount namespace, models/ensemble is a disk of 8 kB.
    (tmp_path / "ensemble").mkdir()
    script = 'mount -t tmpfs -o size=8k none "$0"/ensemble && exec "$@"'
    own_disk = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, str(tmp_path))
    if not shutil.which("unshare") or subprocess.run([*own_disk, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces for this user: a disk cannot be filled here")
    monkeypatch.setenv("PGUSER", getpass.getuser())  # root in the namespace, but this user for the server
    process = start(url, tmp_path, *own_disk)
    _, err = process.communicate(timeout=120)
    assert process.returncode == FAILED
    assert f"candlecast: the versions of DEMO cannot be written under {tmp_path}: No space left on device" in err
    assert "hint: Free disk space, fix the permissions, or name another folder with --models-dir." in err
    assert "Traceback" not in err
    ((_, status, reason),) = runs(days)
    assert (status, "No space left on device" in reason) == ("failed", True)
    assert days.execute(NOTHING_NEW).fetchone() == (0, 0)
    assert [name.split("/")[0] for name in whole_versions(tmp_path)] == ["mamba", "lgbm"]


def test_a_lock_without_a_row_reports_its_session(db, database_url):
    with connect(database_url) as connection:
        begin(connection, "DEMO", database_url)
        db.execute("truncate training_runs")
        with connect(database_url) as second, pytest.raises(AlreadyRunning) as error:
            begin(second, "DEMO", database_url)
        pid = connection.info.backend_pid
        assert error.value.message.startswith(f"the lock for retraining DEMO is held by session {pid} of ")
        with connect(database_url) as second:
            assert begin(second, "OTHER", database_url).symbol == "OTHER", "the lock of another symbol is free"


def test_a_finished_row_is_not_overwritten(db, database_url):
    with connect(database_url) as connection:
        run = begin(connection, "DEMO", database_url)
        run.finish("refused", "the gate")
        run.finish("failed", "interrupted")
        run.amend()
        assert runs(db) == [("DEMO", "refused", "the gate")]
        run.amend("pruning failed")
    assert runs(db) == [("DEMO", "refused", "the gate. pruning failed")]


def test_old_folders_are_pruned_unless_an_ensemble_uses_them(days, url, artifacts, tmp_path):
    """Folders of unpublished versions are removed by age, if no ensemble uses them."""
    kinds = ("mamba", "lgbm")
    for kind, folder in zip(kinds, artifacts, strict=True):
        for name in ("20260101T000000Z", "20260102T000000Z", "20260103T000000Z", "20260104T000000Z"):
            copy = tmp_path / kind / name
            shutil.copytree(folder, copy)
            facts = (copy / "facts.json").read_text()
            trained = f'"trained_at": "{name[:4]}-{name[4:6]}-{name[6:8]}T00:00:00+00:00"'
            start_of = facts.index('"trained_at"')
            end_of = facts.index(",", start_of)
            (copy / "facts.json").write_text(facts[:start_of] + trained + facts[end_of:])
    ids = [register(days, folder, version="20260101T000000Z") for folder in artifacts]
    days.execute("select create_ensemble(%s, %s)", ids)
    abandoned = tmp_path / "lgbm" / ".20260101T000000Z-abcdefgh"
    abandoned.mkdir()
    os.utime(abandoned, (1, 1))
    assert retrain(["DEMO"], small(tmp_path), url) == PUBLISHED
    kept = {name for name in whole_versions(tmp_path) if "2026010" in name}
    # The newest three are the new version, day 4 and day 3. An ensemble uses day 1. Day 2 is removed.
    assert kept == {f"{kind}/2026010{day}T000000Z" for kind in kinds for day in (1, 3, 4)}
    assert not abandoned.exists()
    ((metrics,),) = days.execute("select metrics from training_runs").fetchall()
    assert sorted(metrics["pruned"]["folders"]) == [
        str(tmp_path / kind / "20260102T000000Z") for kind in ("lgbm", "mamba")
    ]
