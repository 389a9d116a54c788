"""The candles of the market: the truth that the stand-in serves and that tables are compared with.

They are recorded if ../shared/data has the minute, else synthetic. The faults of Market decide which minutes have no
trades, and which the exchange revises later: before the revision every source has the first version.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from candlecast.candles.files import read_candle_file
from candlecast.core.candle_columns import NUMBERS

from .faults import Faults

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
_RECORDED = {
    "BTCUSDT": ("spot/BTCUSDT-1m-2026-03.zip", "spot/BTCUSDT-1m-2026-04.zip"),
    "AVAXUSDT": ("futures-um/AVAXUSDT-1m-2026-04.csv.gz",),
    "FILUSDT": ("futures-um/FILUSDT-1m-2026-04.csv.gz",),
    "NEARUSDT": ("futures-um/NEARUSDT-1m-2026-04.csv.gz",),
}
_DAY = 1440
#: Share of the synthetic minutes without trades.
_QUIET = 0.01
#: Seconds from a minute's end to its revision.
_REVISED_AFTER = (5.0, 240.0)


class Row(NamedTuple):
    """One minute with the columns of candles_1m; open_time in seconds since the epoch."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_asset_volume: float
    taker_buy_base_asset_volume: float
    taker_buy_quote_asset_volume: float
    number_of_trades: int


