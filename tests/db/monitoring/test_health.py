"""health() and symbol_health: status and reasons of each problem, and ok after it is solved."""

from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.types.json import Jsonb
from statsmodels.stats.proportion import proportion_confint

from candlecast.core.freshness import LATE_SECONDS, MISSING_SECONDS
from tests.support.deployment import MINUTE, load_demo


def minute():
    return datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture(scope="module")
def predicted_url(make_shared_database, calibrated_template):
    """DEMO up to the minute that just closed, with predictions from it."""
    url = make_shared_database(calibrated_template)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("truncate candles_1m")
        load_demo(db, minute())
        db.execute("call run_inference(%s)", (minute() - MINUTE,))
    return url


@pytest.fixture
def fresh(predicted_url):
    """A transaction in that database, rolled back after the test."""
    with psycopg.connect(predicted_url, autocommit=True) as db:
        if load_demo(db, minute()):  # a minute has ended since
            db.execute("call run_inference(%s)", (minute() - MINUTE,))
        with db.transaction(force_rollback=True):
            yield db


def health(db, symbol=None):
    return db.execute("select health(%s)", (symbol,)).fetchone()[0]


def metrics(db, named="ml_", **labels):
    """{name: value} of the metrics whose names begin with `named` and that have the labels."""
    query = "select name, value from metrics() where starts_with(name, %s) and labels @> %s"
    return dict(db.execute(query, (named, Jsonb(labels))).fetchall())


def test_a_fresh_forecast_is_ok(fresh):
    found = health(fresh)
    assert (found["status"], found["reasons"], found["symbol"]) == ("ok", [], "DEMO")
    assert found["ml_inference_enabled"] is True
    (active,) = fresh.execute("select id from active_ensembles where is_active").fetchone()
    assert found["ml_model_version"] == active
    assert 0 <= found["candle_age_seconds"] < 75
    assert found["candle_age_seconds"] == found["prediction_age_seconds"]
    assert datetime.fromisoformat(found["newest_candle"]) <= datetime.now(UTC) - MINUTE
    assert found["scheduler"]["state"] == "running"
    assert found["symbols"][0]["symbol"] == "DEMO"
    assert (found["failed_runs_1h"], found["skipped_runs_1h"]) == (0, 0)


@pytest.mark.parametrize(
    ("minutes", "status", "start"),
    [(2, "degraded", "DEMO: the candle is late"), (5, "down", "DEMO: no candle for 00:0")],
)
def test_a_late_or_missing_candle(fresh, minutes, status, start):
    fresh.execute("delete from candles_1m where open_time > %s", (minute() - (minutes + 1) * MINUTE,))
    found = health(fresh)
    assert found["status"] == status
    assert any(reason.startswith(start) for reason in found["reasons"]), found["reasons"]
    load_demo(fresh, minute())
    assert health(fresh)["status"] == "ok"


@pytest.mark.parametrize(
    ("minutes", "status", "start"),
    [(2, "degraded", "DEMO: the prediction is late"), (5, "down", "DEMO: no prediction for 00:0")],
)
def test_a_late_or_missing_prediction(fresh, minutes, status, start):
    earlier = "update predictions set candle_time = candle_time - %(by)s, target_time = target_time - %(by)s"
    fresh.execute(earlier, {"by": minutes * MINUTE})
    found = health(fresh)
    assert found["status"] == status
    assert any(reason.startswith(start) for reason in found["reasons"]), found["reasons"]
    fresh.execute("select from predict_now('DEMO')")
    assert health(fresh)["status"] == "ok"


