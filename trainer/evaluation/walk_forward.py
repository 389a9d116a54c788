"""Trains a new pair for each fold and collects the forecasts of all models for its test rows.

    splits = split_walk_forward(dataset.candle_time)
    rows = forecast_folds(dataset, splits, TrainingOptions(), Path("evaluations/mine"))

Each fold's rows are stored in a file in the folder when the fold is done. So an interrupted run continues with the next
fold, and figures can be recomputed without training. The file name has a hash of everything that determines the rows:
data, split, options, libraries and ``FOLD_FORMAT``.
"""

import json
import os
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from candlecast.core.feature_names import FEATURES, VOLATILITY_30M
from candlecast.core.returns import scale_of
from candlecast.trainer.data.dataset import Dataset
from candlecast.trainer.data.splits import Split
from candlecast.trainer.evaluation import baselines
from candlecast.trainer.evaluation.metrics import Kind
from candlecast.trainer.models import artifacts
from candlecast.trainer.models.fit_calibration import Method, fit_calibration
from candlecast.trainer.models.training import Pair, Stage, TrainingOptions, forecast_pair, quiet, train_pair

ENSEMBLE, MAMBA, LIGHTGBM = "ensemble", "Mamba", "LightGBM"
RIDGE, LOGISTIC = "ridge", "logistic"
REVERSAL, LAST_SIGN, MAJORITY = "reversal", "last sign", "majority"
#: From the simplest forecast to the published one. Each is compared with the next.
FORECASTS = (MAJORITY, REVERSAL, LAST_SIGN, RIDGE, LOGISTIC, MAMBA, LIGHTGBM, ENSEMBLE)
#: Part of a fold's key. Raise it when training or forecasting changes its results, so that stored folds are not reused.
FOLD_FORMAT = 1


@dataclass(frozen=True)
class ForecasterOutput:
    """Output of one forecaster: scaled returns (n, 5) or their signs (see ``kind``); probability_up (n, 5) or None."""

    kind: Kind
    scaled: np.ndarray
    probability: np.ndarray | None = None


@dataclass(frozen=True)
class OutOfSampleRows:
    """Test rows in time order, of one fold or of all folds.

    candle_time (n,) int64 epoch seconds; fold (n,) int64 from 1; returns (n, 5) log returns; scale (n, 5), log return /
    scaled return; base_rate (n, 5), share of rises on the fold's training rows; lower, upper (n, 5), ends of the
    ensemble's prediction interval in scaled returns; distance (n,), distance of the row's features from the range of
    the training rows. facts: for each fold, its parts and its training results.
    """

    symbol: str
    candle_time: np.ndarray
    fold: np.ndarray
    returns: np.ndarray
    scale: np.ndarray
    base_rate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    distance: np.ndarray
    forecasts: dict[str, ForecasterOutput]
    facts: list[dict[str, Any]]

    @property
    def scaled(self) -> np.ndarray:
        """The outcomes in scaled returns: (n, 5)."""
        return self.returns / self.scale


