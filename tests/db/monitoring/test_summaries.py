"""Hourly sums compared with an independent calculation, before and after pruning."""

import math
from datetime import UTC, datetime

import pandas as pd
import psycopg
import pytest

from candlecast.candles.upsert import COLUMNS
from tests.support.deployment import MINUTE, load_demo


def minutes_ago(minutes):
    return datetime.now(UTC).replace(second=0, microsecond=0) - minutes * MINUTE


@pytest.fixture
def predicted(calibrated):
    """Eight days of DEMO up to now; the active ensemble predicted every tenth minute of the last five days."""
    calibrated.execute("truncate candles_1m")
    load_demo(calibrated, minutes_ago(0), days=8)
    calibrated.execute("""
        insert into predictions (
            symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
            mamba_close, lgbm_close, confidence, probability_up, lower_price, upper_price, abstained,
            out_of_distribution
        )
        select
            symbol, (select id from active_ensembles where is_active), open_time,
            open_time + horizon * interval '1 minute', horizon, guess, close * exp(guess), close, guess, guess, 1,
            0.5 + 100 * guess, close * exp(guess - 0.0004), close * exp(guess + 0.0004), abs(guess) < 0.0003, false
        from candles_1m
        cross join generate_series(1, 5) as horizon
        cross join lateral (values (0.001 * sin(extract(epoch from open_time) * horizon)::float8)) as guessed (guess)
        where open_time > now() - interval '5 days' and extract(minute from open_time)::int % 10 = 3
    """)
    calibrated.execute("update candles_1m set close = open where extract(minute from open_time)::int % 20 = 4")
    return calibrated


def hourly(db):
    rows = db.execute("select * from accuracy_hourly order by symbol, ensemble_id, horizon, hour").fetchall()
    return pd.DataFrame(rows).set_index(["horizon", "hour"])


def expected(db):
    """The hourly sums in pandas, from predictions and candles."""
    made = pd.DataFrame(db.execute("select * from predictions").fetchall())
    closes = dict(db.execute("select open_time, close from candles_1m").fetchall())
    made["actual"] = [closes.get(time, math.nan) for time in made.target_time]
    made["actual_return"] = (made.actual / made.reference_close).map(math.log)
    known = made[made.actual_return.notna()].copy()
    known["moved"] = known.actual_return != 0
    known["hit"] = known.moved & ((known.actual_return > 0) == (known.predicted_close > 0))
    known["rose"] = known.actual_return > 0
    known["inside"] = (known.actual >= known.lower_price) & (known.actual <= known.upper_price)
    known["miss"] = (known.predicted_close - known.actual_return) ** 2
    known["brier"] = (known.probability_up - known.rose) ** 2 * known.moved
    known["hour"] = known.candle_time.dt.floor("h")
    made["hour"] = made.candle_time.dt.floor("h")
    sums = known.groupby(["horizon", "hour"])[["moved", "hit", "rose", "inside", "miss", "brier"]].sum()
    sums["outcomes"] = known.groupby(["horizon", "hour"]).size()
    sums = sums.reindex(
        made.groupby(["horizon", "hour"]).size().index, fill_value=0
    )  # also hours without an outcome yet
    sums["predictions"] = made.groupby(["horizon", "hour"]).size()
    sums["abstained"] = made.groupby(["horizon", "hour"]).abstained.sum()
    return sums


def check(db):
    found, wanted = hourly(db), expected(db)
    assert list(found.index) == list(wanted.index)
    for column, other in (
        ("predictions", "predictions"), ("outcomes", "outcomes"), ("moved", "moved"), ("rose", "rose"), ("hits", "hit"),
        ("abstained", "abstained"), ("interval_rows", "outcomes"), ("interval_hits", "inside"),
    ):  # fmt: skip
        assert (found[column] == wanted[other]).all(), column
    moved = wanted.moved > 0
    assert found.accuracy[moved].to_numpy() == pytest.approx((wanted.hit / wanted.moved)[moved].to_numpy(), rel=1e-12)
    assert found.brier[moved].astype(float).to_numpy() == pytest.approx((wanted.brier / wanted.moved)[moved].to_numpy())
    known = wanted.outcomes > 0
    error = (wanted.miss / wanted.outcomes) ** 0.5
    assert found.rmse[known].astype(float).to_numpy() == pytest.approx(error[known].to_numpy(), rel=1e-9)
    assert found.moved.sum() < found.outcomes.sum()


