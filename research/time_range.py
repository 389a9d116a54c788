"""The time range of all experiments: BTCUSDT, 1 March to 20 April 2026, three folds of ten days.

Experiments do not read 21 to 30 April. Only `candlecast evaluate` measures it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from candlecast.core.windows import HORIZONS
from candlecast.trainer.data.dataset import Dataset, dataset_from_files
from candlecast.trainer.data.splits import Split, split_walk_forward

#: The first minute that no experiment reads.
HELD_OUT_FROM = datetime(2026, 4, 21, tzinfo=UTC)
FIRST_TEST = datetime(2026, 3, 22, tzinfo=UTC)
FOLDS = 3


def read(files: Sequence[Path]) -> tuple[Dataset, list[Split]]:
    """The files' candles before 21 April, and the folds of all experiments."""
    dataset = dataset_from_files(files, to_time=HELD_OUT_FROM)
    return dataset, split_walk_forward(dataset.candle_time, FOLDS, int(FIRST_TEST.timestamp()))


def log_loss_gain(probability: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """By horizon, (5,): log loss of a fair coin minus log loss of the forecast, in 1e-4 nats. Larger is better."""
    gains = []
    for column in range(len(HORIZONS)):
        moved = returns[:, column] != 0
        gains.append(np.log(2) - log_loss(returns[moved, column] > 0, probability[moved, column]))
    return 1e4 * np.array(gains)


def describe(name: str, probability: np.ndarray, returns: np.ndarray) -> str:
    """One line: direction accuracy, accuracy of the strongest 10 %, gain in log loss and AUC, for the five horizons."""
    accuracy, tenth, auc = [], [], []
    for column in range(len(HORIZONS)):
        moved = returns[:, column] != 0
        up, forecast = returns[moved, column] > 0, probability[moved, column]
        hits, strength = (forecast > 0.5) == up, np.abs(forecast - 0.5)
        accuracy.append(100 * hits.mean())
        tenth.append(100 * hits[strength >= np.quantile(strength, 0.9)].mean())
        auc.append(100 * roc_auc_score(up, forecast))
    gains = log_loss_gain(probability, returns)
    parts = (("accuracy", accuracy), ("tenth", tenth), ("gain", gains), ("AUC", auc))
    return f"{name:<36}" + " | ".join(f"{title} " + " ".join(f"{x:5.2f}" for x in xs) for title, xs in parts)
