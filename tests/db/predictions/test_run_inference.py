"""run_inference(): its predictions, its log rows, and rows of failed minutes."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.support.deployment import MINUTE, NEWEST, create, in_backend, load_demo


def last_minute():
    """The candle_time that run_inference() waits for if it is called now."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - MINUTE


@pytest.fixture
def now_live(live):
    """DEMO up to the minute before the one that run_inference() waits for."""
    live.execute("truncate candles_1m")
    load_demo(live, last_minute())
    return live


def awaited_by_run(db):
    """The candle_time of the running call; waits until there is one."""
    deadline = time.monotonic() + 20
    while not (rows := db.execute("select candle_time from inference_runs where status = 'running'").fetchall()):
        assert time.monotonic() < deadline, "no call is running"
        time.sleep(0.05)
    return rows[0][0]


def runs(db):
    return db.execute("select * from inference_runs order by id").fetchall()


def predictions(db):
    return db.execute("select * from predictions order by candle_time, ensemble_id, horizon").fetchall()


def test_a_replayed_minute_is_predicted_once_by_each_ensemble(live, artifacts):
    challenger = create(live, artifacts, 0.0, is_test=True)
    at = NEWEST - 30 * MINUTE
    live.execute("call run_inference(%s)", (at,))
    rows = predictions(live)
    assert len(rows) == 10
    assert {row.candle_time for row in rows} == {at}
    assert [(run.status, run.ensemble_id) for run in runs(live)] == [("predicted", 1), ("predicted", challenger)]
    for run in runs(live):
        assert run.mamba_runtime == "onnx"
        assert run.latency_ms > 0
        assert min(run.load_ms, run.features_ms, run.models_ms, run.write_ms) > 0
        assert run.finished_at is not None
    assert [row[1:] for row in live.execute("select horizon, predicted_close from predict('DEMO', %s)", (at,))] == [
        (row.predicted_close,) for row in rows if row.ensemble_id == 1
    ]
    live.execute("call run_inference(%s)", (at,))
    assert predictions(live) == rows
    assert [run.status for run in runs(live)[2:]] == ["already", "already"]


def test_an_uncommitted_predict_now_blocks_a_run_for_2_s_only(live, live_url):
    """The run fails after two seconds with the reason in its row. The rows appear when the reader commits."""
    with psycopg.connect(live_url) as reader, psycopg.connect(live_url, autocommit=True) as job:
        reader.execute("set session authorization candlecast_reader")
        assert len(reader.execute("select from predict_now('DEMO')").fetchall()) == 5
        job.execute("set session authorization candlecast_cron")
        began = time.monotonic()
        job.execute("call run_inference(%s)", (NEWEST,))
        assert 1.5 < time.monotonic() - began < 15
        (run,) = runs(live)
        assert (run.status, run.error_sqlstate) == ("failed", "55P03")
        assert "lock timeout: an open transaction holds a lock that this run needs" in run.error
        assert predictions(live) == []
        assert job.execute("show lock_timeout").fetchone() == ("0",), "the timeout applies to the run only"
        reader.commit()
        assert len(predictions(live)) == 5
        job.execute("call run_inference(%s)", (NEWEST,))
        assert [run.status for run in runs(live)] == ["failed", "already"]


def test_a_replay_reads_no_later_candle(live):
    at = NEWEST - 30 * MINUTE
    live.execute("call run_inference(%s)", (at,))
    before = predictions(live)
    live.execute("delete from predictions")
    live.execute("delete from candles_1m where open_time > %s", (at,))
    live.execute("call run_inference(%s)", (at,))
    after = predictions(live)
    assert [row.predicted_close for row in after] == [row.predicted_close for row in before]


def test_the_expected_candle_is_predicted_when_it_arrives(now_live, live_url):
    db = now_live

    def insert():
        with psycopg.connect(live_url, autocommit=True) as feeder:
            awaited = awaited_by_run(feeder)
            time.sleep(2.5)  # the models are loaded by then
            load_demo(feeder, awaited + MINUTE)
            return awaited

    with ThreadPoolExecutor(1) as pool:
        feeder = pool.submit(insert)
        db.execute("call run_inference()")
        awaited = feeder.result()
    assert {row.candle_time for row in predictions(db)} == {awaited}
    (run,) = runs(db)
    assert (run.status, run.candle_time) == ("predicted", awaited)
    assert run.wait_ms > 1000
    assert run.latency_ms < 1000


def test_a_missing_candle_is_a_row_with_the_reason(now_live):
    db = now_live
    db.execute("update ml_settings set value = '300 ms' where name = 'candle_timeout'")
    started, before = time.monotonic(), last_minute()
    db.execute("call run_inference()")
    assert time.monotonic() - started < 10
    (run,) = runs(db)
    assert run.status == "no_candle"
    assert before <= run.candle_time <= last_minute()
    assert "did not arrive within candle_timeout" in run.error
    assert predictions(db) == []


def test_a_replay_without_its_candle_does_not_wait(live):
    live.execute("call run_inference(%s)", (NEWEST + MINUTE,))
    (run,) = runs(live)
    assert (run.status, run.candle_time) == ("no_candle", NEWEST + MINUTE)
    assert "2026-05-02 12:00:00+00 did not arrive" in run.error
    assert "candle_timeout" not in run.error


@pytest.mark.parametrize("when", ["infinity", "-infinity"])
def test_an_infinite_time_is_rejected(live, when):
    with pytest.raises(psycopg.Error, match=when) as error:
        live.execute("call run_inference(%s)", (when,))
    assert error.value.sqlstate == "CC017"


