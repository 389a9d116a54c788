"""The distribution of each feature over a version's training rows, and the distance of other rows from it.

It describes normalized last rows, float32, as the models read them: raw price levels always drift, normalized ones need
not. The trainer stores ``describe(...)`` in facts.json as ``training_distribution``, about 10 kB; measure_drift() reads
it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from candlecast.core.errors import DistributionInvalid
from candlecast.core.feature_names import FEATURES
from candlecast.core.times import DAY_SECONDS

#: The key in facts.json.
FIELD = "training_distribution"
FORMAT = 1
#: Quantiles are stored at steps of 1 / STEPS. Every second one is a decile, a bin edge of the index.
STEPS = 20
DECILES = 10
#: The smallest share of a bin, so that the logarithm exists; the value that Evidently uses.
MIN_SHARE = 1e-4
#: Rows that a training day needs to count for ``furthest_day``: half of its minutes.
MIN_DAY_ROWS = 720
#: Larger counts are invalid.
MAX_ROWS = 10**12


@dataclass(frozen=True)
class Distribution:
    """One feature: ascending edges (k,) float32, and the number of training rows at or below each edge, (k,) int64.

    furthest_day is the largest index of any training day; None where no day had enough rows.
    """

    rows: int
    edges: np.ndarray
    upto: np.ndarray
    furthest_day: float | None = None

    def compare(self, values: np.ndarray) -> tuple[float, float]:
        """Population stability index and Kolmogorov-Smirnov distance of values (n,) float32, n > 0.

        Index: the sum over bins of (a - e) ln(a / e), where a and e are the shares of values and of training rows;
        Lewis (1994), Siddiqi (2006). Distance: the largest difference of the two distribution functions at an edge. It
        is at most 1 / STEPS below the exact distance.
        """
        upto = np.searchsorted(np.sort(values), self.edges, side="right")
        bins = self._find_bins()
        expected = _compute_shares(self.upto[bins], self.rows)
        actual = _compute_shares(upto[bins], len(values))
        index = float(((actual - expected) * np.log(actual / expected)).sum())
        return index, float(np.abs(upto / len(values) - self.upto / self.rows).max())

    def _find_bins(self) -> np.ndarray:
        """Positions of the edges that bound bins: the training deciles. A value that fills a decile has its own bin."""
        wanted = np.arange(1, DECILES) * self.rows
        deciles = np.searchsorted(self.upto * DECILES, wanted)
        repeated = deciles[1:][deciles[1:] == deciles[:-1]]
        bins = np.unique(np.concatenate([deciles, repeated - 1]))
        return bins[bins >= 0]


def describe(rows: np.ndarray, times: np.ndarray) -> dict[str, Any]:
    """Normalized training rows (n, features) float32 at times (n,), epoch seconds -> ``training_distribution``."""
    days, places, counts = np.unique(times // DAY_SECONDS, return_inverse=True, return_counts=True)
    whole = [rows[places == place] for place in range(len(days)) if counts[place] >= MIN_DAY_ROWS]
    features = {}
    for column, name in enumerate(FEATURES):
        edges, upto = _compute_quantiles(rows[:, column])
        plain = Distribution(len(rows), edges, upto)
        indices = [plain.compare(day[:, column])[0] for day in whole]
        features[name] = {
            "edges": [float(str(edge)) for edge in edges],  # the shortest text that reads back as this float32
            "upto": upto.tolist(),
            "furthest_day": round(max(indices), 4) if indices else None,
        }
    return {"format": FORMAT, "rows": len(rows), "days": len(whole), "features": features}


def parse_distribution(document: Any) -> dict[str, Distribution]:
    """The parsed key of facts.json -> distributions by feature. Raises DistributionInvalid with the reason."""
    try:
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise DistributionInvalid(reason=f"its format is not {FORMAT}")
        rows, features = document["rows"], document["features"]
        if not _is_count(rows) or not 0 < rows < MAX_ROWS:
            raise DistributionInvalid(reason=f"rows is {rows!r}, not a number above 0")
        if set(features) != set(FEATURES):
            raise DistributionInvalid(reason="its features differ from the ones that this server computes")
        return {name: _parse_feature(name, rows, features[name]) for name in FEATURES}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DistributionInvalid(reason=repr(error)) from None


def _parse_feature(name: str, rows: int, given: dict[str, Any]) -> Distribution:
    edges, upto, furthest = np.asarray(given["edges"], np.float32), given["upto"], given["furthest_day"]
    if edges.ndim != 1 or not len(edges) or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise DistributionInvalid(reason=f"the edges of {name} are not ascending numbers")
    if len(upto) != len(edges) or not all(map(_is_count, upto)) or max(upto) > rows or (np.diff(upto) < 0).any():
        raise DistributionInvalid(reason=f"upto of {name} is not a count of rows for each edge")
    if upto[-1] * STEPS < rows * (STEPS - 1):
        raise DistributionInvalid(reason=f"the last edge of {name} leaves more than 1 / {STEPS} of the rows above it")
    if furthest is not None and not 0.0 <= float(furthest) < float("inf"):
        raise DistributionInvalid(reason=f"furthest_day of {name} is {furthest!r}, not a number of at least 0")
    return Distribution(rows, edges, np.asarray(upto, np.int64), furthest)


def _compute_quantiles(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts: the quantiles at steps of 1 / STEPS. Where one value fills a step, also the float below it."""
    ordered = np.sort(values)
    marks = ordered[-(-np.arange(1, STEPS) * len(ordered) // STEPS) - 1]
    repeated = marks[1:][marks[1:] == marks[:-1]]
    edges = np.unique(np.concatenate([marks, np.nextafter(repeated, np.float32(-np.inf))]))
    return edges, np.searchsorted(ordered, edges, side="right")


def _compute_shares(upto: np.ndarray, total: int) -> np.ndarray:
    """Counts up to each inner edge -> the share of each bin, at least ``MIN_SHARE``."""
    return np.maximum(np.diff(upto, prepend=0, append=total) / total, MIN_SHARE)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
