"""Normalization of raw feature windows. Training and serving both call ``normalize``.

Each version has its own parameters in ``normalization_params_v1.json``, fitted on training rows only: a method, a
center, a scale and a clip for each feature.
"""

import json
from dataclasses import dataclass

import numpy as np

from candlecast.core.errors import ArtifactDamaged, ArtifactRefused
from candlecast.core.feature_names import CLOSE, FEATURE_HASH, FEATURES
from candlecast.core.windows import SEQUENCE_LENGTH

METHODS = ("relative_to_last_close", "log1p", "identity")


@dataclass(frozen=True)
class Normalization:
    """Parsed parameters, each (features,): ``relative`` and ``log1p`` are boolean masks, the others numbers."""

    relative: np.ndarray
    log1p: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    clip: np.ndarray


def parse_normalization(content: bytes, name: str = "normalization_params_v1.json") -> Normalization:
    """Parse the file's bytes. Raises ArtifactDamaged, or ArtifactRefused where its features differ."""
    try:
        document = json.loads(content)
        rows = document["features"]
        names = tuple(row["name"] for row in rows)
        methods = [row["method"] for row in rows]
        numbers = np.array([[row["center"], row["scale"], row["clip"]] for row in rows], dtype=np.float64)
        version, feature_hash, length = (
            document["version"],
            document["feature_hash"],
            document["sequence_length"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactDamaged(name=name, reason=f"these are not normalization parameters: {error!r}") from None
    if version != 1 or length != SEQUENCE_LENGTH:
        raise ArtifactDamaged(name=name, reason=f"version {version!r} with sequence_length {length!r} is unknown")
    if names != FEATURES or feature_hash != FEATURE_HASH:
        raise ArtifactRefused(name=name, reason="its features differ from the ones that this server computes")
    unknown = sorted({str(method) for method in methods} - set(METHODS))
    if unknown:
        raise ArtifactDamaged(name=name, reason=f"unknown method {unknown[0]!r}; the methods are {', '.join(METHODS)}")
    center, scale, clip = numbers.T
    if not np.isfinite(numbers).all() or (scale <= 0).any() or (clip <= 0).any():
        raise ArtifactDamaged(name=name, reason="a center is not finite, or a scale or clip is not positive")
    return Normalization(
        relative=np.array([method == "relative_to_last_close" for method in methods]),
        log1p=np.array([method == "log1p" for method in methods]),
        center=center,
        scale=scale,
        clip=clip,
    )


def normalize(windows: np.ndarray, params: Normalization) -> np.ndarray:
    """Raw windows (batch, 60, features) float64 -> model inputs (batch, 60, features) float32."""
    return clip(standardize(windows, params), params)


def standardize(windows: np.ndarray, params: Normalization) -> np.ndarray:
    """Raw windows (batch, 60, features) float64 -> transformed, centered and scaled, not clipped, float64.

    Price levels become x / last close - 1, so that a new price level does not matter. Volumes become log1p(x). Then
    (x - center) / scale.
    """
    values = np.array(windows, dtype=np.float64)
    last_close = values[:, -1, CLOSE][:, np.newaxis, np.newaxis]
    values[:, :, params.relative] = values[:, :, params.relative] / last_close - 1.0
    values[:, :, params.log1p] = np.log1p(values[:, :, params.log1p])
    values -= params.center
    values /= params.scale
    return values


def clip(values: np.ndarray, params: Normalization) -> np.ndarray:
    """Standardized values (..., features) -> clipped to each feature's bounds, float32."""
    return np.clip(values, -params.clip, params.clip).astype(np.float32)
