"""Runs backfill and repair for each symbol, handles signals and sets the exit status.

A signal stops the run and rolls back the open transaction. Loaded candles stay, and the next run continues from there.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import psycopg

from candlecast.candles.history.outcome import Outcome
from candlecast.client.database import connect, explain
from candlecast.core.errors import CandlecastUserError, Unreachable
from candlecast.exchanges.base import Exchange

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Context:
    """The exchange, the connection and the time of a run."""

    exchange: Exchange
    connection: psycopg.Connection
    now: float  #: start of the run, seconds since the epoch by the exchange's clock

    async def execute(
        self,
        work: Callable[Concatenate[psycopg.Connection, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Return work(connection, ...), run in a thread so that downloads continue; one call at a time."""
        task = asyncio.create_task(asyncio.to_thread(work, self.connection, *args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():  # repeated, because a cancel between two statements has no effect
                with suppress(psycopg.Error):
                    self.connection.cancel()
                await asyncio.wait([task], timeout=0.2)
            task.exception()
            raise


def run_symbols(
    symbols: Sequence[str],
    work: Callable[[Context, Outcome], Awaitable[None]],
    print_outcomes: Callable[[list[Outcome]], None],
    exchange: Exchange,
    url: str | None,
) -> int:
    """Do the work for each symbol, print the results and return the exit status.

    0: every candle of the exchange is stored. 1: a symbol failed, or a candle was rejected. 128 + N: stopped by
    signal N. Raises CandlecastUserError; Unreachable (69).
    """

    async def run_all(context: Context) -> int:
        outcomes: list[Outcome] = []
        try:
            for symbol in dict.fromkeys(symbols):
                outcome = Outcome(symbol)
                outcomes.append(outcome)
                try:
                    await work(context, outcome)
                except Unreachable:
                    raise
                except CandlecastUserError as error:
                    outcome.failed = error
        finally:  # also after an error: print what was loaded
            print_outcomes(outcomes)
        return int(any(not outcome.is_complete for outcome in outcomes))

    try:
        with connect(url) as connection:
            connection.execute("set timezone = 'UTC'; set datestyle = 'ISO'")
            return asyncio.run(_run_until_signal(run_all, exchange, connection))
    except psycopg.Error as error:
        raise explain(error) from error


async def _run_until_signal(
    command: Callable[[Context], Awaitable[int]], exchange: Exchange, connection: psycopg.Connection
) -> int:
    """The command's exit status, or 128 + the number of the signal that stopped it."""
    task, stopped_by = asyncio.current_task(), list[signal.Signals]()
    assert task is not None

    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: signal.Signals) -> None:
        stopped_by.append(number)
        task.cancel()
        for other in numbers:  # a second signal does not wait for the rollback
            loop.remove_signal_handler(other)

    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        async with exchange:
            now = await exchange.server_time()
            return await command(Context(exchange, connection, now))
    except asyncio.CancelledError:
        if not stopped_by:
            raise
        sys.stderr.write(
            f"candlecast: stopped by {stopped_by[0].name}\n"
            "hint: Run the command again to continue: loaded candles are kept.\n"
        )
        return 128 + stopped_by[0]
