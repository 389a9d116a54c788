"""Throughput of a backfill of 90 days, compared with plain COPY of the same rows.

    python -m bench backfill --runs 5

The stand-in exchange of tests/ runs in a separate process and serves archives and klines on loopback. The measured time
includes everything that `candlecast backfill` does after its imports: downloads, checksums, parsing, checks, inserts,
and the last day over REST. COPY reads the same rows as CSV into a table like candles_1m, with its key and constraints.
The two alternate, in a separate database.
"""

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from statistics import median
from typing import Annotated

import psycopg
import typer

from bench.database import scratch_database
from bench.figures import Figure, progress
from bench.processes import ROOT
from candlecast.candles.history.backfill import backfill
from candlecast.candles.upsert import COLUMNS
from candlecast.exchanges.binance import Binance
from candlecast.exchanges.clock import Clock

SYMBOL = "BENCHUSDT"
DAYS = 90
#: The backfill reads two monthly archives and 29 daily ones before the last day.
START = "2026-05-03T06:30:10"
_COLUMNS = ", ".join(COLUMNS)


def main(
    runs: Annotated[int, typer.Option(min=1, help="Runs of each, after one uncounted run.")] = 5,
) -> list[Figure]:
    """Measure the backfill and COPY alternately."""
    own, plain = [], []
    with scratch_database("candlecast_bench_backfill") as url, _exchange() as addresses, progress("Runs") as on_step:
        _backfill(url, addresses)  # the exchange generates its files at the first request
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("create table bench_candles (like candles_1m including all)")
            rows = f"select {_COLUMNS} from candles_1m order by open_time"
            with db.cursor().copy(f"copy ({rows}) to stdout (format csv)") as copy:
                csv = b"".join(copy)
            count = csv.count(b"\n")
            for run in range(runs):
                db.execute("truncate bench_candles, candles_1m, loaded_archives")
                db.execute("checkpoint")
                plain.append(count / _copy(db, csv))
                db.execute("checkpoint")
                own.append(count / _backfill(url, addresses))
                assert db.execute("select count(*) from candles_1m").fetchone() == (count,)
                on_step(run + 1, runs, "")
    note = f"{count:,} rows, median {count / median(own):.2f} s; the baseline is plain COPY"
    return [Figure("candlecast backfill", "rows/s", own, (), plain, note)]


@contextmanager
def _exchange() -> Iterator[tuple[str, str]]:
    """The stand-in's REST and archive addresses."""
    command = [sys.executable, "-m", "tests.exchange", "--symbol", SYMBOL, "--start", START, "--days", str(DAYS + 1)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            addresses = [process.stdout.readline().split("=", 1)[1].strip() for _ in range(3)]
            yield addresses[0], addresses[2]
        finally:
            process.terminate()


def _backfill(url: str, addresses: tuple[str, str]) -> float:
    """Run a backfill. Returns seconds."""
    exchange = Binance(Clock(), rest_url=addresses[0], archive_url=addresses[1])
    screen = io.StringIO()
    with redirect_stdout(screen), redirect_stderr(screen):
        began = time.perf_counter()
        status = backfill([SYMBOL], DAYS, exchange, url)
        seconds = time.perf_counter() - began
    if status:
        raise SystemExit(screen.getvalue())
    return seconds


def _copy(db: psycopg.Connection, rows: bytes) -> float:
    """COPY the rows. Returns seconds."""
    began = time.perf_counter()
    with db.cursor().copy(f"copy bench_candles ({_COLUMNS}) from stdin (format csv)") as copy:
        copy.write(rows)
    return time.perf_counter() - began
