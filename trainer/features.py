"""The features in NumPy: the reference for tests of the SQL function ``features_between``.

    open_time, matrix = compute_features({"open_time": seconds, "open": ..., "close": ..., ...})

The database does not run this; the models read ``features_1m``. It is written from the definitions, window by
window, with two passes where a mean is subtracted, so that it shares neither code nor algorithm with the SQL.

Sources: R. Roll, "A Simple Implicit Measure of the Effective Bid-Ask Spread in an Efficient Market", Journal of
Finance 39(4), 1984; J. W. Wilder, "New Concepts in Technical Trading Systems", 1978.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.core.feature_names import FEATURES
from candlecast.core.windows import FEATURE_WINDOW, whole_windows

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: An autocorrelation this close to 0 is a rounding error, not a spread: its square root would turn 1e-16 into 1e-8.
NO_AUTOCORRELATION = 1e-6


def compute_features(candles: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Floats]:
    """Compute the features of one symbol's candles.

    ``candles``: arrays of equal length n; ``open_time`` in epoch seconds, ascending; ``RAW_COLUMNS`` as float64, with
    ``spread_bps`` NaN if unknown. Gaps are allowed: a row exists only where 150 candles are one minute apart.

    Returns the rows' open_time (m,) and their features (m, features) in the order of ``FEATURES``.
    Raises ValueError if a column is missing, the lengths differ, or the times are not ascending.
    """
    open_time, raw = _check_candles(candles)
    if len(open_time) < FEATURE_WINDOW:
        return np.empty(0, np.int64), np.empty((0, len(FEATURES)))
    ends = np.arange(FEATURE_WINDOW - 1, len(open_time))  # rows with 150 candles, with or without gaps
    whole = whole_windows(open_time, FEATURE_WINDOW) - ends[0]

    columns = _columns(raw, ends)
    matrix = np.column_stack([columns[name] for name in FEATURES])[whole]
    return open_time[ends][whole], matrix


def _check_candles(candles: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, Floats]]:
    missing = [name for name in ("open_time", *RAW_COLUMNS) if name not in candles]
    if missing:
        raise ValueError(f"candles have no columns {', '.join(missing)}: pass open_time and RAW_COLUMNS")
    open_time = np.asarray(candles["open_time"], np.int64)
    raw = {name: np.asarray(candles[name], np.float64) for name in RAW_COLUMNS}
    for name, values in raw.items():
        if values.shape != open_time.shape:
            raise ValueError(f"{name} has shape {values.shape}, open_time {open_time.shape}: pass one value per candle")
    descending = np.flatnonzero(np.diff(open_time) <= 0)
    if len(descending):
        at = int(open_time[descending[0] + 1])
        raise ValueError(f"open_time {at} is not after the previous one: sort one symbol's candles by time")
    return open_time, raw


def _columns(raw: dict[str, Floats], ends: np.ndarray) -> dict[str, Floats]:
    """All features at the candles ``ends``. The caller drops rows whose window crosses a gap."""
    close, high, low, volume = raw["close"], raw["high"], raw["low"], raw["volume"]
    log_return = _log_return(close, 1)  # [0] is NaN: it has no previous close
    columns = {name: raw[name][ends] for name in RAW_COLUMNS}
    columns["spread_bps"] = np.where(
        np.isnan(columns["spread_bps"]), _roll_spread_bps(log_return)[ends], columns["spread_bps"]
    )
    taker_buy = np.divide(raw["taker_buy_base_asset_volume"], volume, out=np.full_like(volume, 0.5), where=volume != 0)
    columns["taker_buy_ratio"] = taker_buy[ends]
    for minutes in (1, 5, 15):
        columns[f"log_return_{minutes}m"] = _log_return(close, minutes)[ends]
    for minutes in (5, 15, 30):
        columns[f"volatility_{minutes}m"] = _last(log_return, minutes).std(axis=1, ddof=1)[ends]
        columns[f"sma_{minutes}_norm"] = ((close - _last(close, minutes).mean(axis=1)) / close)[ends]
        columns[f"ema_{minutes}_norm"] = ((close - _exponential_mean(close, minutes)) / close)[ends]
    columns["rsi_14"] = _rsi(close, 14)[ends]
    columns["volume_sma_ratio"] = _ratio(volume, _last(volume, 20).mean(axis=1), otherwise=1.0)[ends]
    quotes, volumes = _last(raw["quote_asset_volume"], 60).sum(axis=1), _last(volume, 60).sum(axis=1)
    vwap = _ratio(quotes, volumes, otherwise=np.nan)
    columns["vwap_deviation"] = np.where(volumes == 0, 0.0, (close - vwap) / close)[ends]
    columns["price_position"] = _ratio(close - low, high - low, otherwise=0.5)[ends]
    return columns


def _last(values: Floats, length: int) -> Floats:
    """(n,) -> (n, length): the last ``length`` values at each position, oldest first; NaN where there are fewer."""
    windows: Floats = sliding_window_view(np.concatenate([np.full(length - 1, np.nan), values]), length)
    return windows


def _ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    result = np.full_like(denominator, otherwise)
    return np.divide(numerator, denominator, out=result, where=denominator != 0)


def _log_return(close: Floats, minutes: int) -> Floats:
    """ln(close[t] / close[t - minutes]); NaN at the first ``minutes`` positions."""
    result = np.full_like(close, np.nan)
    result[minutes:] = np.log(close[minutes:] / close[:-minutes])
    return result


def _decayed_sum(values: Floats, decay: float, length: int) -> Floats:
    """Sum over k in [0, length) of decay^k * values[t - k]; NaN where there are fewer values. No subtraction."""
    result = np.full_like(values, np.nan)
    result[length - 1 :] = np.convolve(values, decay ** np.arange(length), mode="valid")
    return result


def _exponential_mean(close: Floats, span: int) -> Floats:
    """Mean of the last 150 closes; the close k minutes back has the weight (1 - 2 / (span + 1))^k."""
    decay = 1 - 2 / (span + 1)
    return _decayed_sum(close, decay, FEATURE_WINDOW) / float(np.sum(decay ** np.arange(FEATURE_WINDOW)))


def _rsi(close: Floats, span: int) -> Floats:
    """Wilder's (1978) index as a fraction, G / (G + L), over the 149 changes in the window; 0.5 if all changes are 0.

    The sum of the weights is the same in Wilder's two means and cancels out.
    """
    change, decay = np.diff(close), 1 - 1 / span
    gains = _decayed_sum(np.maximum(change, 0), decay, FEATURE_WINDOW - 1)
    losses = _decayed_sum(np.maximum(-change, 0), decay, FEATURE_WINDOW - 1)
    return np.concatenate([[np.nan], _ratio(gains, gains + losses, otherwise=0.5)])


def _roll_spread_bps(log_return: Floats) -> Floats:
    """Roll's (1984) effective spread, 20000 * sqrt(-c). c is the covariance of 30 returns with their previous returns.

    0 if c is not negative, or within ``NO_AUTOCORRELATION`` of 0 relative to the variances.
    """
    returns = _last(log_return, 30)
    earlier = np.concatenate([np.full((1, 30), np.nan), returns[:-1]])
    returns = returns - returns.mean(axis=1, keepdims=True)
    earlier = earlier - earlier.mean(axis=1, keepdims=True)
    products = (returns * earlier).sum(axis=1)
    scale = np.sqrt((returns**2).sum(axis=1) * (earlier**2).sum(axis=1))
    negative = products < -NO_AUTOCORRELATION * scale
    return 20000 * np.sqrt(np.where(negative, -products, 0) / 29)
