"""predict_now(), predict(), predict_range(): their results and errors."""

from math import exp, isclose

import psycopg
import pytest

from tests.support.deployment import MINUTE, NEWEST, create, deploy, forget_models, in_backend, load_demo

COLUMNS = (
    "symbol", "candle_time", "target_time", "horizon", "reference_close", "predicted_close", "predicted_price",
    "mamba_close", "lgbm_close", "confidence", "ensemble_id", "probability_up", "lower_price", "upper_price",
    "abstained", "out_of_distribution", "furthest_feature",
)  # fmt: skip


def scaled(db, row):
    """The returns of a forecast row as scaled returns: predicted, mamba, lgbm."""
    volatility = db.execute(
        "select volatility_30m from features_between(%s, %s, %s)",
        (row.symbol, row.candle_time, row.candle_time + MINUTE),
    ).fetchone()[0]
    unit = max(volatility, 1e-6) * row.horizon**0.5
    return tuple(value / unit for value in (row.predicted_close, row.mamba_close, row.lgbm_close))


def test_predict_now_returns_the_documented_columns(live):
    rows = live.execute("select * from predict_now('DEMO')").fetchall()
    assert rows[0]._fields == COLUMNS
    assert [row.horizon for row in rows] == [1, 2, 3, 4, 5]
    close = live.execute("select close from candles_1m where open_time = %s", (NEWEST,)).fetchone()[0]
    for row in rows:
        assert (row.symbol, row.candle_time, row.reference_close) == ("DEMO", NEWEST, close)
        assert row.target_time == NEWEST + row.horizon * MINUTE
        assert isclose(row.predicted_close, 0.5 * row.mamba_close + 0.5 * row.lgbm_close, rel_tol=1e-12)
        assert isclose(row.predicted_price, close * exp(row.predicted_close), rel_tol=1e-12)
        m, g = row.mamba_close, row.lgbm_close
        assert isclose(row.confidence, 1 - abs(m - g) / (abs(m) + abs(g)), abs_tol=1e-12)
        assert row.mamba_close != row.lgbm_close


def test_the_same_candle_again_returns_the_stored_rows(live):
    first = live.execute("select * from predict_now('DEMO')").fetchall()
    live.execute("update predictions set confidence = 0.125")
    again = live.execute("select * from predict_now('DEMO')").fetchall()
    assert [row.confidence for row in again] == [0.125] * 5
    assert [row._replace(confidence=0) for row in again] == [row._replace(confidence=0) for row in first]
    assert live.execute("select count(*) from predictions").fetchone()[0] == 5


def test_a_new_candle_gets_new_rows(live):
    live.execute("select predict_now('DEMO')")
    load_demo(live, NEWEST + 2 * MINUTE)
    rows = live.execute("select * from predict_now('DEMO')").fetchall()
    assert {row.candle_time for row in rows} == {NEWEST + MINUTE}
    assert live.execute("select count(*) from predictions").fetchone()[0] == 10


def test_predict_is_repeatable_and_writes_nothing(live):
    now = live.execute("select * from predict_now('DEMO')").fetchall()
    forget_models(live)
    with live.transaction():
        live.execute("set transaction read only")
        assert live.execute("select * from predict('DEMO')").fetchall() == now
        at = live.execute("select * from predict('DEMO', %s)", (NEWEST - 7 * MINUTE,)).fetchall()
    assert {row.candle_time for row in at} == {NEWEST - 7 * MINUTE}
    assert live.execute("select count(*) from predictions").fetchone()[0] == 5


def test_a_range_equals_its_single_minutes(live):
    start = NEWEST - 40 * MINUTE
    by_range = live.execute("select * from predict_range('DEMO', %s, %s)", (start, NEWEST + MINUTE)).fetchall()
    assert len(by_range) == 41 * 5
    one_by_one = []
    for minute in range(41):
        one_by_one += live.execute("select * from predict('DEMO', %s)", (start + minute * MINUTE,)).fetchall()
    for left, right in zip(by_range, one_by_one, strict=True):
        assert left[:5] == right[:5]
        assert scaled(live, left) == pytest.approx(scaled(live, right), abs=1e-5)


def test_a_range_across_batches_has_every_minute_once(live):
    rows = live.execute("select candle_time, horizon from predict_range('DEMO', '-infinity', 'infinity')").fetchall()
    first = live.execute("select min(open_time) from candles_1m").fetchone()[0]
    expected = {first + (208 + i) * MINUTE for i in range(1440 - 208)}
    assert {row.candle_time for row in rows} == expected
    assert len(rows) == 5 * len(expected)
    unbounded = live.execute("select candle_time, horizon from predict_range('DEMO', null, null)").fetchall()
    assert unbounded == rows