def test_hours_equal_pandas_before_and_after_aggregation(predicted):
    check(predicted)
    assert predicted.execute("select count(*) from predictions_hourly").fetchone() == (0,)
    for _ in range(2):
        predicted.execute("call aggregate_hours()")
        hours, newest = predicted.execute("select count(*), max(hour) from predictions_hourly").fetchone()
        assert hours > 5 * 24 * 4
        assert newest < minutes_ago(60)
        check(predicted)
    total = "select value from metrics() where name = 'ml_predictions_total' and labels ->> 'horizon' = '1'"
    assert (
        predicted.execute(total).fetchone()[0]
        == predicted.execute("select count(*) from predictions where horizon = 1").fetchone()[0]
    )


def test_a_late_outcome_counts_after_a_new_aggregation(predicted):
    predicted.execute("create temp table late as select * from candles_1m where open_time < now() - interval '2 days'")
    predicted.execute("delete from candles_1m where open_time < now() - interval '2 days'")
    predicted.execute("call aggregate_hours()")
    few = predicted.execute("select sum(outcomes) from predictions_hourly").fetchone()[0]
    columns = ", ".join(COLUMNS)
    predicted.execute(f"insert into candles_1m ({columns}) select {columns} from late")
    predicted.execute("call aggregate_hours()")
    assert predicted.execute("select sum(outcomes) from predictions_hourly").fetchone()[0] == few
    predicted.execute("call aggregate_hours(now() - interval '6 days')")
    check(predicted)


def test_pruned_rows_stay_in_the_sums_and_counters(predicted):
    counters = "select name, labels, value from metrics() where type = 'counter' order by 1, 2"
    predicted.execute("call aggregate_hours()")
    before, figures = predicted.execute(counters).fetchall(), hourly(predicted)
    predicted.execute("update ml_settings set value = '2 d' where name = 'keep_predictions'")
    predicted.execute("call prune_history(100)")
    oldest, rows = predicted.execute("select min(candle_time), count(*) from predictions").fetchone()
    assert minutes_ago(2 * 1440 + 61) <= oldest <= minutes_ago(2 * 1440 - 61)
    assert 0 < rows < len(figures) * 6
    for _ in range(2):
        assert predicted.execute(counters).fetchall() == before
        pd.testing.assert_frame_equal(hourly(predicted), figures)
        predicted.execute("call aggregate_hours(now() - interval '6 days')")


def test_pruning_keeps_rows_that_are_not_aggregated(predicted):
    count = "select count(*) from predictions"
    rows = predicted.execute(count).fetchone()
    predicted.execute("update ml_settings set value = '1 d' where name = 'keep_predictions'")
    predicted.execute("call prune_history()")
    assert predicted.execute(count).fetchone() == rows
    predicted.execute("update ml_settings set value = 'none' where name in ('keep_predictions', 'keep_runs')")
    predicted.execute("call aggregate_hours()")
    predicted.execute("call prune_history()")
    assert predicted.execute(count).fetchone() == rows


def test_the_latency_histogram_counts_every_run(live):
    ensemble, milliseconds = live.execute("select id from active_ensembles").fetchone()[0], [3, 5, 7, 30, 700, 9000]
    for at in ("now() - interval '3 hours'", "now()"):
        for latency in milliseconds:
            live.execute(
                "insert into inference_runs (symbol, ensemble_id, candle_time, status, latency_ms, started_at)"
                f" values ('DEMO', %s, now(), 'predicted', %s, {at})",
                (ensemble, latency),
            )
    query = "select labels ->> 'le', value from metrics() where name = 'ml_inference_latency_ms_bucket'"
    for _ in range(2):
        assert dict(live.execute(query).fetchall()) == {
            "5": 4, "10": 6, "25": 6, "50": 8, "100": 8, "250": 8, "500": 8, "1000": 10, "5000": 10, "+Inf": 12,
        }  # fmt: skip
        rest = "select value from metrics() where name = %s"
        assert live.execute(rest, ("ml_inference_latency_ms_sum",)).fetchone()[0] == 2 * sum(milliseconds)
        assert live.execute(rest, ("ml_inference_latency_ms_count",)).fetchone()[0] == 12
        live.execute("call aggregate_hours()")


@pytest.mark.parametrize("role", ["candlecast_reader", "candlecast_feeder", "candlecast_trainer"])
def test_other_roles_cannot_prune_or_aggregate(db, role):
    db.execute(f"set session authorization {role}")
    for call in ("call prune_history()", "call aggregate_hours()"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(call)
