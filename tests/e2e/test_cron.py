"""Real pg_cron: one candle per minute, killed backends, a stopped cluster, a missing candle."""

import os
import subprocess
import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest

from tests.support.deployment import MINUTE, deploy, load_demo
from tests.support.lifecycle import add_day, judge_daily, pair
from tests.support.paths import ROOT

#: The server's processes belong to the postgres user.
SUDO = [] if os.geteuid() == 0 else ["sudo"]
pytestmark = pytest.mark.cron


@pytest.fixture(scope="module")
def live(cron_url, artifacts):
    """The pg_cron database with a deployed pair. Its job is off until a test switches it on."""
    with psycopg.connect(cron_url, autocommit=True) as db:
        deploy(db, artifacts)
    yield cron_url
    with psycopg.connect(cron_url, autocommit=True) as db:
        switch_job(db, on=False)


@pytest.fixture(scope="module")
def feeder(live):
    """Writes one candle per minute, a second after it closes. The value is the event that pauses it."""
    stop, paused = threading.Event(), threading.Event()

    def feed():
        while not stop.wait(0.5):
            if datetime.now(UTC).second >= 1 and not paused.is_set():
                try:
                    with psycopg.connect(live, autocommit=True) as db:
                        load_demo(db, datetime.now(UTC))
                except psycopg.OperationalError:
                    continue  # the cluster is being restarted

    thread = threading.Thread(target=feed)
    thread.start()
    yield paused
    stop.set()
    thread.join()


def switch_job(db, *, on):
    db.execute("select cron.alter_job(jobid, active := %s) from cron.job where jobname = 'candlecast-inference'", (on,))


def minute(now=None):
    return (now or datetime.now(UTC)).replace(second=0, microsecond=0)


def ask(url, query, values=()):
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(query, values).fetchall()


