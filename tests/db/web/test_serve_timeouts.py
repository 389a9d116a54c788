"""The log of the service: one line when a query times out, and one when it no longer does."""

import re
import time
from datetime import UTC, datetime

import psycopg

from tests.support.deployment import load_demo
from tests.support.serving import serving


def test_a_timeout_and_its_recovery_are_logged_once_each(database_url):
    with psycopg.connect(database_url, autocommit=True) as db:
        load_demo(db, datetime.now(UTC))
        with serving(database_url) as service:
            with db.transaction():
                db.execute("lock table inference_runs in access exclusive mode")
                for _ in range(3):
                    assert "the query timed out" in service.get("/health").text
                    time.sleep(1.1)  # until the cached response has expired
                assert "error" in service.get("/api/operations").json()["runs"]
            service.wait_for("/health", lambda answer: "no ensemble is active" in answer.text)
            service.wait_for("/api/operations", lambda answer: "rows" in answer.json()["runs"])
            status, log = service.end()
    queries = [f"/api/operations, {section} of DEMO" for section in ("recent", "runs", "trouble")]
    queries.append("select public.health() as health")
    expected = [f"candlecast serve: the query no longer times out: {name}" for name in queries]
    expected += [f"candlecast serve: the query timed out after N s: {name}" for name in queries]
    assert (status, sorted(re.sub(r"\d\.\d s", "N s", log).splitlines())) == (0, expected)