@pytest.mark.parametrize(
    "bounds", ["'-infinity', '-infinity'", "'infinity', '-infinity'", "'infinity', now()", "now(), now()"]
)
def test_an_empty_range_gives_no_rows(warm, bounds):
    assert warm.execute(f"select * from predict_range('DEMO', {bounds})").fetchall() == []


def test_a_candle_in_the_future_is_ignored_and_deletable(live, live_url, connect_as):
    copied = (
        "open, high, low, close, volume, quote_asset_volume, number_of_trades,"
        " taker_buy_base_asset_volume, taker_buy_quote_asset_volume"
    )
    for future in ("1 day", "70 years"):
        connect_as("candlecast_feeder", live_url).execute(
            f"insert into candles_1m (symbol, open_time, {copied})"
            f" select symbol, date_trunc('minute', now()) + interval '{future}', {copied}"
            " from candles_1m where open_time = %s",
            (NEWEST,),
        )
    assert {row.candle_time for row in live.execute("select * from predict_now('DEMO')")} == {NEWEST}
    assert len(live.execute("select * from predict_range('DEMO', %s, null)", (NEWEST,)).fetchall()) == 5
    load_demo(live, NEWEST + 2 * MINUTE)
    assert {row.candle_time for row in live.execute("select * from predict_now('DEMO')")} == {NEWEST + MINUTE}
    operator = connect_as("candlecast_operator", live_url)
    assert operator.execute("delete from candles_1m where open_time > now()").rowcount == 2


def test_session_settings_do_not_change_results(live):
    expected = live.execute("select * from predict('DEMO', %s)", (NEWEST - 9 * MINUTE,)).fetchall()
    live.execute("set timezone = 'Asia/Kolkata'")
    live.execute("set datestyle = 'German'")
    live.execute("set search_path = pg_temp")
    at = "timestamptz 'epoch' + interval '1 second' * " + str(int((NEWEST - 9 * MINUTE).timestamp()))
    rows = live.execute(
        "select extract(epoch from candle_time)::int as at, extract(epoch from target_time)::int as target,"
        f" predicted_close from public.predict('DEMO', {at}) order by horizon"
    ).fetchall()
    assert [(row.at, row.target, row.predicted_close) for row in rows] == [
        (int(row.candle_time.timestamp()), int(row.target_time.timestamp()), row.predicted_close) for row in expected
    ]


def test_a_gap_raises_gap_in_candles_with_its_first_minute(live):
    gap = NEWEST - 300 * MINUTE
    live.execute("delete from candles_1m where open_time in (%s, %s)", (gap, gap + 3 * MINUTE))
    with pytest.raises(psycopg.Error) as error:
        live.execute("select predict('DEMO', %s)", (NEWEST - 100 * MINUTE,))
    assert error.value.sqlstate == "CC003"
    assert "2026-05-02 06:59:00+00" in error.value.diag.message_primary
    assert "candlecast load" in error.value.diag.message_hint
    rows = live.execute(
        "select distinct candle_time from predict_range('DEMO', %s, %s)", (gap - 2 * MINUTE, NEWEST + MINUTE)
    ).fetchall()
    whole = {gap - 2 * MINUTE, gap - MINUTE} | {gap + (3 + 209 + i) * MINUTE for i in range(300 - 211)}
    assert {row.candle_time for row in rows} == whole


@pytest.mark.parametrize(
    ("prepare", "call", "sqlstate", "message"),
    [
        ("", "predict_now('NOSUCH')", "CC001", "there are no candles of NOSUCH"),
        ("", "predict_range('NOSUCH', '-infinity', 'infinity')", "CC001", "there are no candles of NOSUCH"),
        ("", "predict('DEMO', '2026-05-02 12:00+00')", "CC002", "no candle of DEMO at 2026-05-02 12:00:00+00"),
        ("", "predict('DEMO', '2026-05-02 11:58:30+00')", "CC002", "2026-05-02 11:58:30+00"),
        ("", "predict('DEMO', '2026-05-01 12:00+00')", "CC003", "no candle at 2026-05-01 08:32:00+00"),
        ("", "predict('DEMO', '4713-01-01 BC')", "CC002", "4713-01-01"),
        ("", "predict('DEMO', 'infinity')", "CC002", "infinity"),
        ("", "predict('DEMO', '294276-12-31')", "CC017", "294276-12-31"),
        ("", "predict('DEMO', null, 77)", "CC006", "no ensemble 77 for DEMO"),
        (
            ("insert into candles_1m select 'OTHER', open_time, open, high, low, close, volume, quote_asset_volume,"
            " taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades from candles_1m"),
            "predict_now('OTHER')", "CC005", "no ensemble is active for OTHER",
        ),
        ("update ml_settings set value = '10 min' where name = 'max_candle_age'", "predict_now('DEMO')", "CC004",
         "old; max_candle_age allows 10 min"),
        ("update ml_settings set value = 'false' where name = 'enabled'", "predict_now('DEMO')", "CC011",
         "inference is disabled"),
        ("update ml_settings set value = 'false' where name = 'enabled'", "predict('DEMO')", "CC011",
         "inference is disabled"),
    ],
)  # fmt: skip
def test_errors_have_a_sqlstate_a_message_and_a_hint(warm, prepare, call, sqlstate, message):
    if prepare:
        warm.execute(prepare)
    with pytest.raises(psycopg.Error) as error, warm.transaction():
        warm.execute(f"select * from {call}").fetchall()
    assert error.value.sqlstate == sqlstate
    assert message in error.value.diag.message_primary
    assert error.value.diag.message_hint
    assert warm.execute("select count(*) from predictions").fetchone()[0] == 0


