"""LightGBM variants: objectives, targets, weights, a linear part before the trees, averages of seeds.

    python -m research.lightgbm_objectives BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip

A variant takes 5 to 60 seconds on one core. Regressions predict a scaled return s. Their probability here has the
log-odds 2 s / c, c = mean |scaled return|: accuracy, tenth and AUC are comparable, the gain is only an indication.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from candlecast.core.windows import HORIZONS
from candlecast.trainer.data.dataset import normalize_last_rows
from candlecast.trainer.models.lgbm import LightGBMParameters, train_horizon
from candlecast.trainer.models.training import fit_rows_normalization
from research.time_range import describe, read

#: (training rows, scaled returns, test rows) -> probability of a rise (test rows,)
Variant = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
CHOSEN = LightGBMParameters()


def line(penalty: float) -> Variant:
    """Logistic regression alone, scikit-learn's C."""

    def fit(rows: np.ndarray, scaled: np.ndarray, test: np.ndarray) -> np.ndarray:
        moved = scaled != 0
        model = LogisticRegression(C=penalty, max_iter=1_000).fit(rows[moved], scaled[moved] > 0)
        return model.predict_proba(test)[:, 1]

    return fit


def both(parameters: LightGBMParameters, seeds: int = 1) -> Variant:
    """The linear part and the trees, as ``candlecast train`` fits them."""

    def fit(rows: np.ndarray, scaled: np.ndarray, test: np.ndarray) -> np.ndarray:
        members = [train_horizon(rows, scaled, parameters, seed, 1).probability(test) for seed in range(seeds)]
        return expit(logit(np.array(members)).mean(0))

    return fit


def trees(target: Callable[[np.ndarray], np.ndarray], weight: Callable | None = None, **settings: Any) -> Variant:
    """Trees without a linear part. ``target`` maps scaled returns to labels, ``weight`` maps them to weights."""

    def fit(rows: np.ndarray, scaled: np.ndarray, test: np.ndarray) -> np.ndarray:
        moved = scaled != 0
        rows, scaled = rows[moved], scaled[moved]
        parameters: dict[str, Any] = asdict(CHOSEN) | {"num_threads": 1, "verbose": -1, "seed": 0}
        parameters |= {"deterministic": True, "force_row_wise": True} | settings
        rounds = parameters.pop("rounds")
        del parameters["linear_c"]
        weights = None if weight is None else weight(scaled)
        booster = lightgbm.train(parameters, lightgbm.Dataset(rows, target(scaled), weight=weights), rounds)
        output = np.asarray(booster.predict(test))
        is_probability = parameters["objective"] in ("binary", "cross_entropy")
        return output if is_probability else expit(2 * output / np.abs(scaled).mean())

    return fit


def up(scaled: np.ndarray) -> np.ndarray:
    """1 where the return is positive."""
    return (scaled > 0).astype(np.float32)


VARIANTS: dict[str, Variant] = {
    "line and trees (chosen)": both(CHOSEN),
    "the same, 5 seeds averaged": both(CHOSEN, seeds=5),
    "line alone, C 1e-2": line(1e-2),
    "line alone, C 1e-3": line(1e-3),
    "line alone, C 1e-4": line(1e-4),
    "line alone, C 1e-5": line(1e-5),
    "line C 1e-3, trees": both(replace(CHOSEN, linear_c=1e-3)),
    "line, trees at best thresholds": both(replace(CHOSEN, extra_trees=False)),
    "line, 300 trees": both(replace(CHOSEN, rounds=300)),
    "trees alone, logistic": trees(up, objective="binary"),
    "trees alone, best thresholds": trees(up, objective="binary", extra_trees=False),
    "soft labels, (1 + tanh s) / 2": trees(lambda s: 0.5 + 0.5 * np.tanh(s), objective="cross_entropy"),
    "weights min(|s|, 2)": trees(up, lambda s: np.minimum(np.abs(s), 2), objective="binary"),
    "Huber on scaled returns": trees(lambda s: s, objective="huber"),
    "absolute error on scaled returns": trees(lambda s: s, objective="l1"),
    "least squares on scaled returns": trees(lambda s: s, objective="l2"),
}


def main() -> None:
    """Parse arguments, run, print one line per variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    arguments = parser.parse_args()
    dataset, splits = read(arguments.files)
    returns = np.concatenate([dataset.returns[split.test] for split in splits])
    folds = []
    for split in splits:
        normalization = fit_rows_normalization(dataset, split.training)
        rows, test = (normalize_last_rows(dataset, part, normalization) for part in (split.training, split.test))
        folds.append((rows, dataset.scaled[split.training], test))
    for name, fit in VARIANTS.items():
        if arguments.only and name not in arguments.only:
            continue
        probabilities = [
            np.stack([fit(rows, scaled[:, column], test) for column in range(len(HORIZONS))], axis=1)
            for rows, scaled, test in folds
        ]
        print(describe(name, np.concatenate(probabilities).clip(1e-6, 1 - 1e-6), returns), flush=True)


if __name__ == "__main__":
    main()
