"""How soon /health and the alerts report an outage, and how soon they report its end.

    python -m bench alerts --stop 'pg_ctlcluster 15 x stop -m fast' --start 'pg_ctlcluster 15 x start'

Takes ten minutes. A real Prometheus with deploy/prometheus scrapes a real `candlecast serve`. Use a database from
`make up` with synthetic candles (pg_cron's jobs candlecast-demo, candlecast-inference) that has no other users.
Inference, candles, the job of inference, PostgreSQL and pg_cron's scheduler are stopped one after the other. The
scheduler stays stopped until the server restarts, and candles continue to arrive. Samples are seconds from the stop
until the alert fires, and from the start until no alert fires.
"""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Annotated

import psycopg
import typer

from bench.figures import Figure, Limit
from bench.processes import CANDLECAST, ROOT
from candlecast.client.database import database_url

_SERVE = "http://127.0.0.1:8080/health"  # the address in prometheus.yml
_PROMETHEUS = "127.0.0.1:9095"
_LIMIT = (Limit("max", 90.0),)
#: Seconds. Long enough for the next full minute and the alert after it.
_TIMEOUT = 200.0
_JOB = "select cron.alter_job(jobid, active := {}) from cron.job where jobname = '{}'"
_END = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'pg_cron launcher'"
_ENABLED = "update ml_settings set value = {} where name = 'enabled'"


def main(
    stop: Annotated[str, typer.Option(help="The command that stops PostgreSQL.")],
    start: Annotated[str, typer.Option(help="The command that starts it.")],
) -> list[Figure]:
    """Stop five parts one after the other, and measure when it is reported."""
    url = database_url()

    def sql(query: str) -> Callable[[], None]:
        def work() -> None:
            with psycopg.connect(url, autocommit=True) as db:
                db.execute(query)

        return work

    def shell(command: str) -> Callable[[], object]:
        return lambda: subprocess.run(command, shell=True, check=True)  # noqa: S602 - the user's own command

    def switch(job: str) -> list[Callable[[], None]]:
        return [sql(_JOB.format(active, job)) for active in ("false", "true")]

    outages = [
        ("inference switched off", "InferenceOff", sql(_ENABLED.format("'false'")), sql(_ENABLED.format("null"))),
        ("candles stopped", "CandleLate", *switch("candlecast-demo")),
        ("the scheduler's job stopped", "RunLate", *switch("candlecast-inference")),
        ("PostgreSQL stopped", "DatabaseGone", shell(stop), shell(start)),
        ("pg_cron ended", "RunLate", sql(_END), shell(f"{stop} && {start}")),
    ]
    figures = []
    with _running(url):
        if _until(lambda: _health() == "ok" and not _alerts()) == [float("inf")]:
            raise SystemExit(f"the database is not healthy at the start: {_health()}, {sorted(_alerts())}")
        for what, name, begin, end in outages:
            alert = f"Candlecast{name}"
            begin()
            # Synthetic candles come from pg_cron, so they would stop with it. Those of a feed would not.
            with _candles(url) if what == "pg_cron ended" else nullcontext():
                fired, unhealthy = _until(lambda alert=alert: alert in _alerts(), lambda: _health() != "ok")
            others = ", ".join(sorted(_alerts() - {alert})) or "no other"
            end()
            resolved, healthy = _until(lambda: _alerts() == set(), lambda: _health() == "ok")
            samples = {
                f"the alert fires ({alert}, {others})": fired,
                "/health is not ok": unhealthy,
                "after its end no alert fires": resolved,
                "after its end /health is ok": healthy,
            }
            figures += [Figure(f"{what}: {when}", "s", [seconds], _LIMIT) for when, seconds in samples.items()]
    return figures


@contextmanager
def _running(url: str) -> Iterator[None]:
    """`candlecast serve` and Prometheus."""
    prometheus = shutil.which("prometheus")
    if not prometheus:
        raise typer.BadParameter("prometheus is not installed. Run scripts/packages.sh --tests")
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"--config.file={ROOT / 'deploy/prometheus/prometheus.yml'}", f"--storage.tsdb.path={folder}"]
        commands = [
            [*CANDLECAST, "serve", "--database-url", url],
            [prometheus, *settings, f"--web.listen-address={_PROMETHEUS}", "--log.level=error"],
        ]
        with subprocess.Popen(commands[0]) as service, subprocess.Popen(commands[1]) as scraper:
            try:
                yield
            finally:
                service.terminate()
                scraper.terminate()


@contextmanager
def _candles(url: str) -> Iterator[None]:
    """Generate candles every second while the context is open."""
    with subprocess.Popen(["psql", "-Xq", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as psql:
        psql.stdin.write(b"select generate_demo_candles() \\watch 1\n")
        psql.stdin.flush()
        try:
            yield
        finally:
            psql.terminate()


def _until(*conditions: Callable[[], bool]) -> list[float]:
    """Seconds until each condition was first true, independently of the others; infinite after the timeout."""
    began, found = time.monotonic(), [float("inf")] * len(conditions)
    while max(found) == float("inf") and time.monotonic() - began < _TIMEOUT:
        for place, is_true in enumerate(conditions):
            if found[place] == float("inf") and is_true():
                found[place] = time.monotonic() - began
        time.sleep(0.2)
    return found


def _health() -> str:
    answer = _get(_SERVE)
    return json.loads(answer)["status"] if answer else "no answer"


def _alerts() -> set[str]:
    """The names of the firing alerts."""
    answer = _get(f"http://{_PROMETHEUS}/api/v1/alerts")
    alerts = json.loads(answer)["data"]["alerts"] if answer else []
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def _get(url: str) -> str | None:
    with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - its own servers on loopback
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
    return None
