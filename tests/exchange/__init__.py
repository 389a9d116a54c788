"""A stand-in for Binance on loopback: real formats, real limits, real faults, at any speed.

    async with StandIn(Market(["BTCUSDT"], first, last), Clock(600, first + 86_400)) as exchange:
        Binance(clock, exchange.rest_url, exchange.stream_url, exchange.archive_url)

To try a feed without internet access: ``python -m tests.exchange --help``.
"""

from .candles import Market, Row
from .faults import ARCHIVE_FAULTS, CONNECTION_FAULTS, FRAME_FAULTS, REQUEST_FAULTS, Faults
from .limits import Counters
from .server import StandIn

__all__ = [
    "ARCHIVE_FAULTS",
    "CONNECTION_FAULTS",
    "FRAME_FAULTS",
    "REQUEST_FAULTS",
    "Counters",
    "Faults",
    "Market",
    "Row",
    "StandIn",
]
