"""Starts the stand-in by hand, for whoever tries a feed without internet: ``python -m tests.exchange``.

It prints three settings; a candlecast that runs with them takes its candles from here. They are recorded ones where
../shared/data has the minute, else made up: NOT market data. Ctrl-C ends it.
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
    symbol: Annotated[list[str] | None, typer.Option(help="A symbol that it trades; several times for more.")] = None,
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0: a free one.")] = 0,
    speed: Annotated[float, typer.Option(min=0.1, help="How fast its clock runs; `candlecast` wants 1.")] = 1.0,
    start: Annotated[
        datetime | None, typer.Option(help="What its clock shows at first, UTC; default: the time now.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.1, help="Days of history before that, and of future after it.")] = 90.0,
    faults: Annotated[int | None, typer.Option(help="Draw every fault at random, from this seed.")] = None,
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