class Market:
    """The symbols' candles with open_time in [first, last), epoch seconds on the minute."""

    def __init__(
        self,
        symbols: Sequence[str],
        first: float,
        last: float,
        faults: Faults | None = None,
        recorded: bool = True,
        halts: Sequence[tuple[float, float]] = (),
    ) -> None:
        """``halts``: ranges [from, to) without candles."""
        self.first, self.last = int(first) // 60 * 60, int(last) // 60 * 60
        self.faults = faults or Faults()
        minutes = np.arange(self.first, self.last, 60, dtype=np.int64)
        self._open = np.ones(len(minutes), dtype=bool)
        for begin, end in halts:
            self._open &= (minutes < begin) | (minutes >= end)
        self._columns: dict[str, dict[str, np.ndarray]] = {}
        self._drawn: dict[str, dict[str, np.ndarray]] = {}
        for symbol in symbols:
            columns = _generated(symbol, self.first // 60, self.last // 60)
            if recorded:
                _overlay(columns, symbol, self.first, self.last)
            drawn = self.faults.of_minutes(symbol, minutes)
            _flatten(columns, drawn["minute without trades"] | drawn["minute without trades or frame"])
            self._columns[symbol], self._drawn[symbol] = columns, drawn

    @property
    def symbols(self) -> list[str]:
        """The traded symbols."""
        return list(self._columns)

    def row(self, symbol: str, minute: int, now: float) -> Row | None:
        """The candle of a minute at the time ``now``: partial while it is open, later perhaps revised.

        None outside of the market, in a halt, and before the minute starts.
        """
        index = (minute - self.first) // 60
        if not 0 <= index < len(self._open) or not self._open[index] or now < minute:
            return None
        row = Row(minute, *(self._columns[symbol][name][index].item() for name in (*NUMBERS, "number_of_trades")))
        if now < minute + 60:
            return _partial(row, (now - minute) / 60)
        revised_at = self.revised_at(symbol, minute)
        return row if revised_at is None or now >= revised_at else _first_version(row)

    def rows(self, symbol: str, first: int, last: int, now: float) -> list[Row]:
        """The candles with open_time in [first, last] at the time ``now``."""
        first, last = max(first, self.first), int(min(last, self.last - 60, now))
        found = (self.row(symbol, minute, now) for minute in range(-(-first // 60) * 60, last + 1, 60))
        return [row for row in found if row is not None]

    def truth(self, symbol: str, first: float, last: float) -> list[Row]:
        """The final candles of [first, last), which the table must contain."""
        return self.rows(symbol, int(first), int(last) - 1, math.inf)

    def faults_of(self, symbol: str, minute: int) -> set[str]:
        """The FRAME_FAULTS that were drawn for a minute."""
        index = (minute - self.first) // 60
        return {name for name, drawn in self._drawn[symbol].items() if drawn[index]}

    def revised_at(self, symbol: str, minute: int) -> float | None:
        """Time of the revision of a minute's candle; None without a revision, and always None without trades."""
        drawn, index = self._drawn[symbol], (minute - self.first) // 60
        if not drawn["revised, with a frame"][index] and not drawn["revised without a frame"][index]:
            return None
        if not self._columns[symbol]["number_of_trades"][index]:
            return None
        return minute + 60 + self.faults.drawn(symbol, minute, "revised").uniform(*_REVISED_AFTER)

    def corrupt(self, symbol: str, minute: int, **values: float) -> None:
        """Set values of a minute, which may contradict the others."""
        for name, value in values.items():
            self._columns[symbol][name][(minute - self.first) // 60] = value

    def spread_bps(self, symbol: str, minute: int) -> float:
        """The spread of a minute's quotes, in basis points of the mid price; the same for all of them."""
        return 0.25 * (1 + crc32(f"{symbol} {minute}".encode()) % 16)


def _partial(row: Row, elapsed: float) -> Row:
    """The candle after this fraction of its minute; flat and empty until its first trade."""
    trades = math.floor(row.number_of_trades * elapsed)
    if not trades:
        return row._replace(
            high=row.open, low=row.open, close=row.open, volume=0.0, quote_asset_volume=0.0,
            taker_buy_base_asset_volume=0.0, taker_buy_quote_asset_volume=0.0, number_of_trades=0,
        )  # fmt: skip
    close = round(row.open + (row.close - row.open) * elapsed, 8)
    return row._replace(
        high=max(close, row.open, round(row.open + (row.high - row.open) * elapsed, 8)),
        low=min(close, row.open, round(row.open + (row.low - row.open) * elapsed, 8)),
        close=close,
        number_of_trades=trades,
        **_scaled(row, elapsed),
    )


def _first_version(row: Row) -> Row:
    """The candle without its last trades."""
    return row._replace(
        close=round((row.open + row.close) / 2, 8),
        number_of_trades=max(1, row.number_of_trades - 1),
        **_scaled(row, 0.97),
    )


def _scaled(row: Row, factor: float) -> dict[str, float]:
    volumes = {name: round(getattr(row, name) * factor, 8) for name in Row._fields[5:9]}
    taken = volumes["taker_buy_base_asset_volume"]
    return volumes | {"taker_buy_base_asset_volume": min(taken, volumes["volume"])}


def _flatten(columns: Mapping[str, np.ndarray], quiet: np.ndarray) -> None:
    """Remove the trades of these minutes: prices are the previous close, all else is 0."""
    for index in np.flatnonzero(quiet):
        price = columns["close"][index - 1] if index else columns["open"][index]
        for name in NUMBERS:
            columns[name][index] = price if name in ("open", "high", "low", "close") else 0.0
        columns["number_of_trades"][index] = 0


def _overlay(columns: Mapping[str, np.ndarray], symbol: str, first: int, last: int) -> None:
    """Replace synthetic candles of [first, last) with recorded ones."""
    for name in _RECORDED.get(symbol, ()):
        if not (SHARED / name).is_file():
            continue
        times, values = _recorded(name, symbol)
        within = (times >= first) & (times < last)
        for column, recorded in values.items():
            columns[column][(times[within] - first) // 60] = recorded[within]


@lru_cache
def _recorded(name: str, symbol: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A file's open times in epoch seconds, and its columns."""
    candles = read_candle_file(SHARED / name, symbol)
    return candles.open_time // 10**6, {column: candles.columns[column] for column in (*NUMBERS, "number_of_trades")}


def _generated(symbol: str, first: int, last: int) -> dict[str, np.ndarray]:
    """Synthetic candles of the minutes [first, last); a minute's candle does not depend on the range."""
    days = [_generated_day(symbol, day) for day in range(first // _DAY, -(-last // _DAY))]
    start = first - first // _DAY * _DAY
    return {name: np.concatenate([day[name] for day in days])[start : start + last - first] for name in days[0]}


def _generated_day(symbol: str, day: int) -> dict[str, np.ndarray]:
    noise = np.random.default_rng([crc32(symbol.encode()), day])
    level = 10 ** (crc32(symbol.encode()) % 5)
    anchors = [level * (3 + math.sin(number / 7) / 4 + math.sin(number / 1.7) / 9) for number in (day, day + 1)]
    # A random walk from the day's first price to the next day's, so that days are independent.
    walk = np.concatenate(([0.0], np.cumsum(noise.normal(0, 6e-4, _DAY))))
    share = np.linspace(0, 1, _DAY + 1)
    prices = np.round(
        np.exp(np.log(anchors[0]) * (1 - share) + np.log(anchors[1]) * share + walk - share * walk[-1]), 4
    )
    trades = noise.poisson(noise.lognormal(4.5, 0.8, _DAY)) + 1
    trades[noise.random(_DAY) < _QUIET] = 0
    opened, close = prices[:-1].copy(), prices[1:].copy()
    wick = np.abs(noise.normal(0, 3e-4, (2, _DAY)))
    high = np.round(np.maximum(opened, close) * (1 + wick[0]), 4)
    low = np.round(np.minimum(opened, close) * (1 - wick[1]), 4)
    volume = np.round(trades * noise.gamma(2.0, 0.02, _DAY) * 1e4 / level, 5)
    taken = np.minimum(np.round(volume * noise.beta(8, 8, _DAY), 5), volume)
    price = (high + low + opened + close) / 4
    columns = dict(zip(NUMBERS, (opened, high, low, close, volume, np.round(volume * price, 8), taken), strict=False))
    columns["taker_buy_quote_asset_volume"] = np.minimum(np.round(taken * price, 8), columns["quote_asset_volume"])
    columns["number_of_trades"] = trades
    _flatten(columns, trades == 0)
    return columns
