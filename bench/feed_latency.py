"""From a closed candle's frame leaving the exchange to its predictions' commit: a feed runs, a fresh session waits.

    python -m bench.feed_latency                                on a scratch database, with models trained there
    python -m bench.feed_latency --sessions 10 --train-minutes 0.2

`candlecast feed` runs as it does for a user, against the stand-in exchange on this machine. Each sample is a session of
its own that calls run_inference(), as pg_cron's are: it has its models and waits when the frame is sent. There is one
minute to wait for in sixty seconds, so the symbols take turns: each has an ensemble of the same versions, active for
its turn alone, and its minute's candle is held back until then. Commit times are PostgreSQL's own, which needs
track_commit_timestamp; the frame's is this process's, just before it sends. A commit's time is taken just before its
flush to disk: the candle's flush is counted, the predictions' is not.
"""

import asyncio
import random
import time
from typing import Annotated

import psycopg
import typer
from rich.console import Console

from bench.feed_load import running, until_stored
from bench.feed_stage import FEED, Market, Row, StandIn, kline_frame, scratch_database
from bench.prepare import fill_and_train
from bench.report import DatabaseUrl, Figure, JsonFile, Limit, tell
from bench.stage import MINUTE, Stage, remove
from candlecast.client.progress import shown
from candlecast.exchanges.clock import Clock

LIMIT = Limit("p99", 50.0)
_DAY = 86_400
#: Minutes that the candles of Stage's own symbol are old: run_inference() leaves it alone.
_OVER_AN_HOUR = 120
_RUNNING = "select 1 from inference_runs where symbol = %s and status = 'running' and backend_pid = %s"
_RETIRE = "update active_ensembles set is_active = false where id = %s"
_COMMITTED = """
select
    extract(epoch from pg_xact_commit_timestamp(candle.xmin))::float8,
    extract(epoch from max(pg_xact_commit_timestamp(written.xmin)))::float8
from candles_1m as candle
join predictions as written on written.symbol = candle.symbol and written.candle_time = candle.open_time
where candle.symbol = %s and candle.open_time = to_timestamp(%s)
group by candle.xmin having count(*) = 5"""


class _HeldBack(Market):
    """A market of which nobody hears more than was released: each symbol's minutes from ``held_from`` on are held."""

    def __init__(self, symbols: list[str], first: float, last: float, held_from: int) -> None:
        super().__init__(symbols, first, last)
        self.held_from = dict.fromkeys(symbols, held_from)

    def row(self, symbol: str, minute: int, now: float) -> Row | None:
        return None if minute >= self.held_from[symbol] else super().row(symbol, minute, now)


def main(
    database_url: DatabaseUrl = None,
    sessions: Annotated[int, typer.Option(min=1, help="Fresh sessions, about 25 a minute.")] = 200,
    symbols: Annotated[
        int, typer.Option(min=1, max=100, help="Symbols that take turns; no more than fit a minute.")
    ] = 40,
    train_minutes: Annotated[float, typer.Option(help="Time budget of Mamba's training.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the training, and of when frames come.")] = 0,
    json_file: JsonFile = None,
) -> None:
    """Measure how long a prediction takes from the exchange's frame on."""
    console = Console(stderr=True)
    with scratch_database(database_url, "candlecast_bench_feed_latency") as url:
        with psycopg.connect(url) as db:
            if db.execute("show track_commit_timestamp").fetchone() != ("on",):
                raise SystemExit("set track_commit_timestamp = on in the server's configuration, and restart it")
        fill_and_train(url, train_minutes, seed, console)
        figures = measure(url, sessions, symbols, seed, console)
        tell("A closed candle's frame to its predictions", url, figures, json_file, seed=seed)