def forecast_folds(
    dataset: Dataset,
    splits: Sequence[Split],
    options: TrainingOptions,
    folder: Path,
    stage: Stage = quiet,
    forecasts: Sequence[str] = FORECASTS,
    shuffle_seed: int | None = None,
    only: int | None = None,
) -> OutOfSampleRows:
    """Train and forecast each fold that is not stored in the folder. Returns the test rows of all folds or of ``only``.

    ``shuffle_seed`` permutes the labels of training and validation rows, so that nothing can be learned.
    Raises CandlecastUserError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = hash_dataset(dataset)
    folds = []
    for number, split in enumerate(splits, start=1):
        if only not in (None, number):
            continue
        path = folder / f"fold-{number}-{_key(data, split, options, forecasts, shuffle_seed)}.npz"
        rows = read_fold(path) if path.exists() else None
        if rows is None:
            rows = _forecast_fold(dataset, split, number, options, stage, forecasts, shuffle_seed)
            rows.facts[0]["file"] = path.name
            _write_fold(path, rows)
        folds.append(rows)
    return concatenate_folds(folds)


def shuffle_labels(dataset: Dataset, split: Split, seed: int) -> Dataset:
    """The dataset with labels permuted within its training rows and within its validation rows.

    A row's five labels stay together. Test rows keep their labels. Each fold has its own permutation.
    """
    random = np.random.default_rng((seed, int(dataset.candle_time[split.test[0]])))
    scaled, scale = dataset.scaled.copy(), _scale(dataset, np.arange(len(dataset.ends)))
    for rows in (split.training, split.validation):
        scaled[rows] = dataset.scaled[random.permutation(rows)]
    returns = dataset.returns.copy()
    changed = np.concatenate([split.training, split.validation])
    returns[changed] = scaled[changed] * scale[changed]
    return replace(dataset, scaled=scaled, returns=returns)


def concatenate_folds(folds: Sequence[OutOfSampleRows]) -> OutOfSampleRows:
    """Join folds in time order."""
    joined = {
        name: np.concatenate([getattr(one, name) for one in folds])
        for name in ("candle_time", "fold", "returns", "scale", "base_rate", "lower", "upper", "distance")
    }
    forecasts = {}
    for name, first in folds[0].forecasts.items():
        parts = [one.forecasts[name] for one in folds]
        probabilities = [part.probability for part in parts if part.probability is not None]
        forecasts[name] = ForecasterOutput(
            first.kind,
            np.concatenate([part.scaled for part in parts]),
            np.concatenate(probabilities) if probabilities else None,
        )
    facts = [fact for one in folds for fact in one.facts]
    return OutOfSampleRows(symbol=folds[0].symbol, forecasts=forecasts, facts=facts, **joined)


def hash_dataset(dataset: Dataset) -> str:
    """sha256 of everything that training and forecasting read from the dataset."""
    digest = sha256(dataset.symbol.encode())
    for name in ("open_time", "features", "ends", "returns", "scaled"):
        digest.update(np.ascontiguousarray(getattr(dataset, name)).tobytes())
    return digest.hexdigest()


def _forecast_fold(
    dataset: Dataset,
    split: Split,
    number: int,
    options: TrainingOptions,
    stage: Stage,
    names: Sequence[str],
    shuffle_seed: int | None,
) -> OutOfSampleRows:
    started = time.monotonic()
    labeled = dataset if shuffle_seed is None else shuffle_labels(dataset, split, shuffle_seed)

    def staged(title: str) -> Any:
        return stage(f"Fold {number}: {title}")

    pair = train_pair(labeled, split, options, staged)
    rates = baselines.base_rates(labeled.scaled[split.training])
    forecasts, facts = _without_model(dataset, split, rates, names), _facts(dataset, split, pair, number)
    with staged("forecasts"):
        on_validation = forecast_pair(pair, labeled, split.validation)
        on_test = forecast_pair(pair, labeled, split.test)

    def calibrated(validation: np.ndarray, test: np.ndarray, method: Method = options.calibration) -> ForecasterOutput:
        """A forecast with its own calibration, fitted on the same rows as the ensemble's."""
        seen, outcomes = (pair.calibration.low, pair.calibration.high), labeled.scaled[split.validation]
        own, _ = fit_calibration(validation, outcomes, 0.0, pair.magnitude, seen, method, ("", ""))
        return ForecasterOutput(Kind.size, test, own.probability_up(test))

    if RIDGE in names:
        with staged(RIDGE):
            fitted = baselines.fit_ridge(labeled, split, pair.normalization)
        forecasts[RIDGE] = calibrated(fitted.validation, fitted.test, Method.platt)
        facts["ridge_strength"] = fitted.chosen
    if LOGISTIC in names:
        with staged(LOGISTIC):
            fitted = baselines.fit_logistic(labeled, split, pair.normalization)
        forecasts[LOGISTIC] = ForecasterOutput(Kind.size, (2 * fitted.test - 1) * pair.magnitude, fitted.test)
        facts["logistic_inverse_strength"] = fitted.chosen
    if MAMBA in names:
        forecasts[MAMBA] = calibrated(on_validation.mamba, on_test.mamba)
    if LIGHTGBM in names:
        forecasts[LIGHTGBM] = calibrated(on_validation.lgbm, on_test.lgbm)
    if ENSEMBLE in names:
        forecasts[ENSEMBLE] = ForecasterOutput(Kind.size, on_test.ensemble, on_test.probability_up)
    count = len(split.test)
    return OutOfSampleRows(
        symbol=dataset.symbol,
        candle_time=dataset.candle_time[split.test],
        fold=np.full(count, number),
        returns=dataset.returns[split.test],
        scale=_scale(dataset, split.test),
        base_rate=np.tile(rates, (count, 1)),
        lower=on_test.lower,
        upper=on_test.upper,
        distance=on_test.distance,
        forecasts=forecasts,
        facts=[facts | {"seconds": time.monotonic() - started}],
    )


