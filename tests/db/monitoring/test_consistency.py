"""check_consistency(): recomputed predictions, the number and size of differences, and those due to a candle."""

from datetime import date
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg.rows import namedtuple_row

from candlecast.server.consistency.check import SAMPLE_SIZE, choose_sample
from tests.support.deployment import MINUTE, NEWEST, create, forget_models, register

DAY = NEWEST.date()
#: 11:00 to 11:59 are predicted, which is the size of a sample.
FIRST = NEWEST - 59 * MINUTE
MIDDLE = FIRST + 30 * MINUTE
#: Minutes that run_inference() predicts; predict_range() predicts the others.
SERVED = 5
#: The active ensemble, calibrated.
ACTIVE = 2
COLUMNS = """symbol, ensemble_id, candle_time, target_time, horizon, reference_close, predicted_close, predicted_price,
mamba_close, lgbm_close, confidence, probability_up, lower_price, upper_price, abstained, out_of_distribution,
furthest_feature"""
CALIBRATED = ("probability_up", "lower_price", "upper_price", "out_of_distribution", "furthest_feature")
PREDICT = (
    f"insert into predictions ({COLUMNS}) select {COLUMNS} from predict_range(%s, %s, %s, %s) on conflict do nothing"
)


def predict(db, symbol="DEMO", start=FIRST, end=NEWEST + MINUTE, ensemble=None):
    db.execute(PREDICT, (symbol, start, end, ensemble))


@pytest.fixture(scope="module")
def session(make_shared_database, calibrated_template):
    url = make_shared_database(calibrated_template)
    with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as connection:
        for minute in range(SERVED):
            connection.execute("call run_inference(%s)", (FIRST + minute * MINUTE,))
        predict(connection)
        yield connection


@pytest.fixture
def db(session):
    """A transaction in a database with an hour of predictions, rolled back; rows have names."""
    with session.transaction(force_rollback=True):
        yield session


def check(db, day=DAY):
    return db.execute("select * from check_consistency(%s)", (day,)).fetchall()


def the_check(db):
    (row,) = check(db)
    assert (row.symbol, row.day, row.ensemble_id, row.tolerance) == ("DEMO", DAY, ACTIVE, 1e-5)
    return row


def change(db, assignments: str, at=MIDDLE, horizon: int | None = None) -> None:
    """Change stored predictions of a minute directly in the table."""
    db.execute(
        f"update predictions set {assignments} where candle_time = %s and (%s::int is null or horizon = %s)",
        (at, horizon, horizon),
    )


def correct(db, assignments: str, at=MIDDLE) -> None:
    """Correct a candle, as `candlecast repair` does."""
    assert db.execute(f"update candles_1m set {assignments} where open_time = %s", (at,)).rowcount == 1


HIGHER = "open = 1.001 * open, high = 1.001 * high, low = 1.001 * low, close = 1.001 * close"
CORRECTED = ": the candle at 2026-05-02 11:30:00+00 was corrected later, from close 58189.38 to 58247.56938"


def test_unchanged_predictions_have_no_mismatch(db):
    row = the_check(db)
    assert (row.sampled, row.mismatches, row.corrected) == (SAMPLE_SIZE, 0, 0)
    assert row.worst < 1e-6
    assert (row.example_time, row.cause, row.reason) == (None, None, None)


def test_the_other_runtime_has_no_mismatch(db):
    db.execute("update ml_settings set value = 'torchscript' where name = 'mamba_runtime'")
    row = the_check(db)
    assert (row.sampled, row.mismatches) == (SAMPLE_SIZE, 0)
    assert 0 < row.worst < 1e-5


def test_the_same_day_again_replaces_its_row(db):
    first = the_check(db)
    change(db, "predicted_price = upper_price")
    second = the_check(db)
    assert (first.mismatches, second.mismatches) == (0, 1)
    assert db.execute("select * from consistency_checks").fetchall() == [second]
    assert second.checked_at > first.checked_at


# Each change makes one row inconsistent with its model outputs.
@pytest.mark.parametrize(
    ("assignments", "named"),
    [
        ("predicted_price = upper_price", "predicted_price off by up to "),
        ("predicted_close = -predicted_close", "predicted_close off by up to "),
        ("lower_price = 0.999 * lower_price", "lower_price off by up to "),
        ("probability_up = 1 - probability_up", "probability_up off by up to "),
        ("probability_up = probability_up + 0.00002", "probability_up off by up to 2e-05"),
        ("predicted_close = 'NaN'", "predicted_close off by up to inf"),
        (
            f"{' = null, '.join(CALIBRATED)} = null, abstained = false",
            "lower_price, upper_price, probability_up off by up to inf",
        ),
        ("reference_close = 1.001 * reference_close", "reference_close off by up to "),
    ],
)
def test_a_changed_row_is_found_and_its_columns_are_named(db, assignments, named):
    change(db, assignments, horizon=3)
    row = the_check(db)
    assert (row.mismatches, row.corrected, row.cause, row.example_time) == (1, 0, "unclear", MIDDLE)
    assert row.reason.startswith(named)
    assert row.worst > row.tolerance


