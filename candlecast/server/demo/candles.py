"""Synthetic candles, so that a new installation can predict before it has real data. NOT market data.

    from candlecast.server.demo.candles import generate
    generate(29_000_000, 29_086_400)["close"]

The generator is seeded and has a weak, known, learnable signal. A hidden order flow (a weighted mean of the noise of
recent minutes) shifts the mean of the next returns. It is visible, with noise, in the takers' share of the volume. The
noise of a minute comes from a counter-based generator keyed by (seed, minute). Every hidden value is a finite function
of that noise; only the previous close is carried over. So one call for a range and one call per minute give the same
candles.

With the hidden order flow, the direction 1, 2, 3, 4 and 5 minutes ahead can be predicted in 59.1, 59.7, 59.3, 58.7 and
58.1 percent of the cases: the upper limit of any model. The sign of the last candle's taker share alone reaches 56.7,
57.3, 57.0, 56.4 and 56.0. tests/unit/server/test_demo.py measures both.
"""

import math

import numpy as np

SEED = 20_090_103
#: The price returns to this level too slowly (half of the way in about 85 days) to be a signal.
ANCHOR = 60_000.0
_PULL = 5.6e-6

#: One standard deviation of a calm minute's log return.
_CALM = 4.5e-4
#: Correlation of the order flow with the next minute's return: 1/2 + arcsin(0.28) / pi = 59.0 %.
_SIGNAL = 0.28
#: Weight of the previous minute in the order flow.
_FLOW_MEMORY = 0.55
_FLOW_MINUTES = 24
_VOLATILITY_MINUTES = 480
#: Philox produces four words per counter. Four counters per minute give sixteen standard normals.
_COUNTERS = 4
_FLOW, _TAKERS, _CALMNESS, _VOLUME, _TRADES = range(5)
_PATH = slice(5, 16)


def generate(
    from_minute: int, to_minute: int, previous_close: float | None = None, seed: int = SEED
) -> dict[str, np.ndarray]:
    """Candles of the minutes [from_minute, to_minute), counted from 1970-01-01 UTC.

    Returns 'minute' (int64), the raw columns of candles_1m (float64, prices and sizes rounded as on an exchange) and
    number_of_trades (int64). Without a previous close the price starts at ANCHOR.
    """
    count = max(to_minute - from_minute, 0)
    history = _VOLATILITY_MINUTES
    noise = _noise(from_minute - history, count + history, seed)
    minutes = np.arange(from_minute, from_minute + count, dtype=np.int64)
    flow = _order_flow(noise, history)
    flow_now, flow_before = flow[1:], flow[:-1]
    activity = _activity(noise, history, minutes)
    noise = noise[history:]

    sigma = _CALM * np.exp(0.45 * activity)
    steps = noise[:, _PATH]
    parts = steps.shape[1]
    steps = math.sqrt((1 - _SIGNAL**2) / parts) * steps + (_SIGNAL / parts) * flow_before[:, np.newaxis]
    path = np.cumsum(sigma[:, np.newaxis] * steps, axis=1)  # (count, parts) log price relative to the open

    opens, closes = _prices(path[:, -1], ANCHOR if previous_close is None else previous_close)
    inside = opens[:, np.newaxis] * np.exp(path[:, :-1])
    high = np.maximum(np.maximum(opens, closes), np.round(inside.max(axis=1), 2))
    low = np.minimum(np.minimum(opens, closes), np.round(inside.min(axis=1), 2))

    volume = np.maximum(np.round(8.0 * np.exp(0.6 * activity + 0.5 * noise[:, _VOLUME]), 5), 1e-5)
    lean = 0.75 * flow_now + math.sqrt(1 - 0.75**2) * noise[:, _TAKERS]
    bought = np.round(volume * (0.5 + 0.45 * np.tanh(0.4 * lean)), 5)
    average_price = (opens + high + low + closes) / 4
    return {
        "minute": minutes,
        "open": opens,
        "high": high,
        "low": low,
        "close": closes,
        "volume": volume,
        "quote_asset_volume": np.round(volume * average_price, 4),
        "taker_buy_base_asset_volume": bought,
        "taker_buy_quote_asset_volume": np.round(bought * average_price, 4),
        "number_of_trades": np.ceil(90 * volume * np.exp(0.3 * noise[:, _TRADES])).astype(np.int64),
    }


def order_flow(from_minute: int, to_minute: int, seed: int = SEED) -> np.ndarray:
    """The hidden signal of the minutes [from_minute, to_minute), with unit variance. For measurements only."""
    noise = _noise(from_minute - _FLOW_MINUTES, to_minute - from_minute + _FLOW_MINUTES, seed)
    return _order_flow(noise, _FLOW_MINUTES)[1:]


def _order_flow(noise: np.ndarray, history: int) -> np.ndarray:
    """The order flow, starting at the last minute of ``history``, which shifts the first minute after it."""
    return _sum_trailing(noise[:, _FLOW], _FLOW_MEMORY ** np.arange(_FLOW_MINUTES), history - 1)


def _activity(noise: np.ndarray, history: int, minutes: np.ndarray) -> np.ndarray:
    """Log activity of each minute: bursts of half an hour, waves of hours, and the time of day."""
    calmness = noise[:, _CALMNESS]
    ages = np.arange(_VOLATILITY_MINUTES)
    bursts = _sum_trailing(calmness, np.exp(-ages / 20), history)
    waves = _sum_trailing(calmness, np.exp(-ages / 160), history)
    return 0.6 * bursts + 0.6 * waves + 0.5 * np.cos(2 * np.pi * (minutes % 1440 - 870) / 1440)


def _sum_trailing(values: np.ndarray, weights: np.ndarray, start: int) -> np.ndarray:
    """Weighted sums with unit variance that end at each element, beginning with ``start``."""
    weights = weights / np.sqrt((weights**2).sum())
    return np.convolve(values, weights, mode="full")[start : len(values)]


def _noise(from_minute: int, count: int, seed: int) -> np.ndarray:
    """(count, 16) standard normals, independent per minute, by the Box-Muller transform."""
    philox = np.random.Philox(key=seed, counter=from_minute * _COUNTERS)
    words = philox.random_raw(count * _COUNTERS * 4).reshape(count, 2, -1)
    uniform = ((words >> np.uint64(11)) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[:, 0]))
    angle = 2.0 * np.pi * uniform[:, 1]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _prices(moves: np.ndarray, previous_close: float) -> tuple[np.ndarray, np.ndarray]:
    """Opens and closes from log moves. Each minute opens at the previous close."""
    opens, closes, level = [], [], previous_close
    for move in moves.tolist():
        opens.append(level)
        level = round(level * math.exp(move + _PULL * math.log(ANCHOR / level)), 2)
        closes.append(level)
    return np.array(opens), np.array(closes)