@pytest.mark.parametrize(
    ("age", "reasons"),
    [
        (LATE_SECONDS - 1, []),
        (LATE_SECONDS, ["DEMO: the prediction is late"]),
        (MISSING_SECONDS - 1, ["DEMO: the prediction is late"]),
        (MISSING_SECONDS, ["DEMO: no prediction for 00:03:00"]),
    ],
)
def test_late_and_missing_follow_the_limits_of_core_freshness(fresh, age, reasons):
    fresh.execute("delete from predictions where candle_time < (select max(candle_time) from predictions)")
    closed = "now() - %(age)s * interval '1 s'"
    fresh.execute(
        f"update predictions set candle_time = {closed} - interval '1 min',"
        f" target_time = {closed} + (horizon - 1) * interval '1 min'",
        {"age": age},
    )
    assert health(fresh)["reasons"] == reasons


@pytest.mark.parametrize(("age", "state"), [(LATE_SECONDS - 1, "running"), (LATE_SECONDS, "silent")])
def test_the_scheduler_is_silent_from_the_late_limit_on(fresh, age, state):
    fresh.execute("update inference_runs set started_at = now() - %s * interval '1 s'", (age,))
    assert health(fresh)["scheduler"]["state"] == state


def test_missing_runs_are_a_reason_only_if_something_is_late(fresh):
    fresh.execute("update inference_runs set started_at = now() - interval '80 s'")
    found = health(fresh)
    assert (found["status"], found["reasons"], found["scheduler"]["state"]) == ("ok", [], "silent")
    assert metrics(fresh)["ml_run_age_seconds"] == 80
    fresh.execute(
        "delete from predictions where candle_time > (select max(open_time) from candles_1m) - interval '2 min'"
    )
    found = health(fresh)
    assert (found["status"], found["reasons"][0]) == (
        "down",
        "run_inference() last started 00:01:20 ago",
    )
    fresh.execute("update inference_runs set status = 'running', finished_at = null")
    assert health(fresh)["reasons"][0] == "the run that started 00:01:20 ago has not finished"
    fresh.execute("delete from inference_runs")
    assert health(fresh)["reasons"][0] == "run_inference() has never run"
    assert "ml_run_age_seconds" not in metrics(fresh)
    late = "delete from candles_1m where open_time > now() - interval '3 min'"
    fresh.execute(late)  # no scheduler, and no recent candle
    assert health(fresh)["reasons"] == ["DEMO: no prediction in 7 days", "DEMO: the candle is late"]


def test_disabled_inference_is_down_with_the_reason(fresh):
    fresh.execute("update ml_settings set value = 'false' where name = 'enabled'")
    found = health(fresh)
    assert (found["status"], found["ml_inference_enabled"]) == ("down", False)
    assert (found["symbols"][0]["status"], metrics(fresh)["ml_health"]) == ("down", 0)
    assert "inference is switched off: the setting enabled is false" in found["reasons"]
    fresh.execute("update ml_settings set value = null where name = 'enabled'")
    assert health(fresh)["status"] == "ok"


def test_without_an_ensemble_it_is_down(db):
    found = health(db)
    assert (found["status"], found["reasons"], found["symbols"]) == ("down", ["no ensemble is active"], [])
    assert found["scheduler"]["state"] == "never"
    assert health(db, "X")["reasons"] == ["X has no active ensemble"]


def test_a_candle_in_the_future_is_not_the_newest(fresh):
    fresh.execute("delete from candles_1m where open_time > %s", (minute() - 8 * MINUTE,))
    fresh.execute(
        "insert into candles_1m select symbol, open_time + interval '1 day', open, high, low, close, volume,"
        " quote_asset_volume, taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades, spread_bps"
        " from candles_1m order by open_time desc limit 1"
    )
    found = health(fresh)
    assert found["status"] == "down"
    assert found["candle_age_seconds"] > 300
    load_demo(fresh, minute())
    found = health(fresh)
    assert (found["status"], len(found["reasons"])) == ("degraded", 1)
    assert found["reasons"][0].startswith("DEMO: a candle is in the future, at 20")
    assert fresh.execute("select age > interval '0' from candle_status where symbol = 'DEMO'").fetchone() == (True,)


