"""Functions and views work in queries with parallel plans."""

import psycopg
import pytest

from tests.support.deployment import NEWEST

CALLS = [
    "ml_setting('enabled')",
    "health()",
    "metrics()",
    "predict('DEMO')",
    "predict_range('DEMO', %(newest)s - interval '3 minutes', %(newest)s)",
    "preview_ab()",
    "out_of_sample_from((select min(id) from active_ensembles))",
    "features_between('DEMO', %(newest)s - interval '3 minutes', %(newest)s)",
    "candle_gaps('DEMO', %(newest)s - interval '3 minutes', %(newest)s)",
    "symbol_health",
    "accuracy_24h",
    "accuracy_hourly",
    "accuracy_by_coverage",
    "ab_status",
    "ensemble_leaderboard",
    "candle_status",
    "candle_symbols",
    "latest_predictions",
    "predicted_symbols",
]


@pytest.fixture(scope="module")
def forced(make_shared_database, calibrated_template):
    """A session that uses a parallel plan for every query that allows one."""
    with psycopg.connect(make_shared_database(calibrated_template), autocommit=True) as db:
        db.execute("call run_inference(%s)", (NEWEST,))
        setting = "debug_parallel_query" if db.info.server_version >= 160_000 else "force_parallel_mode"
        db.execute(f"set {setting} = on")
        yield db


@pytest.mark.parametrize("call", CALLS)
def test_a_call_runs_with_parallel_plans(forced, call):
    forced.execute(f"select count(*) from {call}", {"newest": NEWEST} if "%" in call else None).fetchone()


def test_the_session_uses_parallel_plans(forced):
    plan = [row[0] for row in forced.execute("explain select count(*) from candles_1m").fetchall()]
    assert any("Gather" in line for line in plan), plan
