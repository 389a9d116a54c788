"""docs/how-to/query.md: each query returns the documented columns, reads by an index, and works for a reader."""

import json
import math
import re
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from bench.dashboards import PAGE, parse_questions
from candlecast.trainer.evaluation.costs import follow_forecast
from tests.support.deployment import MINUTE, load_demo

QUESTIONS = parse_questions(PAGE.read_text(encoding="utf-8"))
#: Tables that grow without limit, with their time columns. No query may read one completely.
GROWING = {
    "predictions": ("candle_time", "target_time"),
    "candles_1m": ("open_time",),
    "inference_runs": ("started_at",),
    "predictions_hourly": ("hour",),
    "runs_hourly": ("hour",),
}
#: Every third minute of sixteen days, by both ensembles. The oldest half hour of runs fails.
FILL = """
insert into predictions (
    symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
    mamba_close, lgbm_close, confidence, probability_up, lower_price, upper_price, abstained, out_of_distribution,
    furthest_feature, created_at
)
select
    symbol, ensemble.id, open_time, open_time + horizon * interval '1 minute', horizon, guess, close * exp(guess),
    close, guess, guess, 1, 0.5 + 40 * guess, close * exp(guess - 0.0004), close * exp(guess + 0.0004), false,
    guess > 0.00099, case when guess > 0.00099 then 'volume' end, open_time + interval '62 s'
from candles_1m
inner join active_ensembles as ensemble using (symbol)
cross join generate_series(1, 5) as horizon
cross join lateral (
    values (0.001 * sin(extract(epoch from open_time)::float8 * horizon + ensemble.id))
) as guessed (guess)
where open_time > now() - interval '16 days' and extract(minute from open_time)::int % 3 = 0;
insert into inference_runs (
    symbol, ensemble_id, candle_time, status, started_at, load_ms, wait_ms, features_ms, models_ms, write_ms,
    latency_ms, error
)
select
    symbol, ensemble.id, open_time, case when fails then 'failed' else 'predicted' end, open_time + interval '1 minute',
    200, 2000, 3, 2, 1, 7, case when fails then 'DEMO has no candle' end
from candles_1m
inner join active_ensembles as ensemble using (symbol)
cross join lateral (values (open_time < now() - interval '23.5 hours')) as fate (fails)
where open_time > now() - interval '1 day';
insert into inference_runs (candle_time, status, started_at)
values (now() - interval '3 hours', 'disabled', now() - interval '3 hours');
delete from candles_1m where open_time between now() - interval '310 minutes' and now() - interval '300 minutes';
insert into training_runs (symbol, status, finished_at, host, pid, reason)
values ('DEMO', 'failed', now(), 'here', 1, 'for the test');
"""


@pytest.fixture(scope="module")
def filled(make_shared_database, calibrated_template):
    """Sixteen days of DEMO up to now, an active ensemble and one on test, failed runs, an A/B evaluation."""
    with psycopg.connect(make_shared_database(calibrated_template), autocommit=True) as db:
        db.execute("truncate candles_1m")
        load_demo(db, datetime.now(UTC).replace(second=0, microsecond=0), days=16)
        (again,) = db.execute(
            "select create_ensemble(mamba_version_id, lgbm_version_id, 0.25, true) from active_ensembles"
        ).fetchone()
        assert again
        db.execute("update active_ensembles set changed_at = now() - interval '15 days'")
        db.execute(FILL)
        db.execute("select from evaluate_ab()")
        db.execute("call aggregate_hours()")
        db.execute("vacuum analyze")
        db.execute("set session authorization candlecast_reader")
        db.execute("set timezone = 'UTC'")
        yield db


@pytest.fixture(scope="module")
def begun(make_shared_database, calibrated_template):
    """One minute of DEMO, predicted just now: no outcome is known."""
    with psycopg.connect(make_shared_database(calibrated_template), autocommit=True) as db:
        db.execute("truncate candles_1m")
        load_demo(db, datetime.now(UTC).replace(second=0, microsecond=0))
        db.execute("select predict_now('DEMO')")
        db.execute("set session authorization candlecast_reader")
        yield db


def of_demo(query: str) -> str:
    return query.replace("BTCUSDT", "DEMO")


def query_of(title: str) -> str:
    (found,) = [one.query for one in QUESTIONS if one.title == title]
    return of_demo(found)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.title)
def test_each_query_returns_the_documented_columns(filled, question):
    shown = [name.strip() for name in question.output.splitlines()[0].split("|")]
    cursor = filled.execute(of_demo(question.query))
    assert [column.name for column in cursor.description] == shown
    assert cursor.fetchone() is not None
    assert len(question.output.splitlines()) > 2, "the page shows no rows"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.title)