def test_a_failed_run_is_a_reason_until_the_next_success(fresh):
    (ensemble,) = fresh.execute("select id from active_ensembles where is_active").fetchone()
    columns = "symbol, ensemble_id, candle_time, status, error"
    insert = f"insert into inference_runs ({columns}) values ('DEMO', %s, now(), %s, %s)"
    fresh.execute(insert, (ensemble, "failed", "artifact damaged"))
    found = health(fresh)
    assert (found["status"], found["failed_runs_1h"]) == ("degraded", 1)
    assert found["reasons"] == ["DEMO: the last run failed: artifact damaged"]
    fresh.execute(insert, (ensemble, "predicted", None))
    assert (health(fresh)["status"], health(fresh)["failed_runs_1h"]) == ("ok", 1)


def test_expired_models_degrade(fresh):
    fresh.execute("update model_versions set trained_at = now() - interval '8 d'")
    found = health(fresh)
    assert (found["status"], found["reasons"]) == ("degraded", ["DEMO: the models are 8.0 days old: expired"])
    assert found["symbols"][0]["status"] == "degraded"
    assert found["model_expiry_seconds"] == 7 * 86_400
    assert metrics(fresh)["ml_model_expiry_seconds"] == 7 * 86_400
    fresh.execute("update ml_settings set value = 'none' where name = 'model_expiry'")
    assert health(fresh)["status"] == "ok"
    assert "ml_model_expiry_seconds" not in metrics(fresh)


def test_an_accuracy_below_chance_degrades(fresh):
    """400 live minutes with wrong predictions. Predictions of earlier tests are deleted except the newest minute's."""
    fresh.execute("delete from predictions where candle_time < (select max(open_time) from candles_1m)")
    fresh.execute("""
        insert into predictions (
            symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
            mamba_close, lgbm_close, confidence, created_at
        )
        select
            'DEMO', (select id from active_ensembles where is_active), now.open_time,
            now.open_time + interval '1 minute', 1, ln(now.close / next.close), now.close, now.close, 0, 0, 0,
            now.open_time + interval '61 s'
        from candles_1m as now
        inner join candles_1m as next on next.open_time = now.open_time + interval '1 minute'
        order by now.open_time desc limit 400
    """)
    found = health(fresh)
    assert found["status"] == "degraded"
    assert found["reasons"] == ["DEMO: direction accuracy 0.0 % over 24 hours: worse than chance"]
    score = found["accuracy_24h"]
    assert (score["accuracy"], score["rows"] > 390, score["high"] < 0.02) == (0, True, True)
    low, high = proportion_confint(0, score["rows"], method="wilson")
    assert (score["low"], score["high"]) == pytest.approx((low, high), abs=1e-12)
    assert metrics(fresh, "ml_inference_accuracy_24h", horizon="1") == {
        "ml_inference_accuracy_24h": 0,
        "ml_inference_accuracy_24h_low": score["low"],
        "ml_inference_accuracy_24h_high": score["high"],
        "ml_inference_accuracy_24h_rows": score["rows"],
    }


def test_the_first_symbol_is_btcusdt_if_it_exists(fresh):
    fresh.execute(
        "insert into active_ensembles (symbol, mamba_version_id, lgbm_version_id, feature_hash, is_active)"
        " select 'BTCUSDT', mamba_version_id, lgbm_version_id, feature_hash, true from active_ensembles limit 1"
    )
    found = health(fresh)
    assert (found["symbol"], found["status"]) == ("BTCUSDT", "down")
    assert [one["symbol"] for one in found["symbols"]] == ["BTCUSDT", "DEMO"]
    assert found["reasons"] == ["BTCUSDT: there are no candles", "BTCUSDT: no prediction in 7 days"]
    assert health(fresh, "DEMO")["status"] == "ok"


def test_a_reader_can_call_health_and_metrics(fresh):
    fresh.execute("set session authorization candlecast_reader")
    assert health(fresh)["status"] == "ok"
    assert fresh.execute("select count(*) from metrics()").fetchone()[0] > 10
