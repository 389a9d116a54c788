"""docs/how-to/replicas.md: a hot standby is created by its commands, and promoted."""

import psycopg
import pytest

from tests.support.clusters import LAUNCHER, NEWEST, wait_for
from tests.support.deployment import MINUTE
from tests.support.documents import page

pytestmark = pytest.mark.cron
FORECAST = "select * from predict('DEMO', %s)"
#: The rows of this minute are stored, and the next run is at least half a minute away.
BETWEEN_JOBS = """
    select max(end_time) from cron.job_run_details
    where command ~ 'run_inference' and start_time >= date_trunc('minute', clock_timestamp())
    having max(end_time) is not null and extract(second from clock_timestamp()) < 30
"""


def catch_up(standby, primary):
    """Wait until the standby has everything that the primary has now."""
    ((written,),) = primary.ask("select pg_current_wal_lsn()")
    wait_for(standby, "select 1 where pg_last_wal_replay_lsn() >= %s::pg_lsn", written, seconds=20)


def test_the_standby_predicts_as_the_primary(primary, standby):
    ((newest,),) = wait_for(standby, NEWEST, seconds=20)
    with standby.connect(options="-c default_transaction_read_only=on") as db:
        assert db.execute("select pg_is_in_recovery()").fetchone() == (True,)
        assert db.execute(FORECAST, (newest,)).fetchall() == primary.ask(FORECAST, newest)
        stretch = "select * from predict_range('DEMO', %s, %s)"
        between = (newest - 5 * MINUTE, newest)
        assert db.execute(stretch, between).fetchall() == primary.ask(stretch, *between)
    with primary.connect(options="-c default_transaction_read_only=on") as db:
        assert len(db.execute(FORECAST, (newest,)).fetchall()) == 5


def test_health_metrics_and_views_work_on_the_standby(primary, standby):
    wait_for(primary, BETWEEN_JOBS, seconds=120)  # the job may not have run yet
    catch_up(standby, primary)
    with standby.connect(options="-c default_transaction_read_only=on") as db:
        db.execute("set session authorization ann")
        (health,) = db.execute("select health()").fetchone()
        assert (health["status"], health["symbol"]) == ("ok", "DEMO"), health["reasons"]
        names = {name for (name,) in db.execute("select name from metrics()").fetchall()}
        assert "ml_health" in names
    relations = "select viewname from pg_views where schemaname = 'public' and viewname <> 'features_1m' order by 1"
    views = [name for (name,) in primary.ask(relations)]
    assert len(views) >= 10
    with standby.connect() as db:
        for view in views:
            db.execute(f"select * from {view} limit 1")


def test_errors_on_the_standby_are_documented(standby):
    table = page("replicas")
    with standby.connect() as db:
        for query in ("call run_inference()", "select activate_ensemble(1)", "listen candlecast"):
            with pytest.raises((psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.ActiveSqlTransaction)) as error:
                db.execute(query)
            message = error.value.diag.message_primary.removeprefix("spiexceptions.ReadOnlySqlTransaction: ")
            assert error.value.sqlstate == "25006"
            assert f"`{message}`" in table or f"`{message}:" in table, message
        assert db.execute(LAUNCHER).fetchall() == []


def test_predict_now_on_the_standby_equals_the_primary(primary, standby):
    wait_for(primary, BETWEEN_JOBS, seconds=120)
    stored = primary.ask("select * from predict_now('DEMO')")
    catch_up(standby, primary)
    assert standby.ask("select * from predict_now('DEMO')") == stored
    newest = stored[0][1]
    assert len(primary.ask("delete from predictions where candle_time = %s returning 1", newest)) == 5
    catch_up(standby, primary)
    with standby.connect() as db, pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="cannot execute INSERT"):
        db.execute("select * from predict_now('DEMO')")


def test_a_model_activated_on_the_primary_reaches_the_standby(primary, standby):
    with standby.connect() as db:
        before = db.execute("select distinct ensemble_id from predict('DEMO')").fetchone()
        ((new,),) = primary.ask(
            "select create_ensemble(mamba_version_id, lgbm_version_id, 0.25, symbol => 'DEMO')"
            " from active_ensembles where id = %s",
            *before,
        )
        primary.ask("select activate_ensemble(%s)", new)
        catch_up(standby, primary)
        assert db.execute("select distinct ensemble_id from predict('DEMO')").fetchall() == [(new,)]
    primary.ask("select rollback_ensemble('DEMO')")


def test_a_promoted_standby_writes(promoted):
    assert len(promoted.ask("select * from predict_now('DEMO')")) == 5
    wait_for(promoted, LAUNCHER, seconds=20)
