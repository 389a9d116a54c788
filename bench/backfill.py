"""How fast a backfill of 90 days is beside plain COPY of the same rows.

    python -m bench backfill --runs 5

The stand-in exchange of tests/ serves archives and klines on loopback from a process of its own. Measured is all that
`candlecast backfill` does after its imports: downloads, checksums, parsing, checks, the archives' rows, the last
day over REST. COPY gets the same rows as finished csv, into a table like candles_1m with its key and its constraints.
The two take turns, in a database of their own.
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
#: Two months and 29 days before the last one: what a backfill on the third of a month finds.
START = "2026-05-03T06:30:10"
_COLUMNS = ", ".join(COLUMNS)


def main(
    runs: Annotated[int, typer.Option(min=1, help="Of each; after one that is not counted.")] = 5,
) -> list[Figure]:
    """Let the two take turns."""
    own, plain = [], []
    with scratch_database("candlecast_bench_backfill") as url, _exchange() as addresses, progress("Runs") as on_step:
        _backfill(url, addresses)  # the exchange makes its files on the first demand
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
    """The stand-in's addresses, REST and archive."""
    command = [sys.executable, "-m", "tests.exchange", "--symbol", SYMBOL, "--start", START, "--days", str(DAYS + 1)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = [process.stdout.readline().split("=", 1)[1].strip() for _ in range(3)]
            yield said[0], said[2]
        finally:
            process.terminate()


def _backfill(url: str, addresses: tuple[str, str]) -> float:
    """Seconds."""
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
    """Seconds."""
    began = time.perf_counter()
    with db.cursor().copy(f"copy bench_candles ({_COLUMNS}) from stdin (format csv)") as copy:
        copy.write(rows)
    return time.perf_counter() - began
