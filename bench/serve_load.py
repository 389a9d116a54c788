"""Latency of predict_now() while `candlecast serve` answers 200 requests per second on /health and /metrics.

    python -m bench serve-load
    python -m bench serve-load --seconds 10          a small run, half a minute

The real command runs on the database. Client processes request /health and /metrics alternately, at a constant rate and
over persistent connections. At the same time predict_now() is called on new candles, in a warm session. Periods with
and without requests alternate, so that other load affects both. An answer is an error if it takes over five seconds,
has another status than health() implies, or has no figures of the database. No error is allowed.
It uses the symbol BENCH and removes it afterwards.
"""

import json
import multiprocessing
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from itertools import chain
from typing import Annotated, Any
from urllib.parse import urlsplit

import psutil
import typer

from bench.figures import Figure, Limit, progress
from bench.fixture import OVER_AN_HOUR, Fixture
from bench.predictions import predict_now
from bench.processes import served

_CONNECTIONS = 4
#: Seconds of a period, and between two calls of predict_now().
_PERIOD, _PAUSE = 5.0, 0.05
#: Connections that were idle for longer are reopened, because the server may be about to close them.
_IDLE = 3.0
_OVER = -1.0


def main(
    seconds: Annotated[
        float, typer.Option(min=5, help="Seconds with requests; the same time without requests is added.")
    ] = 60.0,
    rate: Annotated[int, typer.Option(min=1, max=5_000, help="Requests per second.")] = 200,
) -> list[Figure]:
    """Send requests to the service, and predict at the same time."""
    fixture = Fixture(int(2 * seconds / _PAUSE) + OVER_AN_HOUR)
    context = multiprocessing.get_context("spawn")
    turn, results = context.Value("d", 0.0), context.Queue()
    try:
        with served(fixture.url) as (url, process):
            clients = [
                context.Process(target=_request, args=(url, number, rate / _CONNECTIONS, turn, results), daemon=True)
                for number in range(_CONNECTIONS)
            ]
            for client in clients:
                client.start()
                results.get(timeout=30)  # wait until it is ready
            idle, loaded, share = _alternate(fixture, round(seconds / _PERIOD), turn, process)
            turn.value = _OVER
            answered, late, problems = zip(*(results.get(timeout=30) for _ in clients), strict=True)
    finally:
        fixture.close()
    errors = sum(problems, Counter())
    error_note = "; ".join(f"{count} of {problem}" for problem, count in errors.most_common(5))
    what = f"predict_now() under {rate} requests per second; baseline: no requests"
    return [
        Figure(what, "ms", loaded, (Limit("ratio", 1.1),), idle),
        Figure("response time of /health and /metrics", "ms", [*chain(*answered)]),
        Figure("errors", "", [errors.total()], (Limit("max", 0),), note=error_note),
        Figure("delay of requests", "ms", [*chain(*late)]),
        Figure("CPU of the service, of one core", "%", [100 * one for one in share]),
    ]


def _alternate(
    fixture: Fixture, periods: int, turn: Any, process: psutil.Process
) -> tuple[list[float], list[float], list[float]]:
    """Latencies without and with requests, and the service's share of a core in each period with requests."""
    idle: list[float] = []
    loaded: list[float] = []
    share = []
    with fixture.connect() as session, progress("Periods") as on_step:
        for _ in range(20):  # warm up
            fixture.next_candle()
            predict_now(session)
        for period in range(periods):
            for latencies in (idle, loaded) if period % 2 else (loaded, idle):
                started, before = time.perf_counter(), sum(process.cpu_times()[:2])
                turn.value = time.monotonic() if latencies is loaded else 0.0
                while time.perf_counter() - started < _PERIOD:
                    fixture.next_candle()
                    latencies.append(predict_now(session))
                    time.sleep(_PAUSE)
                if turn.value:
                    share.append((sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - started))
            turn.value = 0.0
            on_step(period + 1, periods, "")
    return idle, loaded, share


def _request(url: str, number: int, rate: float, turn: Any, results: Any) -> None:
    """Send requests over one persistent connection, every 1 / rate seconds, interleaved with the other clients.

    ``turn``: the start of the current period on the machine's monotonic clock, 0 while no requests are sent, or _OVER.
    This is a process with a blocking socket, because that needs the least CPU.
    """
    address = urlsplit(url)
    connection, last_used, begun, sent = None, 0.0, 0.0, 0
    answered: list[float] = []
    late: list[float] = []
    problems: Counter[str] = Counter()
    results.put("ready")
    while (now := turn.value) != _OVER:
        if now != begun:
            begun, sent = now, 0
        due = begun + (sent + number / _CONNECTIONS) / rate
        if not begun or due > time.monotonic():
            time.sleep(min(due - time.monotonic(), 0.05) if begun else 0.05)
            continue
        if connection is None or time.monotonic() - last_used > _IDLE:
            connection = HTTPConnection(address.hostname, address.port, timeout=5)
        path = ("/health", "/metrics")[sent % 2]
        started = time.monotonic()
        try:
            problem = _problem(connection, path)
        except (OSError, HTTPException, ValueError) as error:
            problem, connection = f"{path}: {type(error).__name__}", None
        last_used = time.monotonic()
        answered.append(1000 * (last_used - started))
        late.append(1000 * (started - due))
        problems.update([problem] if problem else [])
        sent += 1
    results.put((answered, late, problems))


def _problem(connection: HTTPConnection, path: str) -> str | None:
    """The problem of an answer, or None."""
    connection.request("GET", path)
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    if path == "/metrics":
        return None if status == 200 and b"\nml_database_up 1.0" in body else f"{path}: {status} without figures"
    health = json.loads(body)
    # BENCH's candles are old on purpose, so health() returns down. The answer must be from health() itself.
    is_complete = "ml_model_version" in health and "scheduler" in health
    is_right = is_complete and status == (503 if health["status"] == "down" else 200)
    return None if is_right else f"{path}: {status} {health.get('reasons')}"
