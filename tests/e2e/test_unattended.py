"""What is left alone goes on: a server that was restored from a dump, and a standby that was promoted.

Last of all files (conftest.py): the full minute that both wait for is mostly over by then.
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
def test_its_jobs_bring_candles_and_predict_them(server, request, began):
    cluster = request.getfixturevalue(server)
    since = began[server]
    wait_for(cluster, FIVE, since, seconds=130)
    wait_for(cluster, f"select 1 from ({RUNS}) as runs where status = 'succeeded'", since, seconds=10)
    assert {username for username, _ in cluster.ask(RUNS, since)} == {"candlecast_cron"}
    assert cluster.ask("select error from inference_runs where status = 'failed' and started_at > %s", since) == []
