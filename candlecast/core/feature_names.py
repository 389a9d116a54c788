"""The names and the order of the features.

The formulas are in one place, ``db/functions/features/features_between_vNN.sql``. ``FEATURE_HASH`` identifies the list
and the version of the formulas. Models with another hash are not loaded.
"""

from hashlib import sha256

from candlecast.core.candle_columns import RAW_COLUMNS

FEATURES = (
    *RAW_COLUMNS,
    "taker_buy_ratio",
    "log_return_1m",
    "log_return_5m",
    "log_return_15m",
    "volatility_5m",
    "volatility_15m",
    "volatility_30m",
    "sma_5_norm",
    "sma_15_norm",
    "sma_30_norm",
    "ema_5_norm",
    "ema_15_norm",
    "ema_30_norm",
    "rsi_14",
    "volume_sma_ratio",
    "vwap_deviation",
    "price_position",
)

#: Increase it when the meaning of a formula changes. Part of the hash.
FORMULAS_VERSION = 1
FEATURE_HASH = sha256(f"{FORMULAS_VERSION}:{','.join(FEATURES)}".encode()).hexdigest()

CLOSE = FEATURES.index("close")
VOLATILITY_30M = FEATURES.index("volatility_30m")
