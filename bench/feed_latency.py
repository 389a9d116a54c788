"""Latency from the exchange's frame of a closed candle to the commit of its predictions.

    python -m bench feed-latency                                on a scratch database, with models trained there
    python -m bench feed-latency --sessions 10 --train-minutes 0.2

`candlecast feed` runs against the stand-in exchange on this machine. Each sample is a new session that calls
run_inference(), like pg_cron's sessions: it has loaded its models and waits when the frame is sent. There is only one
minute to wait for in sixty seconds, so the symbols take turns: each has an ensemble of the same versions, active
only in its turn, and the candle of its minute is delayed until then. Commit times are PostgreSQL's, which needs
track_commit_timestamp (bench/minutes.py). The time of the frame is taken in this process, just before sending.
"""

import asyncio
import random
import time
from typing import Annotated

import typer

from bench.database import fill_and_train, scratch_database
from bench.feed_load import feed, until_stored
from bench.figures import Figure, Limit, OnStep, progress
from bench.fixture import MINUTE, Fixture, remove
from bench.minutes import commit_times, is_running
from candlecast.client.database import connect
from candlecast.exchanges.clock import Clock
from tests.exchange import Market, Row, StandIn
from tests.exchange.frames import kline_frame

_DAY = 86_400
_RETIRE = "update active_ensembles set is_active = false where id = %s"


class _DelayedMarket(Market):
    """A market that sends a symbol's candles from ``held_from`` on only when they are released."""

    def __init__(self, symbols: list[str], first: float, last: float, held_from: int) -> None:
        super().__init__(symbols, first, last)
        self.held_from = dict.fromkeys(symbols, held_from)

    def row(self, symbol: str, minute: int, now: float) -> Row | None:
        return None if minute >= self.held_from[symbol] else super().row(symbol, minute, now)

    async def release(self, exchange: StandIn, symbol: str, minute: int) -> float:
        """Release the symbol's candle of a minute and send its frame. Returns the time of sending, epoch seconds."""
        if minute < self.held_from[symbol]:
            return time.time()
        self.held_from[symbol] = minute + MINUTE
        text = kline_frame(symbol, self.row(symbol, minute, minute + MINUTE), time.time(), closed=True)
        sent = time.time()
        await exchange.send(text)
        return sent


def main(
    sessions: Annotated[int, typer.Option(min=1, help="Number of new sessions, about 25 per minute.")] = 200,
    symbols: Annotated[
        int, typer.Option(min=1, max=100, help="Symbols that take turns; at most the number that fits into a minute.")
    ] = 40,
    train_minutes: Annotated[float, typer.Option(help="Time budget of Mamba's training, in minutes.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the training and of the times of frames.")] = 0,
) -> list[Figure]:
    """Measure the latency of predictions from the exchange's frame on."""
    with connect() as db:
        if db.execute("show track_commit_timestamp").fetchone() != ("on",):
            raise SystemExit("Set track_commit_timestamp = on in the server's configuration, and restart the server.")
    with scratch_database("candlecast_bench_feed_latency") as url:
        fill_and_train(url, train_minutes, seed)
        sent, candle, predicted = zip(*_sample(url, sessions, symbols, random.Random(seed)), strict=True)
    pairs = (
        ("frame sent to predictions committed", sent, predicted, (Limit("p99", 50.0),)),
        ("frame sent to candle committed", sent, candle, ()),
        ("candle committed to predictions committed", candle, predicted, ()),
    )
    return [
        Figure(what, "ms", [1000 * (late - early) for early, late in zip(begun, done, strict=True)], limits)
        for what, begun, done, limits in pairs
    ]


def _sample(url: str, sessions: int, symbols: int, draw: random.Random) -> list[tuple[float, float, float]]:
    """For each session the times of sending the frame, the candle's commit and the predictions' commit."""
    fixture = Fixture(url=url)
    names = [f"FEED{number:02d}" for number in range(symbols)]
    try:
        fixture.db.execute(_RETIRE, [fixture.ensemble])
        ensembles = {name: fixture.measured.create(fixture.db, name) for name in names}
        with progress("Fresh sessions") as on_step:
            return asyncio.run(_all_minutes(fixture, ensembles, sessions, draw, on_step))
    finally:
        for name in names:
            remove(fixture.db, name)
        fixture.close()


async def _all_minutes(
    fixture: Fixture, ensembles: dict[str, int], sessions: int, draw: random.Random, on_step: OnStep
) -> list[tuple[float, float, float]]:
    """In each minute, from its third second on, measure as many symbols as fit."""
    now, samples = int(time.time()), []
    market = _DelayedMarket(list(ensembles), now - 1.2 * _DAY, now + _DAY, now // MINUTE * MINUTE - MINUTE)
    async with StandIn(market, Clock()) as exchange, feed(exchange, fixture.url, list(ensembles)):
        while len(samples) < sessions:
            await asyncio.sleep((3 - time.time()) % MINUTE)
            awaited = int(time.time()) // MINUTE * MINUTE - MINUTE
            for symbol in ensembles:
                await market.release(exchange, symbol, awaited - MINUTE)
            await until_stored(fixture.url, list(ensembles), awaited)
            for symbol, ensemble in ensembles.items():
                if time.time() >= awaited + 2 * MINUTE - 6 or len(samples) == sessions:
                    break
                fixture.db.execute("select activate_ensemble(%s)", [ensemble])
                sent = await _one_session(fixture, market, exchange, symbol, awaited, draw.uniform(0.5, 1.0))
                fixture.db.execute(_RETIRE, [ensemble])
                committed = commit_times(fixture, symbol, awaited)
                if committed is None:
                    raise SystemExit(f"{symbol} was not predicted: select * from inference_runs order by id desc")
                samples.append((sent, *committed))
                on_step(len(samples), sessions, "")
    return samples


async def _one_session(
    fixture: Fixture, market: _DelayedMarket, exchange: StandIn, symbol: str, awaited: int, delay: float
) -> float:
    """The time of sending the frame that the session waited for."""
    with fixture.connect() as session:
        call = asyncio.create_task(asyncio.to_thread(session.execute, "call run_inference()"))
        deadline = time.monotonic() + 10
        while not is_running(fixture, symbol, session):
            assert time.monotonic() < deadline, "run_inference() wrote no row with status 'running'"
            await asyncio.sleep(0.01)
        await asyncio.sleep(delay)  # the session loads its models meanwhile
        sent = await market.release(exchange, symbol, awaited)
        await call
    return sent