def test_an_invalid_setting_is_a_failed_row(live):
    in_backend(live, "import os; os.environ['ML_DEVICE'] = 'abacus'")
    live.execute("call run_inference(%s)", (NEWEST,))
    (run,) = runs(live)
    assert (run.status, run.error_sqlstate) == ("failed", "CC013")
    assert "abacus" in run.error


def test_a_canceled_run_is_canceled(now_live):
    db = now_live
    db.execute("set statement_timeout = '2s'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute("call run_inference()")
    assert db.execute("select 1").fetchone()[0] == 1


def test_a_gap_is_a_failed_row_with_the_missing_minute(live):
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 10 * MINUTE,))
    live.execute("call run_inference(%s)", (NEWEST,))
    (run,) = runs(live)
    assert (run.status, run.error_sqlstate) == ("failed", "CC003")
    assert "2026-05-02 11:49:00+00" in run.error
    assert predictions(live) == []


def test_a_damaged_challenger_does_not_stop_the_active_one(live, artifacts):
    create(live, artifacts, 0.0, is_test=True)
    live.execute("update active_ensembles set mamba_weight = 0.1 where is_test")
    mamba = live.execute("select mamba_version_id from active_ensembles where is_active").fetchone()[0]
    rest = "symbol, model_path, trained_at, training_from, training_to, features, feature_hash, facts"
    damaged = live.execute(
        f"insert into model_versions (model_type, version, {rest})"
        f" select model_type, 'damaged', {rest} from model_versions where id = %s returning id",
        (mamba,),
    ).fetchone()[0]
    live.execute(
        "insert into model_artifacts select %s, name, sha256, set_byte(content, 50, get_byte(content, 50) # 255)"
        " from model_artifacts where model_version_id = %s",
        (damaged, mamba),
    )
    live.execute("update active_ensembles set mamba_version_id = %s where is_test", (damaged,))
    live.execute("call run_inference(%s)", (NEWEST,))
    by_status = {run.status: run for run in runs(live)}
    assert set(by_status) == {"predicted", "failed"}
    assert by_status["failed"].error_sqlstate == "CC007"
    assert len(predictions(live)) == 5


def test_a_stale_symbol_is_logged_once(live):
    live.execute("call run_inference()")
    live.execute("call run_inference()")
    assert [run.status for run in runs(live)] == ["stale"]
    live.execute("call run_inference(%s)", (NEWEST,))
    live.execute("call run_inference()")
    live.execute("call run_inference()")
    assert [run.status for run in runs(live)] == ["stale", "predicted", "stale"]


def test_disabled_and_no_ensemble_are_rows(db):
    db.execute("call run_inference()")
    db.execute("update ml_settings set value = 'false' where name = 'enabled'")
    db.execute("call run_inference()")
    assert [row[0] for row in db.execute("select status from inference_runs order by id")] == [
        "no_ensemble",
        "disabled",
    ]


def test_a_terminated_run_is_lost_and_the_next_one_predicts(now_live, live_url):
    db = now_live
    with psycopg.connect(live_url, autocommit=True) as doomed, ThreadPoolExecutor(1) as pool:
        pid = doomed.info.backend_pid

        def terminate():
            awaited = awaited_by_run(db)
            time.sleep(0.5)
            db.execute("select pg_terminate_backend(%s)", (pid,))
            return awaited

        killer = pool.submit(terminate)
        with pytest.raises(psycopg.Error):
            doomed.execute("call run_inference()")
        awaited = killer.result()
    load_demo(db, awaited + MINUTE)
    for _ in range(50):
        if db.execute("select from pg_stat_activity where pid = %s", (pid,)).fetchone() is None:
            break
        time.sleep(0.1)
    db.execute("call run_inference(%s)", (awaited,))
    assert [run.status for run in runs(db)] == ["lost", "predicted"]
    assert len(predictions(db)) == 5


def test_it_runs_as_candlecast_cron(live, live_url, connect_as):
    connect_as("candlecast_cron", live_url).execute("call run_inference(%s)", (NEWEST,))
    assert [run.status for run in runs(live)] == ["predicted"]


def test_a_reader_cannot_run_it(live, live_url, connect_as):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect_as("candlecast_reader", live_url).execute("call run_inference()")


def test_a_datestyle_other_than_iso_is_rejected(live):
    live.execute("set datestyle = 'SQL, DMY'")
    live.execute("set timezone = 'Asia/Kolkata'")
    with pytest.raises(psycopg.Error, match="cannot be read") as error:
        live.execute("call run_inference(%s)", (NEWEST,))
    assert error.value.sqlstate == "CC017"


def test_environment_models_predict_every_symbol(live, copies):
    mamba, lgbm = copies
    live.execute("update active_ensembles set is_active = false")
    in_backend(live, f"""
import os
os.environ["ML_MAMBA_MODEL_PATH"] = {str(mamba / "mamba.onnx")!r}
os.environ["ML_LGBM_MODELS_DIR"] = {str(lgbm)!r}
os.environ["ML_NORM_PARAMS_PATH"] = {str(lgbm / "normalization_params_v1.json")!r}
""")  # fmt: skip
    live.execute("call run_inference(%s)", (NEWEST,))
    assert [(run.status, run.ensemble_id) for run in runs(live)] == [("predicted", None)]
    assert len(predictions(live)) == 5
    assert NEWEST + timedelta(minutes=5) == predictions(live)[-1].target_time
