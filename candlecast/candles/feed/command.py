"""The process of ``candlecast feed``: logs to standard error, stops on SIGTERM, SIGINT or SIGHUP."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence

from candlecast.candles.feed.loop import run_feed
from candlecast.candles.feed.options import FeedOptions
from candlecast.exchanges import exchange_named
from candlecast.exchanges.clock import Clock

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def feed(exchange: str, symbols: Sequence[str], database_url: str | None, options: FeedOptions) -> None:
    """Feed until a stop signal. Raises CandlecastUserError."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request
    asyncio.run(_until_signal(exchange, list(dict.fromkeys(symbols)), database_url, options))


async def _until_signal(name: str, symbols: list[str], database_url: str | None, options: FeedOptions) -> None:
    clock = Clock()
    async with exchange_named(name, clock) as exchange:
        running = asyncio.ensure_future(run_feed(exchange, symbols, database_url, options, clock))
        for number in _STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running
