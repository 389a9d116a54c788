"""Walk-forward search of LightGBM's parameters: penalty of the linear part, number, size and randomness of the trees.

    python -m research.lightgbm_search --trials 40 BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip

Optuna's TPE sampler with a seed. It maximizes the gain in log loss over a fair coin, mean over horizons. A trial takes
5 to 15 seconds on one core. The first trial has the parameters in trainer/models/lgbm.py.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import optuna

from candlecast.core.windows import HORIZONS
from candlecast.trainer.data.dataset import Dataset, normalize_last_rows
from candlecast.trainer.data.splits import Split
from candlecast.trainer.models.lgbm import LightGBMParameters, train_horizon
from candlecast.trainer.models.training import fit_rows_normalization
from research.time_range import describe, log_loss_gain, read

Fold = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    """Parse arguments, search, print every trial and the best."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    dataset, splits = read(arguments.files)
    folds = [_fold(dataset, split) for split in splits]

    def objective(trial: optuna.Trial) -> float:
        parameters = suggest(trial)
        probability = np.concatenate([forecast(fold, parameters, arguments.seed, arguments.threads) for fold in folds])
        returns = np.concatenate([fold[3] for fold in folds])
        print(describe(f"{trial.number}", probability, returns), trial.params, flush=True)
        return float(log_loss_gain(probability, returns).mean())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=arguments.seed))
    defaults = asdict(LightGBMParameters())
    study.enqueue_trial({name: defaults[name] for name in SEARCHED})
    study.optimize(objective, n_trials=arguments.trials)
    print(f"first {study.trials[0].value:.3f}, best {study.best_value:.3f} (trial {study.best_trial.number})")
    print(study.best_params)


SEARCHED = (
    "linear_c", "rounds", "num_leaves", "min_data_in_leaf", "feature_fraction", "bagging_fraction", "lambda_l2",
    "extra_trees",
)  # fmt: skip


def suggest(trial: optuna.Trial) -> LightGBMParameters:
    """Parameters of a trial. The learning rate is fixed, because the number of rounds compensates for it."""
    return replace(
        LightGBMParameters(),
        linear_c=trial.suggest_float("linear_c", 1e-5, 1e-2, log=True),
        rounds=trial.suggest_int("rounds", 20, 400, log=True),
        num_leaves=trial.suggest_int("num_leaves", 4, 63, log=True),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 100, 3_000, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.1, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.3, 1.0),
        lambda_l2=trial.suggest_float("lambda_l2", 1.0, 300.0, log=True),
        extra_trees=trial.suggest_categorical("extra_trees", [True, False]),
    )


def forecast(fold: Fold, parameters: LightGBMParameters, seed: int, threads: int) -> np.ndarray:
    """Probabilities (test rows, 5) of a fold."""
    rows, scaled, test_rows, _ = fold
    columns = [
        train_horizon(rows, scaled[:, column], parameters, seed, threads).probability(test_rows, threads)
        for column in range(len(HORIZONS))
    ]
    return np.stack(columns, axis=1)


def _fold(dataset: Dataset, split: Split) -> Fold:
    normalization = fit_rows_normalization(dataset, split.training)
    return (
        normalize_last_rows(dataset, split.training, normalization),
        dataset.scaled[split.training],
        normalize_last_rows(dataset, split.test, normalization),
        dataset.returns[split.test],
    )


if __name__ == "__main__":
    main()
