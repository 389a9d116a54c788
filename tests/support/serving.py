"""Runs `candlecast serve` as a process, and brings the candles and predictions of a database up to date."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg

from bench.processes import CANDLECAST
from tests.support.deployment import load_demo
from tests.support.paths import ROOT


class Service:
    """A running service: `get('/health')`, `end()`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=15)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def wait_for(self, path: str, holds: Callable[[httpx.Response], bool], seconds: float = 15) -> httpx.Response:
        """The first response for which `holds` is true."""
        until = time.monotonic() + seconds
        while True:
            answer = self.get(path)
            if holds(answer):
                return answer
            assert time.monotonic() < until, f"{path} still returns {answer.status_code} {answer.text[:500]}"
            time.sleep(0.1)

    def end(self) -> tuple[int, str]:
        """Stop the service with SIGTERM; returns its exit status and standard error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            _, error = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, error


@contextmanager
def serving(url: str, *options: str) -> Iterator[Service]:
    """Run the service for this database on a free port of 127.0.0.1 until the block ends."""
    process = subprocess.Popen(
        [*CANDLECAST, "serve", "--port", "0", *options],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    service = None
    try:
        line = _first_line(process)
        service = Service(process, line.split()[2].rstrip("/"))
        yield service
    finally:
        if service is not None:
            service.client.close()
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=10)


def _first_line(process: subprocess.Popen[str]) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(timeout=15), "the service prints nothing"
    line = process.stdout.readline()
    assert line.startswith("candlecast serves http://127.0.0.1:"), line + process.stderr.read()
    return line


def bring_up_to_now(db: psycopg.Connection, *, minutes: int = 90) -> None:
    """Replace the candles by two days until now, and predict the last `minutes` minutes and the newest candle."""
    db.execute("truncate candles_1m")
    load_demo(db, datetime.now(UTC), days=2)
    columns = (
        "symbol, candle_time, target_time, horizon, reference_close, predicted_close, predicted_price, mamba_close,"
        " lgbm_close, confidence, ensemble_id, probability_up, lower_price, upper_price, abstained,"
        " out_of_distribution, furthest_feature"
    )
    db.execute(
        f"insert into predictions ({columns}, created_at) select {columns}, candle_time + interval '60.05 s'"
        " from predict_range('DEMO', now() - %s * interval '1 minute', now() - interval '2 minutes')",
        (minutes,),
    )
    next_minute(db)


def next_minute(db: psycopg.Connection) -> datetime:
    """Write the candles that have closed since, and predict the newest one; returns its candle_time."""
    load_demo(db, datetime.now(UTC))
    newest = db.execute("select max(open_time) from candles_1m").fetchone()[0]
    if not db.execute("select exists (select from predictions where candle_time = %s)", (newest,)).fetchone()[0]:
        db.execute("call run_inference(%s)", (newest,))
    return newest
