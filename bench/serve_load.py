"""What `candlecast serve` bears, and what that costs the forecasts: 200 requests a second on /health and /metrics.

    python -m bench serve-load
    python -m bench serve-load --seconds 10          a small run, half a minute

The real command runs over the database, and processes beside it ask at even times, whatever the answers take, /health
and /metrics in turns, over kept connections. Meanwhile predict_now() is called on a new candle each time, in a warm
session; stretches with and without requests take turns, so that both see the same machine. An answer that takes over
five seconds, has another status than health() implies, or lacks the database's figures is an error: one is too many.
It works under the symbol BENCH and removes that afterwards.
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
_STRETCH, _PAUSE = 5.0, 0.05
#: Connections that rested longer are opened anew: the server may be about to close them.
_IDLE = 3.0
_OVER = -1.0


def main(
    seconds: Annotated[float, typer.Option(min=5, help="Seconds with requests; as many without.")] = 60.0,
    rate: Annotated[int, typer.Option(min=1, max=5_000, help="Requests a second.")] = 200,
) -> list[Figure]:
    """Ask the service, and predict beside it."""
    fixture = Fixture(int(2 * seconds / _PAUSE) + OVER_AN_HOUR)
    context = multiprocessing.get_context("spawn")
    turn, results = context.Value("d", 0.0), context.Queue()
    try:
        with served(fixture.url) as (url, process):
            askers = [
                context.Process(target=_ask, args=(url, number, rate / _CONNECTIONS, turn, results), daemon=True)
                for number in range(_CONNECTIONS)
            ]
            for asker in askers:
                asker.start()
                results.get(timeout=30)  # it is ready
            idle, loaded, share = _in_turns(fixture, round(seconds / _STRETCH), turn, process)
            turn.value = _OVER
            answered, late, problems = zip(*(results.get(timeout=30) for _ in askers), strict=True)
    finally:
        fixture.close()
    errors = sum(problems, Counter())
    told = "; ".join(f"{count} of {problem}" for problem, count in errors.most_common(5))
    what = f"predict_now() beside {rate} requests a second; baseline: beside none"
    return [
        Figure(what, "ms", loaded, (Limit("ratio", 1.1),), idle),
        Figure("an answer of /health or /metrics", "ms", [*chain(*answered)]),
        Figure("errors", "", [errors.total()], (Limit("max", 0),), note=told),
        Figure("a request later than planned", "ms", [*chain(*late)]),
        Figure("CPU of the service, of one core", "%", [100 * one for one in share]),
    ]


def _in_turns(
    fixture: Fixture, stretches: int, turn: Any, process: psutil.Process
) -> tuple[list[float], list[float], list[float]]:
    """Latencies without and with requests, and the service's share of a core in each stretch with them."""
    idle: list[float] = []
    loaded: list[float] = []
    share = []
    with fixture.connect() as session, progress("Stretches") as on_step:
        for _ in range(20):  # warm up
            fixture.next_candle()
            predict_now(session)
        for stretch in range(stretches):
            for latencies in (idle, loaded) if stretch % 2 else (loaded, idle):
                started, before = time.perf_counter(), sum(process.cpu_times()[:2])
                turn.value = time.monotonic() if latencies is loaded else 0.0
                while time.perf_counter() - started < _STRETCH:
                    fixture.next_candle()
                    latencies.append(predict_now(session))
                    time.sleep(_PAUSE)
                if turn.value:
                    share.append((sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - started))
            turn.value = 0.0
            on_step(stretch + 1, stretches, "")
    return idle, loaded, share


def _ask(url: str, number: int, rate: float, turn: Any, results: Any) -> None:
    """One kept connection's share: every 1 / rate seconds, its first request in its place among the others'.

    ``turn``: since when it asks on the machine's monotonic clock, 0 while it does not, or _OVER. A process with a
    blocking socket: of all that waits for answers in Python, it takes least from the processor.
    """
    address = urlsplit(url)
    connection, rested, begun, asks = None, 0.0, 0.0, 0
    answered: list[float] = []
    late: list[float] = []
    problems: Counter[str] = Counter()
    results.put("ready")
    while (now := turn.value) != _OVER:
        if now != begun:
            begun, asks = now, 0
        due = begun + (asks + number / _CONNECTIONS) / rate
        if not begun or due > time.monotonic():
            time.sleep(min(due - time.monotonic(), 0.05) if begun else 0.05)
            continue
        if connection is None or time.monotonic() - rested > _IDLE:
            connection = HTTPConnection(address.hostname, address.port, timeout=5)
        path = ("/health", "/metrics")[asks % 2]
        started = time.monotonic()
        try:
            problem = _problem(connection, path)
        except (OSError, HTTPException, ValueError) as error:
            problem, connection = f"{path}: {type(error).__name__}", None
        rested = time.monotonic()
        answered.append(1000 * (rested - started))
        late.append(1000 * (started - due))
        problems.update([problem] if problem else [])
        asks += 1
    results.put((answered, late, problems))


def _problem(connection: HTTPConnection, path: str) -> str | None:
    """What is wrong with the answer, None where nothing is."""
    connection.request("GET", path)
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    if path == "/metrics":
        return None if status == 200 and b"\nml_database_up 1.0" in body else f"{path}: {status} without figures"
    said = json.loads(body)
    # BENCH's candles are old on purpose, so health() says down; what counts is that health() said it.
    well = "ml_model_version" in said and "scheduler" in said and status == (503 if said["status"] == "down" else 200)
    return None if well else f"{path}: {status} {said.get('reasons')}"