def test_a_deleted_row_is_found(db):
    db.execute("delete from predictions where symbol = 'DEMO' and candle_time = %s and horizon in (2, 5)", (MIDDLE,))
    row = the_check(db)
    assert (row.mismatches, row.corrected, row.cause, row.example_time) == (1, 0, "unclear", MIDDLE)
    assert row.reason == "the row of horizon 2, 5 is missing: all five are stored together"


def test_a_change_within_the_tolerance_is_no_mismatch(db):
    change(db, "probability_up = probability_up + 0.000005")
    assert the_check(db).mismatches == 0


def test_a_corrected_close_is_found_and_the_candle_is_named(db):
    correct(db, HIGHER)
    row = the_check(db)
    assert (row.cause, row.example_time) == ("candle", MIDDLE)
    assert row.mismatches == row.corrected
    assert 25 <= row.mismatches <= 30, "earlier minutes do not read it"
    assert row.reason.startswith("predicted_close, mamba_close, lgbm_close, reference_close, ")
    assert row.reason.endswith(CORRECTED)


def test_a_corrected_candle_of_an_earlier_minute_is_named(db):
    """Only another ensemble has predictions of the corrected minute."""
    db.execute("delete from predictions where candle_time <= %s and candle_time <> %s", (MIDDLE, MIDDLE))
    db.execute("update predictions set ensemble_id = 1 where candle_time = %s", (MIDDLE,))
    correct(db, HIGHER)
    first, second = check(db)
    assert (first.ensemble_id, second.ensemble_id) == (1, ACTIVE)
    assert (second.cause, second.example_time) == ("candle", MIDDLE + MINUTE)
    assert second.reason.endswith(CORRECTED)


def test_a_corrected_volume_has_an_unclear_cause(db):
    correct(db, "volume = 3 * volume, quote_asset_volume = 3 * quote_asset_volume")
    row = the_check(db)
    assert (row.cause, row.corrected, row.example_time) == ("unclear", 0, MIDDLE)
    assert 0 < row.mismatches <= 30


def test_with_unchanged_model_outputs_the_cause_is_unclear(db):
    """Another ensemble's predictions show a corrected candle. Of this ensemble one row is changed, one is missing."""
    predict(db, start=MIDDLE, end=MIDDLE + MINUTE, ensemble=1)
    db.execute("update predictions set reference_close = 2 * reference_close where ensemble_id = 1")
    change(db, "predicted_price = upper_price", MIDDLE + MINUTE)
    db.execute("delete from predictions where candle_time = %s and horizon = 1", (MIDDLE + 2 * MINUTE,))
    _, row = check(db)
    assert (row.ensemble_id, row.mismatches, row.corrected, row.cause) == (ACTIVE, 2, 0, "unclear")


def test_a_deleted_candle_is_named(db):
    db.execute("delete from candles_1m where open_time = %s", (MIDDLE,))
    row = the_check(db)
    assert (row.cause, row.mismatches, row.corrected, row.example_time) == ("candle", 30, 30, MIDDLE)
    assert row.reason.endswith("cannot be recomputed: there is no candle of DEMO at 2026-05-02 11:30:00+00")
    assert row.worst < 1e-6
    db.execute("delete from candles_1m")
    row = the_check(db)
    assert (row.cause, row.mismatches, row.corrected, row.worst) == ("candle", 60, 60, None)


@pytest.mark.parametrize("member", ["mamba_close", "lgbm_close"])
def test_changed_model_outputs_are_mismatches(db, member):
    db.execute(f"update predictions set {member} = {member} + 0.0001")
    row = the_check(db)
    assert (row.cause, row.mismatches, row.corrected, row.example_time) == ("unclear", SAMPLE_SIZE, 0, FIRST)
    assert row.reason.startswith(f"{member} off by up to ")


def test_the_example_is_one_with_an_unclear_cause(db):
    early = NEWEST.replace(hour=6, minute=0)
    predict(db, start=early, end=early + 5 * MINUTE)
    db.execute("delete from predictions where candle_time between %s and %s", (FIRST, FIRST + 9 * MINUTE))
    correct(db, HIGHER, early + 2 * MINUTE)
    assert (the_check(db).cause, the_check(db).example_time) == ("candle", early + 2 * MINUTE)
    change(db, "predicted_price = upper_price")
    row = the_check(db)
    assert (row.cause, row.example_time) == ("unclear", MIDDLE)
    assert row.corrected == row.mismatches - 1 > 0