def _without_model(
    dataset: Dataset, split: Split, rates: np.ndarray, names: Sequence[str]
) -> dict[str, ForecasterOutput]:
    """The majority class of the training rows, the last minute's sign, and its reverse."""
    last = dataset.features[dataset.ends[split.test], FEATURES.index("log_return_1m")]
    sign = np.tile(np.sign(last)[:, np.newaxis], (1, len(rates)))
    probability = np.tile(rates, (len(split.test), 1))
    found = {
        MAJORITY: ForecasterOutput(Kind.constant, np.where(probability >= 0.5, 1.0, -1.0), probability),
        REVERSAL: ForecasterOutput(Kind.sign, -sign),
        LAST_SIGN: ForecasterOutput(Kind.sign, sign),
    }
    return {name: found[name] for name in found if name in names}


def _facts(dataset: Dataset, split: Split, pair: Pair, number: int) -> dict[str, Any]:
    """A fold's parts and training results, in the format of evaluation.json."""
    return {
        "fold": number,
        **artifacts.describe_split(dataset, split),
        "trees": [model.num_trees() for model in pair.lgbm],
        "mamba_epochs": [fit.best_epoch for fit in pair.fits],
        "mamba_stopped_by_budget": any(fit.stopped_by_budget for fit in pair.fits),
        "mamba_seconds": sum(fit.seconds for fit in pair.fits),
        "weight": asdict(pair.weight),
        "calibration": json.loads(pair.calibration_document),
    }


def _scale(dataset: Dataset, chosen: np.ndarray) -> np.ndarray:
    return scale_of(dataset.features[dataset.ends[chosen], VOLATILITY_30M])


def _key(data: str, split: Split, options: TrainingOptions, forecasts: Sequence[str], shuffle_seed: int | None) -> str:
    """A hash of 12 characters of everything that determines a fold's rows. ``data`` is the dataset's hash."""
    determined_by = {
        "format": FOLD_FORMAT,
        "data": data,
        "split": {name: [len(rows), int(rows[0]), int(rows[-1])] for name, rows in asdict(split).items()},
        "options": asdict(options) | {"test_from": None},
        "forecasts": sorted(forecasts),
        "shuffle_seed": shuffle_seed,
        "libraries": artifacts.library_versions(),
    }
    return sha256(json.dumps(determined_by, sort_keys=True).encode()).hexdigest()[:12]


def _write_fold(path: Path, rows: OutOfSampleRows) -> None:
    """Write to a temporary file and rename it, so that an interrupted run leaves no partial file."""
    arrays: dict[str, Any] = {name: value for name, value in vars(rows).items() if isinstance(value, np.ndarray)}
    kinds = {}
    for name, one in rows.forecasts.items():
        kinds[name] = one.kind.value
        arrays[f"{name}.scaled"] = one.scaled
        if one.probability is not None:
            arrays[f"{name}.probability"] = one.probability
    header = json.dumps({"symbol": rows.symbol, "kinds": kinds, "facts": rows.facts})
    descriptor, partial = tempfile.mkstemp(prefix=".", suffix=".npz", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez_compressed(file, said=np.array(header), **arrays)
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def read_fold(path: Path) -> OutOfSampleRows | None:
    """The rows of one fold's file, or None if the file is damaged: then the fold is trained again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        header = json.loads(str(arrays.pop("said")))
        forecasts = {
            name: ForecasterOutput(Kind(kind), arrays.pop(f"{name}.scaled"), arrays.pop(f"{name}.probability", None))
            for name, kind in header["kinds"].items()
        }
        return OutOfSampleRows(symbol=header["symbol"], forecasts=forecasts, facts=header["facts"], **arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
