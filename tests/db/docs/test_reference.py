"""docs/reference/sql.md and metrics.md are current: generated from the catalog and from metrics()."""

import re
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.support.deployment import MINUTE, load_demo
from tests.support.golden_files import assert_golden
from tests.support.paths import ROOT
from tests.support.reference_sql import metrics_page, sql_page

#: Rows that make every metric appear: ten minutes old predictions, a feed, and measurements of yesterday.
EVERYTHING = """
insert into predictions (
    symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
    mamba_close, lgbm_close, confidence, created_at
)
select
    candle.symbol, ensemble.id, candle.open_time, candle.open_time + horizon * interval '1 minute', horizon, 0.001,
    candle.close, candle.close, 0, 0, 0.5, candle.open_time + interval '63 seconds'
from active_ensembles as ensemble
join candles_1m as candle on candle.symbol = ensemble.symbol, generate_series(1, 5) as horizon
where ensemble.is_active and candle.open_time between now() - interval '30 minutes' and now() - interval '10 minutes';
insert into feed_status (symbol, exchange, state, host, pid) values ('DEMO', 'binance', 'live', 'here', 1);
insert into feature_drift (symbol, day, ensemble_id, feature, rows, psi, ks, threshold, model_type, version)
select symbol, (now() at time zone 'UTC')::date - 1, id, 'close', 1440, 0.1, 0.1, 0.25, 'mamba', 'v'
from active_ensembles where is_active;
insert into consistency_checks (symbol, day, ensemble_id, sampled, mismatches, corrected, worst, tolerance)
select symbol, (now() at time zone 'UTC')::date - 1, id, 60, 0, 0, 0, 0.001 from active_ensembles where is_active;
"""


@pytest.fixture
def all_metrics(calibrated_url):
    """The rows of metrics() in a database in which each of them has one."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    with psycopg.connect(calibrated_url, autocommit=True, row_factory=dict_row) as db:
        db.execute("truncate candles_1m")
        with psycopg.connect(calibrated_url, autocommit=True) as plain:
            load_demo(plain, minute)
        db.execute("call run_inference(%s)", (minute - MINUTE,))
        db.execute(EVERYTHING)
        return db.execute("select * from metrics()").fetchall()


def test_the_page_of_the_catalog_is_current(db):
    assert_golden("docs/reference/sql.md", sql_page(db))


def test_the_page_of_the_metrics_is_current(all_metrics):
    assert_golden("docs/reference/metrics.md", metrics_page(all_metrics))


def test_the_metrics_of_the_test_are_complete(all_metrics):
    named = set()
    for path in (ROOT / "db/functions/monitoring").glob("*metrics_v*.sql"):
        named |= set(re.findall(r"'(ml_[a-z0-9_]+)'", path.read_text()))
    assert named == {row["name"] for row in all_metrics}
