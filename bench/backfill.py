"""How fast a backfill of 90 days is beside plain COPY of the same rows: ``python -m bench.backfill``.

    python -m bench.backfill --runs 5 --database-url postgresql://...

The stand-in exchange of tests/ serves archives and klines on loopback from a process of its own. Measured is all that
``candlecast backfill`` does after its imports: downloads, checksums, parsing, checks, the archives' rows, the last
day over REST. COPY gets the same rows as finished csv, into a table like candles_1m with its key and its constraints.
The two take turns. What is written is taken away again: the symbol is the benchmark's own.
"""

import argparse
import io
import os
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from statistics import median
from typing import TYPE_CHECKING

import psycopg

from candlecast.candles.history.backfill import backfill
from candlecast.candles.upsert import COLUMNS
from candlecast.client.database import connect
from candlecast.exchanges.binance import Binance
from candlecast.exchanges.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

SYMBOL = "BENCHUSDT"
DAYS = 90
#: Two months and 29 days before the last one: what a backfill on the third of a month finds.
START = "2026-05-03T06:30:10"
_COLUMNS = ", ".join(COLUMNS)


def main() -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="of each; after one that is not counted")
    parser.add_argument("--database-url", help="default: DATABASE_URL, else .env")
    options = parser.parse_args()
    with connect(options.database_url) as connection, stand_in() as (rest_url, archive_url):
        url = connection.info.dsn
        _remove(connection)
        connection.execute("create table bench_candles (like candles_1m including all)")
        try:
            _backfill(url, rest_url, archive_url)  # the exchange makes its files on the first demand
            rows = _rows_as_csv(connection)
            own, plain, counts = [], [], []
            for _ in range(options.runs):
                connection.execute("truncate bench_candles")
                connection.execute("checkpoint")
                plain.append(_copy(connection, rows))
                _forget(connection)
                connection.execute("checkpoint")
                own.append(_backfill(url, rest_url, archive_url))
                counts += connection.execute("select count(*) from candles_1m where symbol = %s", [SYMBOL]).fetchone()
        finally:
            _remove(connection)
    count = rows.count(b"\n")
    rates = [number / seconds for number, seconds in zip(counts, own, strict=True)], [count / one for one in plain]
    names = "candlecast backfill", "plain COPY"
    for name, seconds, rate in zip(names, (own, plain), rates, strict=True):
        print(
            f"{name:<20} {median(seconds):6.2f} s  {median(rate):9,.0f} rows/s  ({min(rate):,.0f} to {max(rate):,.0f})"
        )
    share = median(rates[0]) / median(rates[1])
    print(f"{count:,} rows, {options.runs} runs of each, {os.cpu_count()} cores: {share:.0%} of plain COPY's rate")


@contextmanager
def stand_in() -> "Iterator[tuple[str, str]]":
    """The exchange's addresses, REST and archive."""
    command = [sys.executable, "-m", "tests.exchange", "--symbol", SYMBOL, "--start", START, "--days", str(DAYS + 1)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = [process.stdout.readline().split("=", 1)[1].strip() for _ in range(3)]
            yield said[0], said[2]
        finally:
            process.terminate()


def _backfill(url: str, rest_url: str, archive_url: str) -> float:
    """Seconds."""
    exchange = Binance(Clock(), rest_url=rest_url, archive_url=archive_url)
    screen = io.StringIO()
    with redirect_stdout(screen), redirect_stderr(screen):
        began = time.perf_counter()
        status = backfill([SYMBOL], DAYS, exchange, url)
        seconds = time.perf_counter() - began
    if status:
        raise SystemExit(screen.getvalue())
    return seconds


def _copy(connection: psycopg.Connection, rows: bytes) -> float:
    """Seconds."""
    began = time.perf_counter()
    with connection.cursor().copy(f"copy bench_candles ({_COLUMNS}) from stdin (format csv)") as copy:
        copy.write(rows)
    return time.perf_counter() - began


def _rows_as_csv(connection: psycopg.Connection) -> bytes:
    rows = f"select {_COLUMNS} from candles_1m where symbol = '{SYMBOL}' order by open_time"
    with connection.cursor().copy(f"copy ({rows}) to stdout (format csv)") as copy:
        return b"".join(copy)


def _forget(connection: psycopg.Connection) -> None:
    for table in ("candles_1m", "loaded_archives"):
        connection.execute(f"delete from {table} where symbol = %s", [SYMBOL])
        connection.execute(f"vacuum {table}")


def _remove(connection: psycopg.Connection) -> None:
    connection.execute("drop table if exists bench_candles")
    _forget(connection)


if __name__ == "__main__":
    main()
