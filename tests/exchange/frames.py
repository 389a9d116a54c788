"""The stream's frames of a symbol's minute: times and texts, including faults."""

from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from .candles import Market, Row

#: Limit in seconds after a minute's end for its frames, late ones and revisions included.
LATEST = 260.0
#: Seconds between a minute's end and its closed frame.
_CLOSING = (0.03, 0.4)
#: Delays in seconds of a late closed frame, of a repeated closed frame, and of an open candle after its close.
_LATE, _AGAIN, _STALE = (6.0, 150.0), (0.1, 40.0), (0.1, 20.0)
_QUOTE_EVERY = 5.0


class Frame(NamedTuple):
    """A frame that is due at a time by the exchange's clock; ``text`` None: a frame that is withheld."""

    at: float
    text: str | bytes | None
    kind: str
    fault: str | None = None


def kline_row(row: Row) -> str:
    """A candle in the format of GET /api/v3/klines."""
    opened, high, low, close, volume, quote, taken, taken_quote = (f'"{value:.8f}"' for value in row[1:9])
    times = f"{row.open_time * 1000},{opened},{high},{low},{close},{volume},{row.open_time * 1000 + 59_999}"
    return f'[{times},{quote},{row.number_of_trades},{taken},{taken_quote},"0"]'


def csv_row(row: Row) -> str:
    """A candle as a line of the archive."""
    opened, high, low, close, volume, quote, taken, taken_quote = (f"{value:.8f}" for value in row[1:9])
    times = f"{row.open_time * 10**6},{opened},{high},{low},{close},{volume},{row.open_time * 10**6 + 59_999_999}"
    return f"{times},{quote},{row.number_of_trades},{taken},{taken_quote},0\n"


def kline_frame(symbol: str, row: Row, at: float, closed: bool) -> str:
    """A candle as a message of a combined stream."""
    begin, end = row.open_time * 1000, row.open_time * 1000 + 59_999
    first = row.open_time // 60 * 10**5 if row.number_of_trades else -1
    last = first + row.number_of_trades - 1 if row.number_of_trades else -1
    return (
        f'{{"stream":"{symbol.lower()}@kline_1m","data":{{"e":"kline","E":{int(at * 1000)},"s":"{symbol}","k":{{'
        f'"t":{begin},"T":{end},"s":"{symbol}","i":"1m","f":{first},"L":{last},'
        f'"o":"{row.open:.8f}","c":"{row.close:.8f}","h":"{row.high:.8f}","l":"{row.low:.8f}","v":"{row.volume:.8f}",'
        f'"n":{row.number_of_trades},"x":{"true" if closed else "false"},"q":"{row.quote_asset_volume:.8f}",'
        f'"V":"{row.taker_buy_base_asset_volume:.8f}","Q":"{row.taker_buy_quote_asset_volume:.8f}","B":"0"}}}}}}'
    )


def shutdown_frame(at: float) -> str:
    """The announcement that the server will close the connection."""
    return f'{{"stream":"!serverShutdown","data":{{"e":"serverShutdown","E":{int(at * 1000)}}}}}'


def candle_frames(market: Market, symbol: str, minute: int, update_every: float) -> Iterator[Frame]:
    """The kline frames of a symbol's minute, unordered: open candles and the closed one, with faults."""
    end, draw, faults = minute + 60, market.faults.drawn(symbol, minute), market.faults_of(symbol, minute)

    def closed(at: float, kind: str = "closed", fault: str | None = None, as_of: float | None = None) -> Frame:
        row = market.row(symbol, minute, max(at if as_of is None else as_of, end))
        return Frame(at, kline_frame(symbol, row, at, closed=True), kind, fault)

    def still_open(at: float, elapsed: float, fault: str | None = None) -> Frame:
        row = market.row(symbol, minute, minute + elapsed)
        return Frame(at, kline_frame(symbol, row, at, closed=False), "open", fault)

    if market.row(symbol, minute, end) is None:
        return
    # Symbols are spread within update_every, to avoid an artificial burst.
    elapsed = update_every * (crc32(symbol.encode()) % 97 + 1) / 98
    while elapsed < 60:
        if market.row(symbol, minute, minute + elapsed).number_of_trades:
            yield still_open(minute + elapsed, elapsed)
        elapsed += update_every

    at, fault = end + draw.uniform(*_CLOSING), None
    if "minute without trades or frame" in faults:
        yield Frame(at, None, "withheld", "minute without trades or frame")
        return
    if "minute without trades" in faults:
        fault = "minute without trades"
    elif "malformed closed frame" in faults:
        yield _malformed(closed(at), draw.randrange(_WAYS), "malformed closed frame")
        return
    elif "late closed frame" in faults:
        # With the values at the regular time, because a revision may have come first.
        yield closed(at + draw.uniform(*_LATE), "closed", "late closed frame", as_of=at)
        return
    elif "closed frame out of order" in faults:
        yield closed(end + 60 + draw.uniform(1, 20), "closed", "closed frame out of order", as_of=at)
        return
    revised_at = market.revised_at(symbol, minute)
    if revised_at is not None and "revised, with a frame" not in faults:
        fault = "revised without a frame"
    yield closed(at, fault=fault)
    if revised_at is not None and "revised, with a frame" in faults:
        yield closed(revised_at + draw.uniform(0.0, 0.5), "closed", "revised, with a frame")
    if "duplicate closed frame" in faults:
        for _ in range(draw.randint(1, 2)):
            yield closed(at + draw.uniform(*_AGAIN), "closed", "duplicate closed frame")
    if "open candle after its close" in faults:
        yield still_open(at + draw.uniform(*_STALE), draw.uniform(5, 59), "open candle after its close")
    if "malformed frame" in faults:
        yield _malformed(still_open(minute + 59, draw.uniform(5, 59)), draw.randrange(_WAYS), "malformed frame")


def quote_frames(market: Market, symbol: str, minute: int) -> Iterator[Frame]:
    """The bookTicker frames of a symbol's minute; all its quotes have ``market.spread_bps()``."""
    half = market.spread_bps(symbol, minute) / 2e4
    elapsed = _QUOTE_EVERY / 2
    while elapsed < 60:
        row = market.row(symbol, minute, minute + elapsed)
        if row is None:
            return
        bid, ask = row.close * (1 - half), row.close * (1 + half)
        yield Frame(
            minute + elapsed,
            f'{{"stream":"{symbol.lower()}@bookTicker","data":{{"u":{int((minute + elapsed) * 10)},"s":"{symbol}",'
            f'"b":"{bid:.8f}","B":"{1 + elapsed:.8f}","a":"{ask:.8f}","A":"{61 - elapsed:.8f}"}}}}',
            "quote",
        )
        elapsed += _QUOTE_EVERY


def _malformed(frame: Frame, way: int, fault: str) -> Frame:
    text = frame.text
    ways = (
        text[: len(text) * 2 // 3],
        text.replace('"k":{', '"k":['),
        text.replace('"o":"', '"o":"x'),
        text.replace('"v":', '"w":'),
        text.replace('"t":', '"t":null,"u":'),
        text.encode(),  # a binary frame, which the exchange never sends
        "null",
        "[]",
        '{"stream":"' + "x" * 300,
        "<html>502 Bad Gateway</html>",
        text.replace('"n":', '"n":"many","m":'),
        text.replace('"x":true', '"x":"true"').replace('"x":false', '"x":"false"'),
    )
    assert len(ways) == _WAYS
    return Frame(frame.at, ways[way], "malformed", fault)


_WAYS = 12