def wait_for(url, query, values=(), seconds=75):
    """The rows of the query, as soon as there are any."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if rows := ask(url, query, values):
                return rows
        except psycopg.OperationalError:
            pass  # the cluster is being restarted
        time.sleep(0.1)
    details = ask(url, "select status, return_message from cron.job_run_details order by runid desc limit 5")
    pytest.fail(f"{query} {values} returned no row within {seconds} s; pg_cron: {details}")


FIVE = "select 1 from predictions where candle_time = %s having count(*) = 5"


def test_every_minute_gets_its_five_predictions(live, feeder):
    with psycopg.connect(live, autocommit=True) as db:
        load_demo(db, datetime.now(UTC))
        switch_job(db, on=True)
    wait_for(live, FIVE, (minute(),), seconds=130)
    ((username, status),) = ask(
        live,
        "select username, status from cron.job_run_details where command like '%%run_inference%%'"
        " order by runid limit 1",
    )
    assert (username, status) == ("candlecast_cron", "succeeded")
    assert ask(live, "select count(*) from inference_runs where status = 'failed'") == [(0,)]


def test_the_run_after_a_killed_backend_predicts(live, feeder):
    feeder.set()
    running = "select id, backend_pid from inference_runs where status = 'running'"
    before = ask(live, "select count(*) from predictions")
    try:
        ((run, pid),) = wait_for(live, running)
        subprocess.run([*SUDO, "sh", "-c", f"kill -KILL {pid}"], check=True)
    finally:
        feeder.clear()
    wait_for(live, "select 1 from inference_runs where id = %s and status = 'lost'", (run,), seconds=190)
    wait_for(live, FIVE, (minute() - MINUTE,), seconds=130)
    assert ask(live, "select count(*) from predictions")[0][0] >= before[0][0] + 5
    assert ask(live, "select count(*) from predictions group by candle_time having count(*) <> 5") == []


def test_predictions_continue_after_a_cluster_restart(live, feeder):
    before = ask(live, "select count(*) from predictions")
    environment = os.environ | {"CLUSTER": os.environ["CANDLECAST_TEST_CLUSTER"]}
    for step in ("stop", "start"):
        subprocess.run([ROOT / "scripts" / "cluster.sh", step], check=True, env=environment, capture_output=True)
    started = minute()
    wait_for(live, FIVE, (started,), seconds=130)
    assert ask(live, "select count(*) from predictions")[0][0] >= before[0][0] + 5


def test_a_missing_candle_is_recorded_with_its_reason(live, feeder):
    feeder.set()
    with psycopg.connect(live, autocommit=True) as db:
        db.execute("update ml_settings set value = '2 s' where name = 'candle_timeout'")
    try:
        ((error,),) = wait_for(
            live,
            "select error from inference_runs where status = 'no_candle' and candle_time >= %s",
            (minute() - MINUTE,),
            seconds=130,
        )
    finally:
        with psycopg.connect(live, autocommit=True) as db:
            db.execute("update ml_settings set value = null where name = 'candle_timeout'")
        feeder.clear()
    assert "did not arrive within candle_timeout" in error


def test_all_jobs_exist_with_their_schedules(cron_url):
    assert ask(cron_url, "select jobname, schedule, username from cron.job order by jobname") == [
        ("candlecast-aggregate", "11 * * * *", "candlecast_cron"),
        ("candlecast-consistency", "20 0 * * *", "candlecast_cron"),
        ("candlecast-drift", "20 0 * * *", "candlecast_cron"),
        ("candlecast-evaluate", "10 0 * * *", "candlecast_cron"),
        ("candlecast-inference", "* * * * *", "candlecast_cron"),
        ("candlecast-prune", "41 2 * * *", "candlecast_cron"),
        ("candlecast-prune-measurements", "43 2 * * *", "candlecast_cron"),
    ]


def test_the_evaluation_job_promotes_as_its_role(cron_url, artifacts):
    with psycopg.connect(cron_url) as db:
        command = db.execute("select command from cron.job where jobname = 'candlecast-evaluate'").fetchone()[0]
        versions = pair(db, artifacts)
        active, challenger = [
            db.execute("select create_ensemble(%s, %s, %s, symbol => 'CRON')", (*versions, weight)).fetchone()[0]
            for weight in (0.2, 0.8)
        ]
        db.execute("select activate_ensemble(%s), test_ensemble(%s)", (active, challenger))
        judge_daily(db)
        # The job evaluates the last 24 hours, so the predictions and the start of the test are relative to now.
        add_day(
            db,
            db.execute("select date_trunc('minute', now()) - interval '24 h'").fetchone()[0],
            "CRON",
            {active: 0.2, challenger: 0.8},
        )
        db.execute("update active_ensembles set changed_at = now() - interval '3 d' where symbol = 'CRON'")
        db.execute("set local session authorization candlecast_cron")
        db.execute(command)
        decided = db.execute("select challenger_id, decision from ab_evaluations where symbol = 'CRON'").fetchall()
        assert decided == [(challenger, "promote")]
        event = db.execute(
            "select ensemble_id, event, changed_by from ensemble_events where symbol = 'CRON' order by id desc limit 1"
        ).fetchone()
        assert event == (challenger, "promoted", "candlecast_cron")
        db.rollback()


def test_the_aggregate_and_prune_jobs_run_as_their_role(cron_url):
    """A run older than 30 days is deleted after its hour is aggregated. A run of 29 days ago is kept."""
    with psycopg.connect(cron_url, autocommit=True) as db:
        db.execute(
            "insert into inference_runs (candle_time, status, started_at) values"
            " (now(), 'no_ensemble', now() - interval '31 days'), (now(), 'no_ensemble', now() - interval '29 days')"
        )
        db.execute("call aggregate_hours(now() - interval '32 days')")
        commands = dict(db.execute("select jobname, command from cron.job").fetchall())
        db.execute("set session authorization candlecast_cron")
        db.execute(commands["candlecast-aggregate"])
        db.execute(commands["candlecast-prune"])
        db.execute("reset session authorization")
        ages = db.execute("select count(*) from inference_runs where started_at < now() - interval '28 days'")
        assert ages.fetchone()[0] == 1
        kept = db.execute("select sum(runs) from runs_hourly where hour < now() - interval '28 days'")
        assert kept.fetchone()[0] == 2
        db.execute("delete from inference_runs where started_at < now() - interval '28 days'")
        db.execute("delete from runs_hourly where hour < now() - interval '28 days'")


def test_every_job_succeeds_as_its_role(live):
    """Each job of cron.job, on a database with candles, predictions and runs."""
    with psycopg.connect(live, autocommit=True) as db:
        load_demo(db, datetime.now(UTC))
        last = db.execute("select coalesce(max(id), 0) from inference_runs").fetchone()
        db.execute("call run_inference(now() - interval '3 hours')")
        db.execute("delete from predictions_hourly")
        jobs = db.execute("select jobname, command, username from cron.job order by jobid").fetchall()
    assert len(jobs) >= 7
    failed = {}
    for name, command, role in jobs:
        with psycopg.connect(live, autocommit=True) as db:
            db.execute(f"set session authorization {role}")
            try:
                db.execute(command)
            except psycopg.Error as error:
                failed[name] = str(error)
    assert failed == {}
    assert ask(live, "select count(*) from predictions_hourly where symbol = 'DEMO'")[0][0] > 0
    statuses = ask(live, "select status from inference_runs where id > %s", last)
    assert len(statuses) >= 2
    assert {status for (status,) in statuses} <= {"predicted", "already"}
