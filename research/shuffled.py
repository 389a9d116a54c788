"""LightGBM's AUC after training on shuffled labels: many trainings, one minute ahead, real test labels.

    python -m research.shuffled --trainings 20 BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip

`candlecast evaluate --shuffle-labels 3` trains all models twelve times. This trains only the fastest one, often enough
to distinguish a leak of a few tenths of a point from chance. A training takes half a second.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from candlecast.trainer.data.dataset import normalize_last_rows
from candlecast.trainer.models.lgbm import LightGBMParameters, train_horizon
from candlecast.trainer.models.training import fit_rows_normalization
from research.time_range import read

PARAMETERS = LightGBMParameters(rounds=60)


def main() -> None:
    """Parse arguments, train, print one line per fold and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--trainings", type=int, default=20, help="trainings per fold")
    arguments = parser.parse_args()
    dataset, splits = read(arguments.files)
    found: list[float] = []
    for number, split in enumerate(splits, start=1):
        normalization = fit_rows_normalization(dataset, split.training)
        rows, test = (normalize_last_rows(dataset, part, normalization) for part in (split.training, split.test))
        returns = dataset.returns[split.test, 0]
        moved, values = returns != 0, []
        for seed in range(arguments.trainings):
            shuffled = np.random.default_rng((seed, number)).permutation(dataset.scaled[split.training, 0])
            probability = train_horizon(rows, shuffled, PARAMETERS, seed, 1).probability(test)
            values.append(100 * roc_auc_score(returns[moved] > 0, probability[moved]))
        print(f"fold {number}: mean AUC {np.mean(values):.2f}, standard deviation {np.std(values, ddof=1):.2f}")
        found += values
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    print(f"all: {np.mean(found):.2f}, standard error {error:.2f}, {len(found)} trainings")


if __name__ == "__main__":
    main()
