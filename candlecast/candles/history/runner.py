"""Runs backfill and repair: an exchange, a connection, each symbol in turn, signals, and the exit status.

A signal ends it between two transactions or inside one, which is then rolled back: what was loaded stays, and the next
run goes on from there.
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
    """What backfill and repair work with."""

    exchange: Exchange
    connection: psycopg.Connection
    now: float  #: seconds since the epoch by the exchange's clock, when the command began

    async def execute(
        self,
        work: Callable[Concatenate[psycopg.Connection, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """What work(connection, ...) returns, while the exchange is being heard; one at a time."""
        task = asyncio.create_task(asyncio.to_thread(work, self.connection, *args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():  # a cancel that comes between two statements is lost
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
    """Do the work for each symbol, then print what came of it; the exit status.

    0: every minute that the exchange has is there. 1: one symbol is not through, an archive or candle was refused and
    its minutes did not come another way. 128 and more: a signal. Raises CandlecastUserError; Unreachable (69).
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
        finally:  # whatever stopped it: say what is loaded
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
    """The command's exit status; 128 and the signal's number where one ended it."""
    task, stopped_by = asyncio.current_task(), list[signal.Signals]()
    assert task is not None

    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: signal.Signals) -> None:
        stopped_by.append(number)
        task.cancel()
        for other in numbers:  # a second signal does not wait for the roll-back
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
            "hint: What is loaded stays loaded. Run the command again: it goes on from there.\n"
        )
        return 128 + stopped_by[0]