def test_an_ensemble_that_does_not_load_has_a_reason(db):
    forget_models(db)
    db.execute("update model_artifacts set name = name || '.moved' where name like 'mamba.%'")
    row = the_check(db)
    assert (row.sampled, row.mismatches, row.corrected, row.worst, row.cause) == (0, None, None, None, None)
    assert row.reason.startswith("artifact mamba.onnx is damaged: the version has no such file. ")


def test_environment_models_cannot_be_checked(db):
    db.execute("update predictions set ensemble_id = null")
    (row,) = check(db)
    assert (row.ensemble_id, row.sampled, row.mismatches) == (None, 0, None)
    assert row.reason.startswith("models from the server's environment made the predictions")
    assert check(db)[0].checked_at > row.checked_at
    assert db.execute("select count(*) from consistency_checks").fetchone() == (1,)


def test_a_weight_from_the_setting_may_have_changed(db, artifacts):
    db.execute("delete from predictions")
    ensemble = create(db, artifacts, None)
    predict(db, ensemble=ensemble)
    db.execute("update ml_settings set value = '0.9' where name = 'mamba_weight'")
    (row,) = check(db)
    assert (row.ensemble_id, row.sampled, row.mismatches) == (ensemble, SAMPLE_SIZE, 0)
    change(db, "predicted_close = 1.5 * greatest(mamba_close, lgbm_close) + 0.001, predicted_price = 100")
    (row,) = check(db)
    assert (row.mismatches, row.cause, row.example_time) == (1, "unclear", MIDDLE)


def test_each_ensemble_and_each_symbol_has_its_own_check(db, artifacts):
    db.execute("""
    insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,
        taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)
    select 'OTHER', open_time, open, high, low, close, volume, quote_asset_volume,
        taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades from candles_1m
    """)
    ids = [register(db, Path(folder), symbol="OTHER", facts={"symbol": "OTHER"}) for folder in artifacts]
    (other,) = db.execute("select create_ensemble(%s, %s)", ids).fetchone()
    predict(db, "OTHER", MIDDLE, ensemble=other)
    predict(db, "DEMO", NEWEST - 9 * MINUTE, ensemble=1)
    db.execute("update predictions set predicted_price = 1.01 * predicted_price where symbol = 'OTHER' and horizon = 1")
    found = {(row.symbol, row.ensemble_id): (row.sampled, row.mismatches, row.cause) for row in check(db)}
    assert found == {
        ("DEMO", 1): (10, 0, None),
        ("DEMO", ACTIVE): (60, 0, None),
        ("OTHER", other): (30, 30, "unclear"),
    }


def test_metrics_of_checks_and_their_pruning(db):
    query = "select name, value from metrics() where name ~ '^ml_prediction_(mismatch|check)'"
    assert db.execute(query).fetchall() == []
    correct(db, HIGHER)
    change(db, "predicted_price = upper_price", FIRST)
    row = the_check(db)
    db.execute(
        "insert into consistency_checks (symbol, day, ensemble_id, sampled, tolerance, reason)"
        " values ('DEMO', %s, 1, 0, 1e-5, 'not loaded')",
        (DAY,),
    )
    found = dict(db.execute(query).fetchall())
    assert found.pop("ml_prediction_check_age_seconds") > 0
    assert found == {
        "ml_prediction_mismatches": 1,
        "ml_prediction_mismatches_corrected": row.mismatches - 1,
        "ml_prediction_checks_failed": 1,
    }
    db.execute("update ml_settings set value = '2 d' where name = 'keep_measurements'")
    assert db.execute("select prune_measurements()").fetchone() == (2,)


def test_a_day_without_predictions_has_no_check(db):
    notices = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    assert check(db, "2026-05-01") == []
    assert notices == ["there are no predictions from candles of 2026-05-01: nothing to check"]
    assert check(db, "2020-02-29") == []


def test_candlecast_cron_checks_yesterday_by_default(db):
    db.execute("set local session authorization candlecast_cron")
    assert check(db, None) == []
    db.execute("set local timezone = 'Pacific/Kiritimati'")
    assert the_check(db).mismatches == 0
    db.execute("set local datestyle = 'German'")
    assert db.execute("select sampled, mismatches from check_consistency(%s)", (DAY,)).fetchall() == [(SAMPLE_SIZE, 0)]


def test_a_sample_depends_only_on_the_day():
    times = [60.0 * minute for minute in range(1_440)]
    sample = choose_sample(times, DAY)
    assert len(set(sample.tolist())) == SAMPLE_SIZE
    assert set(sample.tolist()) <= set(times)
    assert (np.diff(sample) > 0).all()
    assert choose_sample(times[::-1], DAY).tolist() == sample.tolist()
    assert choose_sample(times, date(2026, 5, 3)).tolist() != sample.tolist()
    assert choose_sample(times[:7], DAY).tolist() == times[:7]
