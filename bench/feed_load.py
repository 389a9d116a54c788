"""What `candlecast feed` costs with fifty symbols: CPU and memory at real speed, memory over a simulated day.

    python -m bench.feed_load
    python -m bench.feed_load --minutes 1 --hours 2     a small run, a minute and a half

At real speed the real command runs, and the stand-in sends what the exchange does: a frame of the open candle of each
symbol every two seconds, and the closed one. CPU is the process's own (user and system, psutil) over the sample, which
begins when all candles of the last day are stored; memory is RSS and PSS. PSS shares out what several processes map.
For the day the same feed runs by a fast clock in a process of its own; of the open candles it gets three a minute.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import psycopg
import typer

from bench.feed_stage import (
    FEED,
    FEED_OF_A_REPLAY,
    ROOT,
    Cost,
    Market,
    StandIn,
    cost_of,
    difference,
    generated_symbols,
    scratch_database,
)
from bench.report import DatabaseUrl, Figure, JsonFile, Limit, tell
from candlecast.exchanges.clock import Clock

_DAY, _MINUTE = 86_400, 60
_MEMORY = (Limit("max", 150.0),)
#: What is left out at the beginning, of the replayed day: it reads the day before.
_WARM_UP_HOURS = 1.0


def main(
    database_url: DatabaseUrl = None,
    symbols: Annotated[int, typer.Option(min=1, max=200, help="How many symbols.")] = 50,
    minutes: Annotated[float, typer.Option(min=0.5, help="Length of the sample at real speed.")] = 5.0,
    hours: Annotated[float, typer.Option(min=1.5, help="Simulated hours for memory.")] = 24.0,
    speed: Annotated[float, typer.Option(min=1, help="Simulated seconds in a second.")] = 300.0,
    json_file: JsonFile = None,
) -> None:
    """Measure the feed's CPU time and memory."""
    with scratch_database(database_url) as url:
        figures = asyncio.run(_real_speed(url, generated_symbols(symbols), minutes))
        with psycopg.connect(url) as db:
            db.execute("truncate candles_1m, feed_status")
        figures += asyncio.run(_replayed(url, generated_symbols(symbols), hours, speed))
        tell(f"candlecast feed with {symbols} symbols", url, figures, json_file)


async def _real_speed(url: str, symbols: list[str], minutes: float) -> list[Figure]:
    market = Market(symbols, time.time() - 1.2 * _DAY, time.time() + _DAY)
    async with StandIn(market, Clock(), update_every=2.0) as exchange:
        words = [word for symbol in symbols for word in ("--symbol", symbol)]
        async with running([*FEED, *words], exchange.environment() | {"DATABASE_URL": url}) as pid:
            await until_stored(url, symbols, time.time() - 2 * _MINUTE)
            await asyncio.sleep(5)
            before, began, frames = cost_of(pid), time.monotonic(), exchange.counters.frames.total()
            shares, memory = [], []
            while time.monotonic() - began < minutes * _MINUTE:
                one, at = cost_of(pid), time.monotonic()
                await asyncio.sleep(min(10.0, max(0.1, began + minutes * _MINUTE - at)))
                shares.append(100 * (cost_of(pid).seconds - one.seconds) / (time.monotonic() - at))
                memory.append(cost_of(pid))
            elapsed = time.monotonic() - began
            whole = 100 * (cost_of(pid).seconds - before.seconds) / elapsed
            rate = (exchange.counters.frames.total() - frames) / elapsed
        last = time.time() // _MINUTE * _MINUTE - 2 * _MINUTE
        differing = await asyncio.to_thread(_differences, url, market, last - _DAY, last)
    where = f"{minutes:g} minutes at real speed, {rate:.1f} frames/s"
    return [
        Figure("CPU of one core", "%", [whole], (Limit("max", 10.0),), note=f"{where}; spans of 10 s: {_span(shares)}"),
        *_memory("at real speed", memory),
        Figure("differences of the table from what happened, real speed", "", [differing], (Limit("max", 0),)),
    ]


async def _replayed(url: str, symbols: list[str], hours: float, speed: float) -> list[Figure]:
    start = time.time() // _MINUTE * _MINUTE
    market = Market(symbols, start - 1.2 * _DAY, start + (hours + 2) * 3600 + _DAY)
    at = time.monotonic()
    clock = Clock(speed, start)
    async with StandIn(market, clock, update_every=20.0) as exchange:
        urls = [exchange.rest_url, exchange.stream_url, exchange.archive_url]
        arguments = {
            "database_url": url, "symbols": symbols, "urls": urls, "speed": speed, "shown": start, "at": at,
            "options": {},
        }  # fmt: skip
        memory: list[tuple[float, Cost]] = []
        async with running([*FEED_OF_A_REPLAY, json.dumps(arguments)], {}) as pid:
            while clock.elapsed() < hours * 3600:
                await asyncio.sleep(1.0)
                memory.append((clock.elapsed() / 3600, cost_of(pid)))
            last = clock.now() - 600
            await until_stored(url, symbols, last)
        differing = await asyncio.to_thread(_differences, url, market, start - _DAY / 2, last)
    early = [cost.rss for hour, cost in memory if _WARM_UP_HOURS <= hour < 2 * _WARM_UP_HOURS]
    late = [cost.rss for hour, cost in memory if hour >= hours - _WARM_UP_HOURS]
    grown = f"RSS in hour 2: {_span(early)}, in the last hour: {_span(late)}"
    figures = _memory(f"in {hours:g} simulated hours", [cost for _, cost in memory])
    figures[0].note = f"{grown}; {speed:g} times the speed, {sum(exchange.counters.frames.values()):,} frames"
    return [
        *figures,
        Figure("differences of the table from what happened, replayed", "", [differing], (Limit("max", 0),)),
    ]


def _memory(when: str, costs: list[Cost]) -> list[Figure]:
    return [
        Figure(f"memory {when}, RSS", "MB", [cost.rss for cost in costs], _MEMORY),
        Figure(f"memory {when}, PSS", "MB", [cost.pss for cost in costs]),
    ]


def _span(values: list[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}" if values else "none"


@contextlib.asynccontextmanager
async def running(command: list[str], environment: dict[str, str]) -> AsyncIterator[int]:
    """The command's process id while it runs; stopped by SIGTERM."""
    with tempfile.TemporaryFile("w+") as log:
        running = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=os.environ | environment, stderr=log)
        try:
            yield running.pid
        finally:
            ended = running.returncode
            if ended is None:
                running.send_signal(signal.SIGTERM)
                await running.wait()
            else:
                log.seek(0)
                sys.stderr.write(f"the feed ended by itself, with status {ended}: {log.read()[-2000:]}")


async def until_stored(url: str, symbols: Sequence[str], newest: float) -> None:
    """Until all these symbols have the minute before this time."""
    query = "select count(distinct symbol) from candles_1m where symbol = any(%s) and open_time >= to_timestamp(%s)"
    deadline = time.monotonic() + 120
    minute = newest // _MINUTE * _MINUTE - _MINUTE
    while time.monotonic() < deadline:
        with psycopg.connect(url) as db:
            if db.execute(query, [list(symbols), minute]).fetchone() == (len(symbols),):
                return
        await asyncio.sleep(0.5)
    raise SystemExit("the feed did not catch up within two minutes")


def _differences(url: str, market: Market, first: float, last: float) -> int:
    with psycopg.connect(url) as db:
        found = [difference(db, market, symbol, first, last) for symbol in market.symbols]
    return sum(map(bool, found))


if __name__ == "__main__":
    typer.run(main)
