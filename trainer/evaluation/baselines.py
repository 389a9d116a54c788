"""Baselines: forecasts without a model, and linear models on LightGBM's input.

Linear models read the normalized last row of a window, one model per horizon. They are fitted on training rows. Their
penalty is chosen on validation rows, which Mamba's early stopping uses too.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

from candlecast.core.normalization import Normalization
from candlecast.core.windows import HORIZONS
from candlecast.trainer.data.dataset import Dataset, normalize_last_rows
from candlecast.trainer.data.splits import Split

#: Inverse penalties of the logistic regression; penalties of the ridge regression.
INVERSE_STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
STRENGTHS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6)


@dataclass(frozen=True)
class Fitted:
    """A linear model's output (rows, 5) on the validation and the test part; ``chosen`` (5,) penalty of each horizon.

    The logistic regression gives probabilities, the ridge regression scaled returns.
    """

    validation: np.ndarray
    test: np.ndarray
    chosen: list[float]


def base_rates(scaled: np.ndarray) -> np.ndarray:
    """Share of positive returns among those that are not 0: (n, 5) -> (5,)."""
    rates: np.ndarray = (scaled > 0).sum(axis=0) / (scaled != 0).sum(axis=0)
    return rates


def fit_logistic(dataset: Dataset, split: Split, normalization: Normalization) -> Fitted:
    """Logistic regression of the direction, with the penalty of the lowest log loss on validation rows."""
    rows = _rows(dataset, split, normalization)
    outcomes = {name: dataset.scaled[getattr(split, name)] for name in ("training", "validation")}
    validation, test, chosen = [], [], []
    for column in range(len(HORIZONS)):
        training, held_out = (outcomes[name][:, column] for name in ("training", "validation"))
        models = [
            LogisticRegression(C=strength, solver="newton-cholesky").fit(
                rows["training"][training != 0], training[training != 0] > 0
            )
            for strength in INVERSE_STRENGTHS
        ]
        probabilities = [model.predict_proba(rows["validation"])[:, 1] for model in models]
        losses = [log_loss(held_out[held_out != 0] > 0, one[held_out != 0]) for one in probabilities]
        best = int(np.argmin(losses))
        validation.append(probabilities[best])
        test.append(models[best].predict_proba(rows["test"])[:, 1])
        chosen.append(INVERSE_STRENGTHS[best])
    return Fitted(np.stack(validation, axis=1), np.stack(test, axis=1), chosen)


def fit_ridge(dataset: Dataset, split: Split, normalization: Normalization) -> Fitted:
    """Ridge regression of scaled returns, with the penalty of the lowest squared error on validation rows."""
    rows = _rows(dataset, split, normalization)
    training, held_out = (dataset.scaled[getattr(split, name)] for name in ("training", "validation"))
    models = [Ridge(alpha=strength).fit(rows["training"], training) for strength in STRENGTHS]
    errors = np.stack([((model.predict(rows["validation"]) - held_out) ** 2).mean(axis=0) for model in models])
    best = errors.argmin(axis=0)

    def pick(part: str) -> np.ndarray:
        predicted = np.stack([model.predict(rows[part]) for model in models])
        return predicted[best, :, np.arange(len(HORIZONS))].T

    return Fitted(pick("validation"), pick("test"), [STRENGTHS[number] for number in best])


def _rows(dataset: Dataset, split: Split, normalization: Normalization) -> dict[str, np.ndarray]:
    return {
        name: normalize_last_rows(dataset, getattr(split, name), normalization).astype(np.float64)
        for name in ("training", "validation", "test")
    }