def test_two_sessions_predict_the_same_candle_once(live, live_url):
    with psycopg.connect(live_url) as other:
        first = other.execute("select * from predict_now('DEMO')").fetchall()
        live.execute("set lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            live.execute("select * from predict_now('DEMO')")
        other.commit()
        assert [tuple(row) for row in live.execute("select * from predict_now('DEMO')")] == first
    assert live.execute("select count(*) from predictions").fetchone()[0] == 5


def test_the_weight_of_the_row_overrides_the_setting(live, artifacts):
    null_weight = create(live, artifacts, None)
    live.execute("update ml_settings set value = '1' where name = 'mamba_weight'")
    for row in live.execute("select * from predict('DEMO', null, %s)", (null_weight,)).fetchall():
        assert row.predicted_close == row.mamba_close
    for row in live.execute("select * from predict('DEMO')").fetchall():
        assert isclose(row.predicted_close, (row.mamba_close + row.lgbm_close) / 2, rel_tol=1e-12)


def test_outcomes_appear_with_their_target_candles(live):
    live.execute("select predict_now('DEMO')")
    empty = live.execute("select * from prediction_outcomes").fetchall()
    assert [row.actual_price for row in empty] == [None] * 5
    load_demo(live, NEWEST + 3 * MINUTE)
    rows = live.execute("select * from prediction_outcomes order by horizon").fetchall()
    assert [row.actual_price is not None for row in rows] == [True, True, False, False, False]
    for row in rows[:2]:
        assert isclose(row.reference_close * exp(row.actual_return), row.actual_price, rel_tol=1e-12)
        if row.actual_return:
            assert row.direction_hit == ((row.predicted_close > 0) == (row.actual_return > 0))
    latest = live.execute("select * from latest_predictions").fetchall()
    assert {row.candle_time for row in latest} == {NEWEST}
    assert len(latest) == 5


def test_environment_paths_are_used_without_active_ensemble(db, artifacts, copies):
    mamba, lgbm = copies
    load_demo(db)
    deploy(db, artifacts)
    expected = db.execute("select predicted_close from predict('DEMO')").fetchall()
    db.execute("update active_ensembles set is_active = false")
    in_backend(
        db,
        f"""
import os
os.environ["ML_MAMBA_MODEL_PATH"] = {str(mamba / "mamba.onnx")!r}
os.environ["ML_LGBM_MODELS_DIR"] = {str(lgbm)!r}
""",
    )
    with pytest.raises(psycopg.Error) as error:
        db.execute("select predict_now('DEMO')")
    assert error.value.sqlstate == "CC013"
    in_backend(db, f'import os; os.environ["ML_NORM_PARAMS_PATH"] = {str(mamba / "normalization_params_v1.json")!r}')
    rows = db.execute("select predicted_close, ensemble_id from predict_now('DEMO')").fetchall()
    assert [row[1] for row in rows] == [None] * 5
    assert [row[:1] for row in rows] == expected
    assert db.execute("select predicted_close from predict_now('DEMO')").fetchall() == expected
    assert db.execute("select count(*) from predictions where ensemble_id is null").fetchone()[0] == 5


def test_a_canceled_range_ends_immediately(live):
    live.execute("set statement_timeout = '150ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        live.execute("select count(*) from generate_series(1, 200), predict_range('DEMO', '-infinity', 'infinity')")
    live.execute("reset statement_timeout")
    assert len(live.execute("select * from predict('DEMO')").fetchall()) == 5
