"""Models older than model_expiry: one warning per session, a text in the run's row, a mark in `candlecast status`."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.support.deployment import NEWEST, create

AGE = "update model_versions set trained_at = now() - %s::interval where id = any (%s)"


@pytest.fixture
def warned(live):
    """The warnings that the connection received, as (SQLSTATE, message, detail, hint)."""
    seen = []

    def collect(notice):
        if notice.severity_nonlocalized == "WARNING":
            seen.append((notice.sqlstate, notice.message_primary, notice.message_detail, notice.message_hint))

    live.add_notice_handler(collect)
    return seen


def versions(db):
    return list(db.execute("select mamba_version_id, lgbm_version_id from active_ensembles where is_active").fetchone())


def test_an_expired_ensemble_warns_once_a_session(live, live_url, warned):
    live.execute(AGE, ("9 days 3 hours", versions(live)[:1]))
    for _ in range(2):
        assert len(live.execute("select * from predict_now('DEMO')").fetchall()) == 5
        live.execute("delete from predictions")
    ((sqlstate, message, detail, hint),) = warned
    assert sqlstate == "CC020"
    assert "ensemble 1 of DEMO was trained 9.1 d ago; model_expiry allows 7 d" in message
    assert f"{datetime.now(UTC) - timedelta(days=9, hours=3):%Y-%m-%d}" in detail
    assert "candlecast retrain --symbol DEMO" in hint
    live.execute("select predict_now('DEMO')")
    with psycopg.connect(live_url) as fresh:
        again = []
        fresh.add_notice_handler(lambda notice: again.append(notice.sqlstate))
        fresh.execute("select predict_now('DEMO')")
        assert again == ["CC020"], "a call that returns stored rows also warns"
    assert len(warned) == 1


def test_each_ensemble_has_its_own_warning(live, artifacts, warned):
    live.execute(AGE, ("8 days", versions(live)))
    live.execute("select predict_now('DEMO')")
    live.execute("select activate_ensemble(%s)", (create(live, artifacts, 0.25),))
    for _ in range(2):
        live.execute("select predict_now('DEMO')")
    assert [message.split(" was")[0].split("ensemble ")[1] for _, message, _, _ in warned] == ["1 of DEMO", "2 of DEMO"]


@pytest.mark.parametrize(
    ("age", "which", "expiry", "warnings"),
    [
        ("6 days 23 hours", slice(None), None, 0),
        ("7 days 1 hour", slice(None), None, 1),
        ("7 days 1 hour", slice(0, 1), None, 1),
        ("7 days 1 hour", slice(1, 2), None, 1),
        ("400 days", slice(None), "none", 0),
        ("400 days", slice(None), "500 d", 0),
        ("3 hours", slice(None), "2 h", 1),
    ],
)
def test_the_age_of_the_older_version_counts(live, warned, age, which, expiry, warnings):
    live.execute(AGE, (age, versions(live)[which]))
    live.execute("update ml_settings set value = %s where name = 'model_expiry'", (expiry,))
    live.execute("select predict_now('DEMO')")
    assert len(warned) == warnings
    live.execute("delete from predictions")
    live.execute("call run_inference(%s)", (NEWEST,))
    status, text = live.execute("select status, warning from inference_runs").fetchone()
    assert (status, text is not None) == ("predicted", warnings == 1)
    if warnings:
        assert text.startswith("ensemble 1 of DEMO was trained ")
        assert text.endswith("or raise model_expiry in ml_settings.")
    assert len(warned) == warnings, "run_inference() sends no warning, which would fill the server log"


def test_predict_and_predict_range_do_not_warn(live, warned):
    live.execute(AGE, ("400 days", versions(live)))
    live.execute("select predict('DEMO')")
    live.execute("select predict_range('DEMO', %s, null)", (NEWEST,))
    assert warned == []


def test_status_shows_the_age_and_the_expiry(live, live_url, artifacts, run_cli):
    create(live, artifacts, 0.25, is_test=True)
    live.execute(AGE, ("3 days", versions(live)[:1]))
    done = run_cli(live_url, "status", env={"COLUMNS": "80"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("3.0 d old") == 2
    assert "expired" not in done.stdout
    live.execute("update ml_settings set value = '2 d' where name = 'model_expiry'")
    done = run_cli(live_url, "status", env={"COLUMNS": "80"})
    assert done.stdout.count("expired") == 2
    assert max(map(len, done.stdout.splitlines())) <= 80
    live.execute("update ml_settings set value = 'none' where name = 'model_expiry'")
    assert "expired" not in run_cli(live_url, "status").stdout


def test_status_shows_the_warning_of_the_last_run(live, live_url, run_cli):
    live.execute(AGE, ("9 days", versions(live)))
    live.execute("call run_inference(%s)", (NEWEST,))
    assert "was trained 9 d ago" in " ".join(run_cli(live_url, "status").stdout.split())
