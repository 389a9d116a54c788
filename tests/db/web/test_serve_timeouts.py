"""What the service's log says of a query that times out: that it does and that it no longer does, once each."""

import re
import time
from datetime import UTC, datetime

import psycopg

from tests.support.deployment import load_demo
from tests.support.serving import serving


def test_a_query_timeout_is_logged_once_and_so_is_recovery(database_url):
    with psycopg.connect(database_url, autocommit=True) as db:
        load_demo(db, datetime.now(UTC))
        with serving(database_url) as service:
            with db.transaction():
                db.execute("lock table inference_runs in access exclusive mode")
                for _ in range(3):
                    assert "takes too long" in service.get("/health").text
                    time.sleep(1.1)  # what is cached is told a second long
                assert "error" in service.get("/api/operations").json()["runs"]
            service.wait_for("/health", lambda answer: "no ensemble is active" in answer.text)
            service.wait_for("/api/operations", lambda answer: "rows" in answer.json()["runs"])
            status, log = service.end()
    waited = [f"/api/operations, {section} of DEMO" for section in ("recent", "runs", "trouble")]
    waited.append("select public.health() as health")
    told = [f"candlecast serve: the query is answered in time again: {name}" for name in waited]
    told += [f"candlecast serve: the query timed out after N s: {name}" for name in waited]
    assert (status, sorted(re.sub(r"\d\.\d s", "N s", log).splitlines())) == (0, told)
