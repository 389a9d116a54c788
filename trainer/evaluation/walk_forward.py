"""Trains anew for each fold and collects what every forecast said about rows that it had not seen.

    splits = split_walk_forward(dataset.candle_time)
    rows = forecast_folds(dataset, splits, TrainingOptions(), Path("evaluations/mine"))

Each fold's rows are a file of their own in the folder, written when the fold is done: a run that was interrupted goes
on with the next fold, and figures are computed anew without training. A file's name holds the key of what its rows
follow from: data, split, options, libraries and ``FOLD_FORMAT``.
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
#: From what needs nothing to what is published; each is compared with the next.
FORECASTS = (MAJORITY, REVERSAL, LAST_SIGN, RIDGE, LOGISTIC, MAMBA, LIGHTGBM, ENSEMBLE)
#: Part of a fold's key. Raise it where training or forecasting changes what it gives: folds made before are not reused.
FOLD_FORMAT = 1


@dataclass(frozen=True)
class ForecasterOutput:
    """What one forecast said: scaled returns (n, 5), or their sign alone (``kind``); probability_up (n, 5) or None."""

    kind: Kind
    scaled: np.ndarray
    probability: np.ndarray | None = None


@dataclass(frozen=True)
class OutOfSampleRows:
    """Test rows in time order, of one fold or of all.

    candle_time (n,) int64 epoch seconds; fold (n,) int64 from 1; returns (n, 5) log returns; scale (n, 5), the log
    return that one unit of scaled return is worth; base_rate (n, 5), share of rises on the fold's training rows; lower,
    upper (n, 5), ends of the ensemble's prediction interval in scaled returns; distance (n,), how far outside of what
    training saw the row lies. facts: of each fold, what was trained on what.
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
        """What came, in scaled returns: (n, 5)."""
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
    """Train and forecast each fold that the folder doesn't hold yet; returns the test rows of all, or of ``only`` one.

    With ``shuffle_seed`` the labels of training and validation rows are permuted: then nothing can be learned.
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
    """The dataset with the labels of its training rows permuted among themselves, and those of its validation rows.

    A row's five labels stay together; test rows keep theirs. Each fold has draws of its own.
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
    """Folds in time order as one."""
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
    """sha256 of all that training and forecasting read of it."""
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
    known = dataset if shuffle_seed is None else shuffle_labels(dataset, split, shuffle_seed)

    def staged(title: str) -> Any:
        return stage(f"Fold {number}: {title}")

    pair = train_pair(known, split, options, staged)
    rates = baselines.base_rates(known.scaled[split.training])
    forecasts, facts = _without_model(dataset, split, rates, names), _facts(dataset, split, pair, number)
    with staged("forecasts"):
        on_validation = forecast_pair(pair, known, split.validation)
        said = forecast_pair(pair, known, split.test)

    def calibrated(validation: np.ndarray, test: np.ndarray, method: Method = options.calibration) -> ForecasterOutput:
        """On the same rows as the ensemble's own probabilities, by the same method where it says a probability."""
        seen, outcomes = (pair.calibration.low, pair.calibration.high), known.scaled[split.validation]
        own, _ = fit_calibration(validation, outcomes, 0.0, pair.magnitude, seen, method, ("", ""))
        return ForecasterOutput(Kind.size, test, own.probability_up(test))

    if RIDGE in names:
        with staged(RIDGE):
            fitted = baselines.fit_ridge(known, split, pair.normalization)
        forecasts[RIDGE] = calibrated(fitted.validation, fitted.test, Method.platt)
        facts["ridge_strength"] = fitted.chosen
    if LOGISTIC in names:
        with staged(LOGISTIC):
            fitted = baselines.fit_logistic(known, split, pair.normalization)
        forecasts[LOGISTIC] = ForecasterOutput(Kind.size, (2 * fitted.test - 1) * pair.magnitude, fitted.test)
        facts["logistic_inverse_strength"] = fitted.chosen
    if MAMBA in names:
        forecasts[MAMBA] = calibrated(on_validation.mamba, said.mamba)
    if LIGHTGBM in names:
        forecasts[LIGHTGBM] = calibrated(on_validation.lgbm, said.lgbm)
    if ENSEMBLE in names:
        forecasts[ENSEMBLE] = ForecasterOutput(Kind.size, said.ensemble, said.probability_up)
    count = len(split.test)
    return OutOfSampleRows(
        symbol=dataset.symbol,
        candle_time=dataset.candle_time[split.test],
        fold=np.full(count, number),
        returns=dataset.returns[split.test],
        scale=_scale(dataset, split.test),
        base_rate=np.tile(rates, (count, 1)),
        lower=said.lower,
        upper=said.upper,
        distance=said.distance,
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
    """What a fold was trained on and what came of it, as evaluation.json holds it."""
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
    """Twelve letters that differ where a fold's rows may differ. ``data`` is the dataset's hash."""
    follows_from = {
        "format": FOLD_FORMAT,
        "data": data,
        "split": {name: [len(rows), int(rows[0]), int(rows[-1])] for name, rows in asdict(split).items()},
        "options": asdict(options) | {"test_from": None},
        "forecasts": sorted(forecasts),
        "shuffle_seed": shuffle_seed,
        "libraries": artifacts.library_versions(),
    }
    return sha256(json.dumps(follows_from, sort_keys=True).encode()).hexdigest()[:12]


def _write_fold(path: Path, rows: OutOfSampleRows) -> None:
    """Beside its place and renamed: an interrupted run leaves no half fold."""
    arrays: dict[str, Any] = {name: value for name, value in vars(rows).items() if isinstance(value, np.ndarray)}
    kinds = {}
    for name, one in rows.forecasts.items():
        kinds[name] = one.kind.value
        arrays[f"{name}.scaled"] = one.scaled
        if one.probability is not None:
            arrays[f"{name}.probability"] = one.probability
    said = json.dumps({"symbol": rows.symbol, "kinds": kinds, "facts": rows.facts})
    descriptor, partial = tempfile.mkstemp(prefix=".", suffix=".npz", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez_compressed(file, said=np.array(said), **arrays)
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def read_fold(path: Path) -> OutOfSampleRows | None:
    """The rows of one fold's file, or None where it is damaged: then they are made again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        said = json.loads(str(arrays.pop("said")))
        forecasts = {
            name: ForecasterOutput(Kind(kind), arrays.pop(f"{name}.scaled"), arrays.pop(f"{name}.probability", None))
            for name, kind in said["kinds"].items()
        }
        return OutOfSampleRows(symbol=said["symbol"], forecasts=forecasts, facts=said["facts"], **arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
