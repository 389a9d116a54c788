"""The feed in a separate process on a replay's clock, for tests that kill it (tests/db/candles/test_feed.py)."""

import asyncio
import json
import sys
import time
from typing import Any

from candlecast.candles.feed.loop import run_feed
from candlecast.candles.feed.options import FeedOptions
from candlecast.exchanges.binance import Binance
from candlecast.exchanges.clock import Clock


async def main(
    database_url: str,
    symbols: list[str],
    urls: list[str],
    speed: float,
    shown: float,
    at: float,
    options: dict[str, Any],
) -> None:
    """Feed until killed. The clock showed ``shown`` when this machine's monotonic clock showed ``at``."""
    clock = Clock(speed, shown + (time.monotonic() - at) * speed)
    async with Binance(clock, *urls) as exchange:
        await run_feed(exchange, symbols, database_url, FeedOptions(**options), clock)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
