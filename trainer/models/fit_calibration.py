"""Fits an ensemble on validation rows: Mamba's weight, probabilities, prediction intervals.

All arrays are scaled returns (batch, 5). ``candlecast.core.calibration`` applies the result.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from candlecast.core.calibration import FORMAT, Calibration, parse_calibration
from candlecast.core.windows import HORIZONS

#: Target coverage of the prediction interval.
LEVEL = 0.9
#: Candidate weights: hundredths, which numeric(5,4) represents exactly.
WEIGHTS = np.linspace(0.0, 1.0, 101)
#: Prior standard deviation of the factor on the models' own log-odds. A few days of validation rows have little
#: information, and in walk-forward tests a freely fitted slope was worse than none (docs/explanation/experiments.md).
FACTOR_DEVIATION = 0.1
#: Minutes per bootstrap block: longer than the overlap of five-minute outcomes and short volatility clusters.
BLOCK = 240
RESAMPLES = 1_000


class Method(StrEnum):
    """The map from scaled return to probability."""

    slope = "slope"  #: Platt scaling without intercept: the models' own slopes times one factor, regularized towards 1
    platt = "platt"  #: Platt scaling with slope and intercept per horizon


@dataclass(frozen=True)
class WeightFit:
    """Mamba's weight with its 95 % interval, and the gain over LightGBM alone on validation rows.

    gain: log loss of LightGBM alone minus log loss of the ensemble, in nats per direction, with its 95 % interval. The
    weight is chosen on the same rows, so the gain is optimistic.
    """

    weight: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


def fit_weight(
    mamba: np.ndarray, lgbm: np.ndarray, magnitude: np.ndarray, scaled: np.ndarray, seed: int = 0
) -> WeightFit:
    """The weight with the lowest log loss over all horizons, (n, 5) arrays in time order, averaged over resamples.

    Each weight is compared at its best slope (logistic stacking, after Wolpert 1992), so that the size of a forecast
    does not matter. The best weight of a few days is unstable and jumps between 0 and 1. Its mean over a block
    bootstrap (Kuensch 1989; Breiman 1996 on averaging) with blocks of four hours stays near 0.5 if the rows have no
    information, and goes to 0 if Mamba only adds noise. The intervals are of the same resamples.
    """
    forecasts = np.stack([mamba, lgbm]) / magnitude
    up = scaled > 0
    moved = (scaled != 0).astype(np.float64)
    losses = np.stack([_loss_by_row(w * forecasts[0] + (1 - w) * forecasts[1], up, moved) for w in WEIGHTS])
    blocks = np.add.reduceat(losses, np.arange(0, losses.shape[1], BLOCK), axis=1)
    counts = np.add.reduceat(moved.sum(axis=1), np.arange(0, len(moved), BLOCK))
    random = np.random.default_rng(seed)
    drawn = random.integers(blocks.shape[1], size=(RESAMPLES, blocks.shape[1]))
    totals = blocks[:, drawn].sum(axis=2)  # (weights, resamples)
    chosen = WEIGHTS[totals.argmin(axis=0)]
    best = round(100 * chosen.mean())
    gains = (totals[0] - totals[best]) / counts[drawn].sum(axis=1)
    return WeightFit(
        weight=best / 100,
        low=float(np.quantile(chosen, 0.025)),
        high=float(np.quantile(chosen, 0.975)),
        gain=float((blocks[0].sum() - blocks[best].sum()) / counts.sum()),
        gain_low=float(np.quantile(gains, 0.025)),
        gain_high=float(np.quantile(gains, 0.975)),
    )


def fit_calibration(
    ensemble: np.ndarray,
    scaled: np.ndarray,
    weight: float,
    magnitude: np.ndarray,
    seen: tuple[np.ndarray, np.ndarray],
    method: Method,
    fitted_on: tuple[str, str],
) -> tuple[Calibration, str]:
    """Fit on validation rows, (n, 5) forecasts and outcomes. Returns the calibration and the text of calibration.json.

    magnitude (5,): mean |scaled return| on training rows; seen: lowest and highest standardized features of the
    training rows, (features,) each; fitted_on: first and last candle_time of the validation rows as ISO times.
    """
    document = {
        "format": FORMAT,
        "mamba_weight": weight,
        "probability": _probability(ensemble, scaled, magnitude, method),
        "interval": {"level": LEVEL, "half_width": half_width(ensemble, scaled).tolist()},
        "seen": {"low": seen[0].tolist(), "high": seen[1].tolist()},
        "rows": len(ensemble),
        "from": fitted_on[0],
        "to": fitted_on[1],
    }
    content = json.dumps(document, allow_nan=False)
    return parse_calibration(content), content


def half_width(ensemble: np.ndarray, scaled: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Split conformal prediction: the ceil((n + 1) level)-th smallest |outcome - forecast| of each horizon, (5,)."""
    distances = np.sort(np.abs(scaled - ensemble), axis=0)
    rank = min(int(np.ceil((len(distances) + 1) * level)), len(distances))
    return distances[rank - 1]


def best_slope(
    forecast: np.ndarray, up: np.ndarray, weight: np.ndarray, prior: tuple[float, float] | None = None
) -> float:
    """The slope >= 0 with the lowest log loss of 1 / (1 + exp(-slope forecast)). Arrays are flat.

    ``prior``, mean and standard deviation of a normal distribution, adds a penalty. The loss is convex in the slope, so
    its derivative has at most one root. The slope is 0 if no positive slope lowers the loss.
    """

    def derivative(slope: float) -> float:
        pull = 0.0 if prior is None else (slope - prior[0]) / prior[1] ** 2
        return float((weight * forecast * (expit(slope * forecast) - up)).sum()) + pull

    if derivative(0.0) >= 0.0:
        return 0.0
    upper = 1.0
    while derivative(upper) < 0.0 and upper < 1e6:
        upper *= 4
    return float(brentq(derivative, 0.0, upper, xtol=1e-6)) if derivative(upper) >= 0.0 else upper


def _loss_by_row(forecast: np.ndarray, up: np.ndarray, moved: np.ndarray) -> np.ndarray:
    slope = best_slope(forecast.ravel(), up.ravel().astype(np.float64), moved.ravel())
    margin = np.where(up, 1.0, -1.0) * slope * forecast
    return (moved * np.logaddexp(0.0, -margin)).sum(axis=1)


def _probability(ensemble: np.ndarray, scaled: np.ndarray, magnitude: np.ndarray, method: Method) -> dict[str, object]:
    up, moved = (scaled > 0).astype(np.float64), scaled != 0
    if method is Method.slope:
        # s = (2p - 1) c, so a slope of 2 / c restores the models' own p, up to the third order of 2p - 1. Outcomes of
        # h minutes overlap h times, so each has the weight 1 / h.
        own = 2.0 / magnitude
        weight = moved / np.array(HORIZONS, dtype=np.float64)
        factor = best_slope((own * ensemble).ravel(), up.ravel(), weight.ravel(), prior=(1.0, FACTOR_DEVIATION))
        return {"method": "platt", "slope": (factor * own).tolist(), "intercept": [0.0] * len(HORIZONS)}
    columns = [(ensemble[moved[:, i], i], up[moved[:, i], i]) for i in range(len(HORIZONS))]
    fits = [LogisticRegression(C=np.inf).fit(x[:, np.newaxis] / x.std(), y) for x, y in columns]
    return {
        "method": "platt",
        "slope": [float(fit.coef_[0, 0] / x.std()) for fit, (x, _) in zip(fits, columns, strict=True)],
        "intercept": [float(fit.intercept_[0]) for fit in fits],
    }
