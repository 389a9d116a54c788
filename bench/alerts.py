"""How soon /health and the alerts say that something has stopped, and that it is over again.

    python -m bench.alerts --stop 'pg_ctlcluster 15 x stop -m fast' --start 'pg_ctlcluster 15 x start'

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
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from bench.programs import CANDLECAST
from bench.report import DatabaseUrl, Figure, JsonFile, Limit, tell
from candlecast.client.database import database_url as url_of

_ETC = Path(__file__).resolve().parents[1] / "deploy" / "prometheus"
_SERVE = "127.0.0.1:8080"  # as prometheus.yml has it
_PROMETHEUS = "127.0.0.1:9095"
_LIMIT = (Limit("max", 90.0),)
#: Until the next full minute, and what comes after it.
_PATIENCE = 200.0
_JOB = "select cron.alter_job(jobid, active := %s) from cron.job where jobname = %s"
_END = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'pg_cron launcher'"
_ENABLED = "update ml_settings set value = %s where name = 'enabled'"


def main(
    stop: Annotated[str, typer.Option(help="The command that stops PostgreSQL.")],
    start: Annotated[str, typer.Option(help="The command that starts it.")],
    database_url: DatabaseUrl = None,
    json_file: JsonFile = None,
) -> None:
    """Stop five things in turn, and measure what is said of it."""
    url = url_of(database_url)

    def execute(query: str, *values: object) -> None:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(query, values)

    def run(command: str) -> None:
        subprocess.run(command, shell=True, check=True)  # noqa: S602 - the user's own command

    outages: list[tuple[str, str, Callable[[], object], Callable[[], object]]] = [
        (
            "inference switched off",
            "CandlecastInferenceOff",
            lambda: execute(_ENABLED, "false"),
            lambda: execute(_ENABLED, None),
        ),
        (
            "candles stopped",
            "CandlecastCandleLate",
            lambda: execute(_JOB, False, "candlecast-demo"),
            lambda: execute(_JOB, True, "candlecast-demo"),
        ),
        (
            "the scheduler's job stopped",
            "CandlecastRunLate",
            lambda: execute(_JOB, False, "candlecast-inference"),
            lambda: execute(_JOB, True, "candlecast-inference"),
        ),
        ("PostgreSQL stopped", "CandlecastDatabaseGone", lambda: run(stop), lambda: run(start)),
        ("pg_cron ended", "CandlecastRunLate", lambda: execute(_END), lambda: (run(stop), run(start))),
    ]
    figures = []
    with _running(url):
        _seconds_until(lambda: _health() == "ok" and _alerts() == set())
        for what, alert, begin, end in outages:
            begin()
            # Those of `make up` come by pg_cron; a feed's do not.
            with _candles(url) if what == "pg_cron ended" else nullcontext():
                told, said = _both(lambda alert=alert: alert in _alerts(), lambda: _health() != "ok")
            others = _alerts() - {alert}
            end()
            over, well = _both(lambda: _alerts() == set(), lambda: _health() == "ok")
            note = f"{alert} alone" if not others else f"{alert}, and {', '.join(sorted(others))}"
            figures += [
                Figure(f"{what}: the alert fires", "s", [told], _LIMIT, note=note),
                Figure(f"{what}: /health is not ok", "s", [said], _LIMIT),
                Figure(f"{what}: after its end no alert is left", "s", [over], _LIMIT),
                Figure(f"{what}: after its end /health is ok", "s", [well], _LIMIT),
            ]
    tell("what is said when something stops", url, figures, json_file)


@contextmanager
def _running(url: str) -> Iterator[None]:
    prometheus = shutil.which("prometheus")
    if not prometheus:
        raise typer.BadParameter("prometheus is not here: scripts/packages.sh --tests installs it")
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--config.file={_ETC / 'prometheus.yml'}", f"--storage.tsdb.path={folder}"]
        commands = [
            [*CANDLECAST, "serve", "--database-url", url],
            [prometheus, *options, f"--web.listen-address={_PROMETHEUS}", "--log.level=error"],
        ]
        started = [subprocess.Popen(command) for command in commands]
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(timeout=20)


@contextmanager
def _candles(url: str) -> Iterator[None]:
    """Generated candles each second, meanwhile."""
    over = threading.Event()

    def generate() -> None:
        with psycopg.connect(url, autocommit=True) as db:
            while not over.wait(1):
                db.execute("select generate_demo_candles()")

    thread = threading.Thread(target=generate)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _both(first: Callable[[], bool], second: Callable[[], bool]) -> tuple[float, float]:
    """Seconds until each holds, the other one too."""
    began, found = time.monotonic(), [0.0, 0.0]
    while not all(found):
        for place, holds in enumerate((first, second)):
            if not found[place] and holds():
                found[place] = time.monotonic() - began
        if time.monotonic() - began > _PATIENCE:
            return (found[0] or float("inf"), found[1] or float("inf"))
        time.sleep(0.2)
    return (found[0], found[1])


def _seconds_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise typer.BadParameter(f"the database is not well to begin with: {_health()}, {sorted(_alerts())}")
        time.sleep(0.2)


def _health() -> str:
    answer = _get(f"http://{_SERVE}/health")
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


if __name__ == "__main__":
    typer.run(main)