def measure(url: str, sessions: int, symbols: int, seed: int, console: Console) -> list[Figure]:
    """On a database that has an ensemble and no active one."""
    stage = Stage(url, _OVER_AN_HOUR)
    names = [f"FEED{number:02d}" for number in range(symbols)]
    try:
        stage.db.execute(_RETIRE, [stage.ensemble])
        ensembles = {name: stage.ensemble_for(name) for name in names}
        samples = asyncio.run(_Measurement(stage, ensembles, sessions, random.Random(seed), console).run())
    finally:
        for name in names:
            remove(stage.db, name)
        stage.close()
    sent, candle, predicted = zip(*samples, strict=True)
    pairs = (
        ("frame sent to predictions committed", sent, predicted, (LIMIT,)),
        ("frame sent to candle committed", sent, candle, ()),
        ("candle committed to predictions committed", candle, predicted, ()),
    )
    return [
        Figure(what, "ms", [1000 * (late - early) for early, late in zip(begun, done, strict=True)], limits)
        for what, begun, done, limits in pairs
    ]


class _Measurement:
    def __init__(
        self, stage: Stage, ensembles: dict[str, int], sessions: int, draw: random.Random, console: Console
    ) -> None:
        self._stage, self._ensembles, self._sessions, self._draw = stage, ensembles, sessions, draw
        self._console = console
        self._samples: list[tuple[float, float, float]] = []
        now = int(time.time())
        self._market = _HeldBack(list(ensembles), now - 1.2 * _DAY, now + _DAY, now // MINUTE * MINUTE - MINUTE)

    async def run(self) -> list[tuple[float, float, float]]:
        """Times of the frame's sending, the candle's commit, the predictions' commit, for each session."""
        words = [word for symbol in self._ensembles for word in ("--symbol", symbol)]
        async with StandIn(self._market, Clock()) as exchange:
            environment = exchange.environment() | {"DATABASE_URL": self._stage.url}
            with shown(self._console, "Fresh sessions") as on_step:
                async with running([*FEED, *words], environment):
                    while len(self._samples) < self._sessions:
                        await self._one_minute(exchange, on_step)
        return self._samples

    async def _one_minute(self, exchange: StandIn, on_step) -> None:
        """As many symbols as there is time for, from the minute's third second on."""
        await asyncio.sleep((3 - time.time()) % MINUTE)
        awaited = int(time.time()) // MINUTE * MINUTE - MINUTE
        for symbol in self._ensembles:
            await self._release(exchange, symbol, awaited - MINUTE)
        await until_stored(self._stage.url, list(self._ensembles), awaited)
        for symbol, ensemble in self._ensembles.items():
            if time.time() >= awaited + 2 * MINUTE - 6 or len(self._samples) == self._sessions:
                return
            self._samples.append(await self._one_session(exchange, symbol, ensemble, awaited))
            on_step(len(self._samples), self._sessions, "")

    async def _one_session(
        self, exchange: StandIn, symbol: str, ensemble: int, awaited: int
    ) -> tuple[float, float, float]:
        db = self._stage.db
        db.execute("select activate_ensemble(%s)", [ensemble])
        with self._stage.connect() as session:
            call = asyncio.create_task(asyncio.to_thread(session.execute, "call run_inference()"))
            deadline = time.monotonic() + 10
            while not db.execute(_RUNNING, [symbol, session.info.backend_pid]).fetchone():
                assert time.monotonic() < deadline, "run_inference() wrote no row that says 'running'"
                await asyncio.sleep(0.01)
            await asyncio.sleep(self._draw.uniform(0.5, 1.0))  # it has its models then
            sent = await self._release(exchange, symbol, awaited)
            await call
        db.execute(_RETIRE, [ensemble])
        committed = db.execute(_COMMITTED, [symbol, awaited]).fetchone()
        if committed is None:
            raise SystemExit(f"{symbol} was not predicted: select * from inference_runs order by id desc")
        return sent, *committed

    async def _release(self, exchange: StandIn, symbol: str, minute: int) -> float:
        """Let the symbol's candle of a minute be known, and send its frame: when, epoch seconds."""
        if minute < self._market.held_from[symbol]:
            return time.time()
        self._market.held_from[symbol] = minute + MINUTE
        row = self._market.row(symbol, minute, minute + MINUTE)
        assert row is not None
        text = kline_frame(symbol, row, time.time(), closed=True)
        sent = time.time()
        await exchange.send(text)
        return sent


if __name__ == "__main__":
    typer.run(main)
