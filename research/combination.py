"""Walk-forward comparison of weights, calibration methods and interval coverage.

    python -m research.combination BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip

Trains the pair of each fold like ``candlecast train``. Then compares the fitted weight, equal weights and each single
model on the test rows, and the effect of each calibration method on the log loss, per fold and in total.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from candlecast.core.calibration import Calibration
from candlecast.core.windows import HORIZONS
from candlecast.trainer.models.fit_calibration import Method, fit_calibration
from candlecast.trainer.models.training import TrainingOptions, forecast_pair, train_pair
from research.time_range import describe, log_loss_gain, read

FITTED_ON = ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00")  # not used here


def main() -> None:
    """Parse arguments, train the folds, print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--mamba-seeds", type=int, default=TrainingOptions().mamba_seeds)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dataset, splits = read(arguments.files)
    options = TrainingOptions(
        seed=arguments.seed, threads=arguments.threads, mamba_seeds=arguments.mamba_seeds, mamba_budget_seconds=3_600.0
    )
    probabilities: dict[str, list[np.ndarray]] = {}
    covered = []
    for number, split in enumerate(splits, start=1):
        pair = train_pair(dataset, split, options)
        fitted_on, tested_on = (forecast_pair(pair, dataset, rows) for rows in (split.validation, split.test))
        outcomes = dataset.scaled[split.validation]
        factor = pair.calibration.slope[0] * pair.magnitude[0] / 2
        print(f"fold {number}: {pair.weight}, factor on the models' own log-odds {factor:.2f}", flush=True)
        for name, weight in (("fitted", pair.weight.weight), ("equal", 0.5), ("Mamba", 1.0), ("LightGBM", 0.0)):
            ensemble, test = (weight * one.mamba + (1 - weight) * one.lgbm for one in (fitted_on, tested_on))
            raw = (test / pair.magnitude + 1) / 2
            probabilities.setdefault(f"{name}, not calibrated", []).append(raw)
            for method in Method:
                calibration = fit_calibration(
                    ensemble, outcomes, weight, pair.magnitude, _seen(pair.calibration), method, FITTED_ON
                )[0]
                probabilities.setdefault(f"{name}, {method.value}", []).append(calibration.probability_up(test))
        actual = dataset.scaled[split.test]
        inside = (tested_on.lower <= actual) & (actual <= tested_on.upper)
        covered.append(inside)
        print(f"  interval coverage {100 * inside.mean(0).round(4)} %", flush=True)
        for name, parts in probabilities.items():
            print(f"  {name:<28}", log_loss_gain(parts[-1], dataset.returns[split.test]).round(1), flush=True)
    returns = np.concatenate([dataset.returns[split.test] for split in splits])
    for name, parts in probabilities.items():
        print(describe(name, np.concatenate(parts).clip(1e-6, 1 - 1e-6), returns))
    shares = 100 * np.concatenate(covered).mean(0)
    print("interval coverage", ", ".join(f"{h} min {s:.2f} %" for h, s in zip(HORIZONS, shares, strict=True)))


def _seen(calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    return calibration.low, calibration.high


if __name__ == "__main__":
    main()
