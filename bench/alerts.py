"""How soon /health and the alerts say that something has stopped, and that it is over again.

    python -m bench alerts --stop 'pg_ctlcluster 15 x stop -m fast' --start 'pg_ctlcluster 15 x start'

Takes ten minutes. A real Prometheus with deploy/prometheus as it stands scrapes a real `candlecast serve`; the
database is one that `make up` made with generated candles (pg_cron's jobs candlecast-demo, candlecast-inference), and
nobody else uses it: inference, candles, the job of inference, PostgreSQL itself and pg_cron's scheduler are stopped in
turn. The scheduler is ended for good, while candles go on to come, and starts again with the server. Samples are
seconds from the stop until the alert fires, and from the start until none does.
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

_SERVE = "http://127.0.0.1:8080/health"  # as prometheus.yml has it
_PROMETHEUS = "127.0.0.1:9095"
_LIMIT = (Limit("max", 90.0),)
#: Seconds, until the next full minute and what comes after it.
_TIMEOUT = 200.0
_JOB = "select cron.alter_job(jobid, active := {}) from cron.job where jobname = '{}'"
_END = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'pg_cron launcher'"
_ENABLED = "update ml_settings set value = {} where name = 'enabled'"


def main(
    stop: Annotated[str, typer.Option(help="The command that stops PostgreSQL.")],
    start: Annotated[str, typer.Option(help="The command that starts it.")],
) -> list[Figure]:
    """Stop five things in turn, and measure what is said of it."""
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
            raise SystemExit(f"the database is not well to begin with: {_health()}, {sorted(_alerts())}")
        for what, name, begin, end in outages:
            alert = f"Candlecast{name}"
            begin()
            # Those of `make up` come by pg_cron; a feed's do not.
            with _candles(url) if what == "pg_cron ended" else nullcontext():
                told, said = _until(lambda alert=alert: alert in _alerts(), lambda: _health() != "ok")
            others = ", ".join(sorted(_alerts() - {alert})) or "no other"
            end()
            over, well = _until(lambda: _alerts() == set(), lambda: _health() == "ok")
            samples = {
                f"the alert fires ({alert}, {others})": told,
                "/health is not ok": said,
                "after its end no alert is left": over,
                "after its end /health is ok": well,
            }
            figures += [Figure(f"{what}: {when}", "s", [seconds], _LIMIT) for when, seconds in samples.items()]
    return figures


@contextmanager
def _running(url: str) -> Iterator[None]:
    """`candlecast serve` and Prometheus."""
    prometheus = shutil.which("prometheus")
    if not prometheus:
        raise typer.BadParameter("prometheus is not here: scripts/packages.sh --tests installs it")
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
    """Generated candles each second, meanwhile."""
    with subprocess.Popen(["psql", "-Xq", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as psql:
        psql.stdin.write(b"select generate_demo_candles() \\watch 1\n")
        psql.stdin.flush()
        try:
            yield
        finally:
            psql.terminate()


def _until(*conditions: Callable[[], bool]) -> list[float]:
    """Seconds until each has held, the others or not; infinite where one did not in time."""
    began, found = time.monotonic(), [float("inf")] * len(conditions)
    while max(found) == float("inf") and time.monotonic() - began < _TIMEOUT:
        for place, holds in enumerate(conditions):
            if found[place] == float("inf") and holds():
                found[place] = time.monotonic() - began
        time.sleep(0.2)
    return found


def _health() -> str:
    answer = _get(_SERVE)
    return json.loads(answer)["status"] if answer else "no answer"


def _alerts() -> set[str]:
    """The names of the alerts that fire."""
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
