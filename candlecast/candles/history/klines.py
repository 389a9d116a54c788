"""Past candles over REST: groups gaps into requests, fetches pages, converts them to ``Candles``."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from candlecast.candles.files import Candles
from candlecast.candles.gaps import Gap
from candlecast.core.candle_columns import NUMBERS
from candlecast.core.times import MINUTE_US
from candlecast.exchanges.base import Candle, Exchange

#: Gaps within this range share one request: a response has up to 1,000 candles.
_PAGE = timedelta(minutes=1000)


async def fetch_pages(exchange: Exchange, symbol: str, first: int, last: int) -> AsyncIterator[list[Candle]]:
    """Yield the candles with open_time in [first, last] in pages, until the exchange has no more."""
    while first <= last:
        page = await exchange.klines(symbol, first, last)
        if not page:
            return
        yield page
        first = max(first, page[-1].open_time) + MINUTE_US


def group_gaps(gaps: Iterable[Gap]) -> list[list[Gap]]:
    """Group ascending gaps; each group needs one request."""
    groups: list[list[Gap]] = []
    for gap in gaps:
        if groups and gap.last - groups[-1][0].first < _PAGE:
            groups[-1].append(gap)
        else:
            groups.append([gap])
    return groups


def convert_page(page: Sequence[Candle], exchange: str) -> Candles:
    """Convert a page of one symbol's candles; error messages name the exchange and the symbol."""
    return Candles(
        file=f"{exchange} klines of {page[0].symbol}",
        symbol=page[0].symbol,
        open_time=np.array([candle.open_time for candle in page], dtype=np.int64),
        columns={name: np.array([getattr(candle, name) for candle in page], dtype=np.float64) for name in NUMBERS}
        | {
            "number_of_trades": np.array([_clip_int64(candle.number_of_trades) for candle in page], dtype=np.int64),
            "spread_bps": np.full(len(page), np.nan),
        },
        places=np.arange(1, len(page) + 1),
        unit="row",
        unclosed=0,
        duplicates=0,
    )


def remove_candle(candles: Candles, index: int) -> Candles:
    """The candles without the one at this index."""
    kept = np.arange(len(candles)) != index
    return replace(
        candles,
        open_time=candles.open_time[kept],
        columns={name: column[kept] for name, column in candles.columns.items()},
        places=candles.places[kept],
    )


def _clip_int64(number: int) -> int:
    """The nearest int64. A constraint of the table rejects both limits, with the candle's time."""
    return max(-(2**63), min(number, 2**63 - 1))
