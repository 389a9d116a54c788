"""What `candlecast serve` bears, and what that costs the forecasts: 200 requests a second on /health and /metrics.

    python -m bench.serve_load
    python -m bench.serve_load --seconds 10          a small run, half a minute

The real command runs over the database, and a process beside it asks at even times, whatever the answers take, /health
and /metrics in turns, over kept connections. Meanwhile predict_now() is called on a new candle each time, in a warm
session; stretches with and without requests take turns, so that both see the same machine. An answer that takes over
five seconds, has another status than health() implies, or lacks the database's figures is an error: one is too many.
It works under the symbol BENCH, as bench/ does, and removes that afterwards. Exit status 1: a limit was missed.
"""

import json
import multiprocessing
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from typing import Annotated
from urllib.parse import urlsplit

import psutil
import typer
from rich.console import Console

from bench.programs import CANDLECAST, ROOT
from bench.report import DatabaseUrl, Figure, JsonFile, Limit, tell
from bench.stage import SYMBOL, Stage
from candlecast.client.progress import shown

#: So that a pg_cron job of an installation leaves BENCH alone: it skips symbols that are over an hour old.
_OVER_AN_HOUR = 120
_CONNECTIONS = 4
_STRETCH = 5.0
_PAUSE = 0.05
#: Connections that rested longer are opened anew: the server may be about to close them.
_IDLE = 3.0
_PREDICT_NOW = f"select * from predict_now('{SYMBOL}')"


@dataclass
class Asked:
    """What the asking process saw."""

    milliseconds: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)


@dataclass
class Turn:
    """Whether it is a stretch with requests, and since when."""

    on: threading.Event = field(default_factory=threading.Event)
    begun: float | None = None
    over: bool = False


def main(
    database_url: DatabaseUrl = None,
    seconds: Annotated[float, typer.Option(min=5, help="Seconds with requests; as many without.")] = 60.0,
    rate: Annotated[int, typer.Option(min=1, max=5_000, help="Requests a second.")] = 200,
    json_file: JsonFile = None,
) -> None:
    """Ask the service, and predict beside it."""
    stretches = round(seconds / _STRETCH)
    stage = Stage(database_url, int(2 * seconds / _PAUSE) + _OVER_AN_HOUR)
    try:
        with served(stage.url) as (url, process), asking(url, rate) as asker:
            idle, loaded, share = _in_turns(stage, stretches, asker, process)
            asked = asker.end()
    finally:
        stage.close()
    figures = [
        Figure(
            f"predict_now() beside {rate} requests a second; peer: beside none",
            "ms",
            loaded,
            (Limit("ratio", 1.1),),
            idle,
        ),
        Figure("an answer of /health or /metrics", "ms", asked.milliseconds),
        Figure("errors", "", [sum(asked.problems.values())], (Limit("max", 0),), note=_told(asked)),
        Figure("a request later than planned", "ms", asked.late),
        Figure("CPU of the service, of one core", "%", [100 * one for one in share]),
    ]
    tell("candlecast serve under load", stage.url, figures, json_file, rate=rate)


def _in_turns(
    stage: Stage, stretches: int, asker: "Asker", process: psutil.Process
) -> tuple[list[float], list[float], list[float]]:
    """Latencies without and with requests, and the service's share of a core in each stretch with them."""
    idle: list[float] = []
    loaded: list[float] = []
    share = []
    with stage.connect() as session, shown(Console(stderr=True), "Stretches") as on_step:
        for _ in range(20):
            _predict(stage, session)
        for stretch in range(stretches):
            for turn in (idle, loaded) if stretch % 2 else (loaded, idle):
                asker.ask(turn is loaded)
                started, before = time.perf_counter(), sum(process.cpu_times()[:2])
                while time.perf_counter() - started < _STRETCH:
                    turn.append(_predict(stage, session))
                    time.sleep(_PAUSE)
                if turn is loaded:
                    share.append((sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - started))
            asker.ask(False)
            on_step(stretch + 1, stretches, "")
    return idle, loaded, share


def _predict(stage: Stage, session) -> float:
    stage.next_candle()
    started = time.perf_counter()
    rows = session.execute(_PREDICT_NOW).fetchall()
    assert len(rows) == 5
    return (time.perf_counter() - started) * 1000


def _told(asked: Asked) -> str:
    return "; ".join(f"{count} of {problem}" for problem, count in asked.problems.most_common(5))


@contextmanager
def served(url: str) -> Iterator[tuple[str, psutil.Process]]:
    """The real command on a free port: its address and its process."""
    process = subprocess.Popen(
        [*CANDLECAST, "serve", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().split()[2], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=15)


class Asker:
    """A process that asks while it is told to."""

    def __init__(self, url: str, rate: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_asker, args=(url, rate, end), daemon=True)
        self._process.start()
        self._pipe.recv()

    def ask(self, on: bool) -> None:
        """Begin, or stop."""
        self._pipe.send(on)

    def end(self) -> Asked:
        """What it saw."""
        self._pipe.send(None)
        found = self._pipe.recv()
        self._process.join(10)
        return found


@contextmanager
def asking(url: str, rate: int) -> Iterator[Asker]:
    """A process that asks, ended after."""
    asker = Asker(url, rate)
    yield asker


def _asker(url: str, rate: int, pipe: Connection) -> None:
    pipe.send(_ask_until_told(url, rate, pipe))


def _ask_until_told(url: str, rate: int, pipe: Connection) -> Asked:
    """Threads with blocking sockets: of all that waits for answers in Python, they take least from the processor."""
    asked, turn = Asked(), Turn()
    threads = [
        threading.Thread(target=_connection, args=(url, number, rate / _CONNECTIONS, turn, asked))
        for number in range(_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    pipe.send("ready")
    while (told := pipe.recv()) is not None:
        turn.begun = time.perf_counter() if told else None
        (turn.on.set if told else turn.on.clear)()
    turn.over = True
    turn.on.set()
    for thread in threads:
        thread.join(15)
    return asked


def _connection(url: str, number: int, rate: float, turn: Turn, asked: Asked) -> None:
    """One kept connection's share: every 1 / rate seconds, its first one in its place among the others'."""
    address = urlsplit(url)
    connection = rested = None
    count, begun = number, None
    while turn.on.wait() and not turn.over:
        if turn.begun != begun:
            begun, asks = turn.begun, 0
        due = (begun or 0) + (asks + number / _CONNECTIONS) / rate
        if (left := due - time.perf_counter()) > 0:
            time.sleep(min(left, 0.05))
            continue
        if connection is None or time.perf_counter() - rested > _IDLE:
            connection = HTTPConnection(address.hostname, address.port, timeout=5)
        path = ("/health", "/metrics")[count % 2]
        started = time.perf_counter()
        try:
            problem = _request(connection, path)
        except (OSError, HTTPException, ValueError) as error:
            problem, connection = f"{path}: {type(error).__name__}", None
        rested = time.perf_counter()
        asked.milliseconds.append((rested - started) * 1000)
        asked.late.append((started - due) * 1000)
        if problem:
            asked.problems[problem] += 1
        count, asks = count + 1, asks + 1


def _request(connection: HTTPConnection, path: str) -> str | None:
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


if __name__ == "__main__":
    typer.run(main)
