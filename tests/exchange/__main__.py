"""Starts the stand-in, to try a feed without internet access: ``python -m tests.exchange``. Ctrl-C stops it.

It prints three environment variables; candlecast commands with them get their candles from here. Candles are recorded
if ../shared/data has the minute, else synthetic: NOT market data.
"""

import asyncio
import importlib.util
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from candlecast.exchanges.clock import Clock

if importlib.util.find_spec("aiohttp") is None:
    sys.exit(f"the stand-in needs aiohttp: {sys.executable} -m pip install -c constraints.txt aiohttp")

from . import Faults, Market, StandIn


def main(
    symbol: Annotated[list[str] | None, typer.Option(help="Symbol of the market; repeatable.")] = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0: any free port.")] = 0,
    speed: Annotated[float, typer.Option(min=0.1, help="Speed of the clock; `candlecast` commands need 1.")] = 1.0,
    start: Annotated[datetime | None, typer.Option(help="Start time of the clock, UTC; default: now.")] = None,
    days: Annotated[float, typer.Option(min=0.1, help="Days of candles before and after the start time.")] = 90.0,
    faults: Annotated[int | None, typer.Option(help="Seed of random faults; default: no faults.")] = None,
    update_every: Annotated[float, typer.Option(min=0.5, help="Seconds between two frames of an open candle.")] = 2.0,
) -> None:
    """Serve candles in Binance's formats on loopback, until Ctrl-C."""
    began = start.replace(tzinfo=UTC).timestamp() if start else time.time()
    clock = Clock() if start is None and speed == 1.0 else Clock(speed, began)
    drawn = Faults() if faults is None else Faults.menu(faults, since=began)
    market = Market(symbol or ["BTCUSDT", "ETHUSDT"], began - days * 86_400, began + days * 86_400, drawn)
    asyncio.run(_serve(StandIn(market, clock, port=port, update_every=update_every)))


async def _serve(exchange: StandIn) -> None:
    async with exchange:
        print(*(f"export {name}={url}" for name, url in exchange.environment().items()), sep="\n", flush=True)
        await exchange.clock.forever()


if __name__ == "__main__":
    try:
        typer.run(main)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
