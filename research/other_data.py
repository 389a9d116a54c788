r"""Effect of more training rows on LightGBM's forecasts of BTCUSDT: earlier months, and other symbols.

    python -m research.other_data BTCUSDT-1m-2026-03.zip BTCUSDT-1m-2026-04.zip \
        --extra BTCUSDT-1m-2025-08-01_10.csv.gz --extra NEARUSDT-1m-2026-04.csv.gz

Only rows of an extra file before a fold's validation part, minus the purge, are used: another symbol's April must not
be training data for a test in April. Each extra file is added alone, then all together, with BTCUSDT's normalization.
"""

import argparse
from pathlib import Path

import numpy as np

from candlecast.core.windows import HORIZONS
from candlecast.trainer.data.dataset import Dataset, dataset_from_files, normalize_last_rows
from candlecast.trainer.data.splits import PURGE, Split
from candlecast.trainer.models.lgbm import LightGBMParameters, train_horizon
from candlecast.trainer.models.training import fit_rows_normalization
from research.time_range import HELD_OUT_FROM, describe, read


def main() -> None:
    """Parse arguments, train with and without extra files, print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--extra", type=Path, action="append", required=True)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    dataset, splits = read(arguments.files)
    extras = {path.name: dataset_from_files([path], to_time=HELD_OUT_FROM) for path in arguments.extra}
    returns = np.concatenate([dataset.returns[split.test] for split in splits])
    tried = {"BTCUSDT alone": [], **{name: [one] for name, one in extras.items()}, "all": list(extras.values())}
    for name, chosen in tried.items():
        probabilities = np.concatenate([forecast(dataset, split, chosen, arguments.threads) for split in splits])
        print(describe(name, probabilities, returns), flush=True)


def forecast(dataset: Dataset, split: Split, extras: list[Dataset], threads: int) -> np.ndarray:
    """Probabilities (test rows, 5) of one fold, trained on its training rows and on earlier rows of the extra files."""
    normalization = fit_rows_normalization(dataset, split.training)
    border = dataset.candle_time[split.validation[0]] - PURGE * 60
    early = [np.flatnonzero(one.candle_time < border) for one in extras]
    rows = [normalize_last_rows(one, chosen, normalization) for one, chosen in zip(extras, early, strict=True)]
    scaled = [one.scaled[chosen] for one, chosen in zip(extras, early, strict=True)]
    rows.append(normalize_last_rows(dataset, split.training, normalization))
    scaled.append(dataset.scaled[split.training])
    every_row, every_return = np.concatenate(rows), np.concatenate(scaled)
    test_rows = normalize_last_rows(dataset, split.test, normalization)
    models = [
        train_horizon(every_row, every_return[:, column], LightGBMParameters(), 0, threads)
        for column in range(len(HORIZONS))
    ]
    return np.stack([model.probability(test_rows, threads) for model in models], axis=1)


if __name__ == "__main__":
    main()