def test_each_query_works_from_the_first_minute_on(begun, question):
    """It returns no row or nulls, and does not divide by zero."""
    begun.execute(of_demo(question.query))


def nodes(plan):
    """Each node with its parent."""
    for child in plan.get("Plans", []):
        yield child, plan
        yield from nodes(child)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.title)
def test_each_query_reads_growing_tables_by_time(filled, question):
    with filled.transaction():
        for shortcut in (
            "seqscan",
            "bitmapscan",
            "hashjoin",
            "mergejoin",
        ):  # otherwise small tables are read completely
            filled.execute(f"set local enable_{shortcut} = off")
        (explained,) = filled.execute("explain (format json) " + of_demo(question.query)).fetchone()
    scans = 0
    for node, parent in nodes({"Plans": [explained[0]["Plan"]]}):
        times = GROWING.get(node.get("Relation Name", ""))
        if times is None or parent["Node Type"] == "Limit":  # the first or last row, by an index
            continue
        scans += 1
        # keep_runs limits inference_runs, so the planner may read the symbol's rows and filter them by time.
        places = ("Index Cond", "Filter") if node["Relation Name"] == "inference_runs" else ("Index Cond",)
        found = " ".join(node.get(place, "") for place in places)
        assert any(time in found for time in times), json.dumps(node, indent=1)
    reads_directly = any(
        re.search(rf"\b(from|join) ({name}|prediction_outcomes)\b", question.query) for name in GROWING
    )
    assert scans or not reads_directly


def test_each_query_filters_by_time_and_each_view_exists(filled):
    text = PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"^\| `(\w+)", text, flags=re.MULTILINE):
        exists = "select to_regclass(%(name)s) is not null or exists (select from pg_proc where proname = %(name)s)"
        assert filled.execute(exists, {"name": name}).fetchone()[0], name
    for one in QUESTIONS:
        built_in = re.search(r"from (health|accuracy_24h|ab_status|predicted_symbols)\b", one.query)
        assert built_in or "now() - interval '" in one.query, one.title


def test_earnings_equal_the_evaluation(filled):
    """For horizon 1, as if the rows of the test were consecutive minutes."""
    query = query_of("Earnings after costs")
    found = {row[0]: row[1:] for row in filled.execute(query).fetchall()}
    rows = filled.execute("""
        select sign(predicted_close)::int, actual_return from prediction_outcomes
        where symbol = 'DEMO' and candle_time >= now() - interval '7 days' and horizon = 1 and actual_return is not null
            and ensemble_id = (select id from active_ensembles where is_active)
        order by candle_time
    """).fetchall()
    signs, returns = (np.array(values, float) for values in zip(*rows, strict=True))
    followed = follow_forecast(60 * np.arange(len(rows)), signs, np.column_stack([returns] * 5), 1)
    turnover = followed.turnover.sum() - 1  # the last position is not closed
    minutes, sides, free, one, ten, breaks_even = map(float, found["every sign"])
    assert (minutes, sides) == (len(rows), turnover)
    for percent, cost in ((free, 0), (one, 1e-4), (ten, 1e-3)):
        assert percent == pytest.approx(100 * math.expm1(followed.gross.sum() - cost * turnover), abs=0.0051)
    assert breaks_even == pytest.approx(1e4 * followed.gross.sum() / turnover, abs=0.00051)
    minutes, sides, *_ = map(float, found["most confident tenth"])
    assert 0 < minutes < 0.3 * len(rows)
    assert sides <= 2 * minutes
    assert found["always long"][1] == 1


def test_the_calibration_table_counts_every_minute_that_moved(filled):
    rows = filled.execute(query_of("Calibration of probability_up")).fetchall()
    (moved,) = filled.execute("""
        select count(*) from prediction_outcomes where symbol = 'DEMO' and horizon = 1 and direction_hit is not null
            and candle_time >= now() - interval '7 days'
            and ensemble_id = (select id from active_ensembles where is_active)
    """).fetchone()
    assert sum(row[1] for row in rows) == moved
    for first, _, mean, _, _ in rows:
        assert 100 * first <= mean <= 100 * first + 2


def test_consecutive_failed_minutes_are_one_row(filled):
    rows = filled.execute(query_of("Failed minutes")).fetchall()
    assert [row[3] for row in rows] == ["disabled", "failed"]
    first, last, minutes, _, error = rows[1]
    assert (last - first) / MINUTE + 1 == minutes == pytest.approx(29, abs=2)
    assert error == "DEMO has no candle"
    (first, last, missing), *rest = filled.execute(query_of("Failed minutes (2)")).fetchall()
    assert missing == (last - first) / MINUTE + 1 == 10
    assert all(first > datetime.now(UTC) - 30 * MINUTE for first, *_ in rest), "minutes since the table was filled"
