"""Fits the robust centers and scales that ``candlecast.core.normalization.normalize`` applies.

Only training windows are used: ``tests/unit/trainer/test_dataset.py`` changes every later row and expects the same fit.
"""

import json

import numpy as np

from candlecast.core.feature_names import FEATURE_HASH, FEATURES
from candlecast.core.normalization import Normalization, normalize
from candlecast.core.windows import SEQUENCE_LENGTH

#: Taken relative to the sequence's last close, so that the price level does not matter.
PRICE_LEVELS = ("open", "high", "low", "close")
#: Taken as log(1 + x): non-negative and heavy-tailed.
LOG1P = (
    "volume",
    "quote_asset_volume",
    "taker_buy_base_asset_volume",
    "taker_buy_quote_asset_volume",
    "number_of_trades",
    "spread_bps",
    "volume_sma_ratio",
)
CLIP = 10.0
#: Interquartile range of a normal distribution, in standard deviations.
NORMAL_IQR = 1.349


def fit_normalization(windows: np.ndarray) -> Normalization:
    """Raw training windows (batch, 60, features) float64 -> median and IQR / 1.349 of each transformed feature.

    If the IQR is under a thousandth of the standard deviation, the scale is the standard deviation; if that is 0, the
    scale is 1.
    """
    count = len(FEATURES)
    plain = Normalization(
        relative=np.isin(FEATURES, PRICE_LEVELS),
        log1p=np.isin(FEATURES, LOG1P),
        center=np.zeros(count),
        scale=np.ones(count),
        clip=np.full(count, np.inf),
    )
    values = normalize(windows, plain).reshape(-1, count).astype(np.float64)
    low, center, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    scale, deviation = (high - low) / NORMAL_IQR, values.std(axis=0)
    scale = np.where(scale > 1e-3 * deviation, scale, deviation)
    scale = np.where(scale > 0, scale, 1.0)
    return Normalization(plain.relative, plain.log1p, center, scale, np.full(count, CLIP))


def to_json(params: Normalization) -> bytes:
    """The bytes of ``normalization_params_v1.json``, which `core.normalization.parse_normalization` reads."""
    methods = np.where(params.relative, "relative_to_last_close", np.where(params.log1p, "log1p", "identity")).tolist()
    numbers = np.column_stack([params.center, params.scale, params.clip]).tolist()
    document = {
        "version": 1,
        "feature_hash": FEATURE_HASH,
        "sequence_length": SEQUENCE_LENGTH,
        "features": [
            {"name": name, "method": method, "center": center, "scale": scale, "clip": clip}
            for name, method, (center, scale, clip) in zip(FEATURES, methods, numbers, strict=True)
        ],
    }
    return json.dumps(document, indent=1).encode()
