"""A server restored from a dump and a promoted standby keep predicting unattended.

Runs last (conftest.py): by then most of the full minute that both tests wait for has passed.
"""

import pytest

from tests.support.clusters import wait_for

pytestmark = pytest.mark.cron
FIVE = (
    "select 1 from predictions where symbol = 'DEMO' and candle_time >= date_trunc('minute', %s::timestamptz)"
    " having count(*) >= 5"
)
RUNS = "select distinct username, status from cron.job_run_details where command ~ 'run_inference' and start_time > %s"


@pytest.mark.parametrize("server", ["restored", "promoted"])
def test_its_jobs_write_candles_and_predictions(server, request, began):
    cluster = request.getfixturevalue(server)
    since = began[server]
    wait_for(cluster, FIVE, since, seconds=130)
    wait_for(cluster, f"select 1 from ({RUNS}) as runs where status = 'succeeded'", since, seconds=10)
    assert {username for username, _ in cluster.ask(RUNS, since)} == {"candlecast_cron"}
    assert cluster.ask("select error from inference_runs where status = 'failed' and started_at > %s", since) == []
