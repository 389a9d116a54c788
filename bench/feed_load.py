"""CPU and memory of `candlecast feed` with fifty symbols, at real speed.

    python -m bench feed-load
    python -m bench feed-load --minutes 0.5     a small run

The real command runs. The stand-in sends the same frames as the exchange: the open candle of each symbol every two
seconds, and the closed candle. CPU is the process's user and system time in spans of ten seconds, measured after
all candles of the last day are stored. Memory is RSS and PSS, which divides shared memory among its processes.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import psutil
import psycopg
import typer

from bench.database import scratch_database
from bench.figures import Figure, Limit
from bench.processes import CANDLECAST, ROOT
from candlecast.exchanges.clock import Clock
from tests.exchange import Market, StandIn
from tests.support.feeding import difference

_DAY, _MINUTE = 86_400, 60


def main(
    symbols: Annotated[int, typer.Option(min=1, max=200, help="Number of symbols.")] = 50,
    minutes: Annotated[float, typer.Option(min=0.5, help="Length of the measurement in minutes.")] = 5.0,
) -> list[Figure]:
    """Measure the feed's CPU time and memory."""
    with scratch_database("candlecast_bench_feed") as url:
        return asyncio.run(_measure(url, [f"MADE{number:03d}USDT" for number in range(symbols)], minutes))


async def _measure(url: str, symbols: list[str], minutes: float) -> list[Figure]:
    market = Market(symbols, time.time() - 1.2 * _DAY, time.time() + _DAY)
    shares, memory = [], []
    async with StandIn(market, Clock(), update_every=2.0) as exchange, feed(exchange, url, symbols) as pid:
        await until_stored(url, symbols, time.time() - 2 * _MINUTE)
        await asyncio.sleep(5)
        process = psutil.Process(pid)
        began, frames = time.monotonic(), exchange.counters.frames.total()
        while (left := began + minutes * _MINUTE - time.monotonic()) > 0:
            process.cpu_percent()  # since the last call
            await asyncio.sleep(min(10.0, max(0.5, left)))
            shares.append(process.cpu_percent())
            memory.append(process.memory_full_info())
        rate = (exchange.counters.frames.total() - frames) / (time.monotonic() - began)
    last = time.time() // _MINUTE * _MINUTE - 2 * _MINUTE
    with psycopg.connect(url) as db:
        differing = [one for one in (difference(db, market, symbol, last - _DAY, last) for symbol in symbols) if one]
    cpu = Figure("CPU of one core, spans of 10 s", "%", shares, (Limit("median", 10.0),), note=f"{rate:.1f} frames/s")
    what = "differences between candles_1m and the sent candles"
    return [
        cpu,
        Figure("memory, RSS", "MB", [cost.rss / 1e6 for cost in memory], (Limit("max", 150.0),)),
        Figure("memory, PSS", "MB", [cost.pss / 1e6 for cost in memory]),
        Figure(what, "", [len(differing)], (Limit("max", 0),), note="; ".join(differing[:5])),
    ]


@contextlib.asynccontextmanager
async def feed(exchange: StandIn, url: str, symbols: Sequence[str]) -> AsyncIterator[int]:
    """Run the real command. Yields its process id, and stops it by SIGTERM."""
    words = [word for symbol in symbols for word in ("--symbol", symbol)]
    environment = os.environ | exchange.environment() | {"DATABASE_URL": url}
    with tempfile.TemporaryFile("w+") as log:
        running = await asyncio.create_subprocess_exec(
            *CANDLECAST, "feed", *words, cwd=ROOT, env=environment, stderr=log
        )
        try:
            yield running.pid
        finally:
            if running.returncode is None:
                running.send_signal(signal.SIGTERM)
                await running.wait()
            else:
                log.seek(0)
                sys.stderr.write(f"the feed exited with status {running.returncode}: {log.read()[-2000:]}")


async def until_stored(url: str, symbols: Sequence[str], newest: float) -> None:
    """Wait until all symbols have the minute before ``newest``, epoch seconds."""
    query = "select count(distinct symbol) from candles_1m where symbol = any(%s) and open_time >= to_timestamp(%s)"
    deadline, minute = time.monotonic() + 120, newest // _MINUTE * _MINUTE - _MINUTE
    with psycopg.connect(url, autocommit=True) as db:
        while db.execute(query, [list(symbols), minute]).fetchone() != (len(symbols),):
            if time.monotonic() > deadline:
                raise SystemExit("the feed did not store all candles within two minutes")
            await asyncio.sleep(0.5)
