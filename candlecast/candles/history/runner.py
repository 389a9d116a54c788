"""Runs a command of this package: an exchange, a connection, signals, and the exit status.

A signal ends it between two transactions or inside one, which is then rolled back: what was loaded stays, and the next
run goes on from there.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import psycopg

from candlecast.client.database import connect, explain
from candlecast.exchanges.base import Exchange

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Session:
    """What a command works with."""

    exchange: Exchange
    connection: psycopg.Connection
    now: float  #: seconds since the epoch by the exchange's clock, when the command began

    async def database(
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


def run(command: Callable[[Session], Awaitable[int]], exchange: Exchange, url: str | None) -> int:
    """The command's exit status; 128 and the signal's number where one ended it. Raises CandlecastUserError."""
    try:
        with connect(url) as connection:
            connection.execute("set timezone = 'UTC'; set datestyle = 'ISO'")
            return asyncio.run(_run(command, exchange, connection))
    except psycopg.Error as error:
        raise explain(error) from error


async def _run(command: Callable[[Session], Awaitable[int]], exchange: Exchange, connection: psycopg.Connection) -> int:
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
            return await command(Session(exchange, connection, now))
    except asyncio.CancelledError:
        if not stopped_by:
            raise
        sys.stderr.write(
            f"candlecast: stopped by {stopped_by[0].name}\n"
            "hint: What is loaded stays loaded. Run the command again: it goes on from there.\n"
        )
        return 128 + stopped_by[0]
