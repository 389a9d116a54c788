"""Trains a pair of models on a dataset, exports it, and measures the exported files on the test part.

    dataset = build_dataset(...)          # or read_dataset(connection, "BTCUSDT")
    result = train_and_export(dataset, Path("models"), TrainingOptions())

What was measured is what ships: no model is refitted on the test rows afterwards.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from candlecast.core import distribution
from candlecast.core.calibration import Calibration
from candlecast.core.errors import CandlecastUserError
from candlecast.core.feature_names import FEATURE_HASH, FEATURES, VOLATILITY_30M
from candlecast.core.models import LGBM_FILES, NORMALIZATION, Model
from candlecast.core.normalization import Normalization
from candlecast.core.returns import scale_of
from candlecast.core.windows import HORIZONS
from candlecast.server.loaders import load_lgbm, load_mamba
from candlecast.trainer.data.dataset import Dataset, normalised_last_rows, normalised_windows
from candlecast.trainer.data.splits import Split, default_borders, split_by_time
from candlecast.trainer.evaluation.scores import (
    Baseline,
    HorizonScore,
    baselines,
    calibration_scores,
    score,
    to_document,
)
from candlecast.trainer.models import artifacts
from candlecast.trainer.models.calibration import Method, WeightFit, fit_calibration, fit_weight
from candlecast.trainer.models.export import check_twins, to_onnx, to_torchscript
from candlecast.trainer.models.fit_mamba import MambaFit, MambaParameters, fit_mamba
from candlecast.trainer.models.forecasting import (
    Forecasts,
    combine,
    forecast_lgbm,
    forecast_mamba,
    standardised_last_rows,
)
from candlecast.trainer.models.lgbm import DirectionModel, LightGBMParameters, train_horizon
from candlecast.trainer.models.lgbm import to_onnx as lgbm_to_onnx
from candlecast.trainer.models.mamba import MambaAverage
from candlecast.trainer.models.normalization import fit_normalization, to_json

#: Told (done, total, note) as a stage of the work goes on.
OnStep = Callable[[int, int, str], None]
#: Opens a stage by its title.
Stage = Callable[[str], AbstractContextManager[OnStep]]
#: Windows that the normalisation is fitted on, evenly spread over the training part.
NORMALIZATION_WINDOWS = 2_000
PARITY_WINDOWS = 1_000
#: What a card says to whoever relies on a version.
LIMITS = (
    "It says direction: the size of predicted_close is a mapping of its probability; see its rmse beside no change.",
    "Right little more often than not, before costs: a fee of a few basis points a side takes more than it earns.",
    "A short training (under about 30 days) gives probabilities that stay too near a half.",
    "Learned from one symbol on one exchange in its training window; another market, or a later one, may differ.",
    "Probabilities and intervals are calibrated on the validation part; a change of regime since then is not in them.",
    "The interval is scaled by the last 30 minutes' volatility: news that comes within the horizon is wider.",
    "Minutes whose price does not change count as neither up nor down.",
)


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that a run may choose. Times are epoch seconds.

    ``mamba_budget_seconds`` is for all of the ``mamba_seeds`` members together.
    """

    test_from: int | None = None
    seed: int = 0
    threads: int = 2
    mamba_seeds: int = 3
    mamba_budget_seconds: float = 600.0
    mamba: MambaParameters = field(default_factory=MambaParameters)
    lgbm: LightGBMParameters = field(default_factory=LightGBMParameters)
    calibration: Method = Method.slope


@dataclass(frozen=True)
class Pair:
    """Both models with what they share. magnitude (5,): mean |scaled return| on training rows.

    ``fits`` are Mamba's members, ``mamba`` is their average. Weight and calibration were fitted on validation rows;
    ``calibration_document`` is what the database stores.
    """

    normalization: Normalization
    magnitude: np.ndarray
    fits: list[MambaFit]
    mamba: MambaAverage
    lgbm: list[DirectionModel]
    weight: WeightFit
    calibration: Calibration
    calibration_document: str


@dataclass(frozen=True)
class Report:
    """Scores on the test part, of the exported files."""

    lgbm: list[HorizonScore]
    mamba: list[HorizonScore]
    ensemble: list[HorizonScore]
    baselines: list[Baseline]
    calibrated: dict[str, Any]  #: by horizon: Brier score, calibration error, what the interval holds


@dataclass(frozen=True)
class Result:
    """The three folders and how good what is in them is."""

    mamba_folder: Path
    lgbm_folder: Path
    ensemble_folder: Path
    split: Split
    pair: Pair
    report: Report


def quiet(_title: str) -> AbstractContextManager[OnStep]:
    """A stage that tells nobody."""
    return nullcontext(lambda _done, _total, _note: None)


def train_and_export(dataset: Dataset, models: Path, options: TrainingOptions, stage: Stage = quiet) -> Result:
    """Split, train, export, measure, write ``models/{mamba,lgbm}/<version>``. Raises CandlecastUserError."""
    split = split_by_time(dataset.candle_time, *default_borders(dataset.candle_time, options.test_from))
    pair = train_pair(dataset, split, options, stage)
    return export_pair(dataset, split, pair, models, options, stage)


def train_pair(dataset: Dataset, split: Split, options: TrainingOptions, stage: Stage = quiet) -> Pair:
    """Fit normalisation, five LightGBM models and Mamba on training rows, Mamba stopped early by the validation rows;
    then weight and calibration on the validation rows. The test part is not touched.
    """
    _check_moves(dataset, split)
    torch.set_num_threads(options.threads)
    normalization = fit_rows_normalization(dataset, split.training)
    magnitude = np.abs(dataset.scaled[split.training]).mean(axis=0)
    directions = _fit_lgbm(dataset, split, normalization, options, stage)
    fits = _fit_mamba(dataset, split, normalization, magnitude, options, stage)
    average = MambaAverage([fit.model for fit in fits]).eval()

    with stage("Weight, calibration") as on_step:
        by_mamba = forecast_mamba(average, dataset, split.validation, normalization, on_step)
        by_lgbm = forecast_lgbm(directions, magnitude, dataset, split.validation, normalization)
        outcomes = dataset.scaled[split.validation]
        weight = fit_weight(by_mamba, by_lgbm, magnitude, outcomes, options.seed)
        rows = standardised_last_rows(dataset, split.training, normalization)
        calibration, document = fit_calibration(
            weight.weight * by_mamba + (1.0 - weight.weight) * by_lgbm,
            outcomes,
            weight.weight,
            magnitude,
            (rows.min(axis=0), rows.max(axis=0)),
            options.calibration,
            _stretch(dataset, split.validation),
        )
    return Pair(normalization, magnitude, fits, average, directions, weight, calibration, document)


def fit_rows_normalization(dataset: Dataset, training: np.ndarray) -> Normalization:
    """The normalisation of training rows (positions into ``dataset.ends``), fitted on windows spread over them."""
    spread = np.linspace(0, len(training) - 1, min(NORMALIZATION_WINDOWS, len(training)))
    return fit_normalization(dataset.windows(training[spread.astype(np.int64)]))


def forecast(pair: Pair, dataset: Dataset, chosen: np.ndarray, on_step: OnStep | None = None) -> Forecasts:
    """All that the pair says about the chosen windows (positions into ``dataset.ends``)."""
    return combine(
        forecast_mamba(pair.mamba, dataset, chosen, pair.normalization, on_step),
        forecast_lgbm(pair.lgbm, pair.magnitude, dataset, chosen, pair.normalization),
        standardised_last_rows(dataset, chosen, pair.normalization),
        pair.calibration,
    )


def _fit_lgbm(
    dataset: Dataset, split: Split, normalization: Normalization, options: TrainingOptions, stage: Stage
) -> list[DirectionModel]:
    rows = normalised_last_rows(dataset, split.training, normalization)
    models = []
    for column, horizon in enumerate(HORIZONS):
        with stage(f"LightGBM, {horizon} min") as on_step:
            models.append(
                train_horizon(
                    rows,
                    dataset.scaled[split.training, column],
                    options.lgbm,
                    options.seed,
                    options.threads,
                    lambda done, tell=on_step: tell(done, options.lgbm.rounds, ""),  # type: ignore[misc]
                )
            )
    return models


def _fit_mamba(
    dataset: Dataset,
    split: Split,
    normalization: Normalization,
    magnitude: np.ndarray,
    options: TrainingOptions,
    stage: Stage,
) -> list[MambaFit]:
    """Members from seeds of their own: seed, seed + 1, ..., each with its share of the budget."""
    fits = []
    for member in range(options.mamba_seeds):
        title = "Mamba" if options.mamba_seeds == 1 else f"Mamba, {member + 1} of {options.mamba_seeds}"
        with stage(title) as on_step:
            fits.append(
                fit_mamba(
                    dataset,
                    split.training,
                    split.validation,
                    normalization,
                    magnitude,
                    options.mamba,
                    options.seed + member,
                    options.mamba_budget_seconds / options.mamba_seeds,
                    on_step,
                )
            )
    return fits


def _stretch(dataset: Dataset, rows: np.ndarray) -> tuple[str, str]:
    """First and last candle_time of the rows, as ISO times."""
    times = dataset.candle_time[rows]
    return artifacts.iso(times[0]), artifacts.iso(times[-1])


def export_pair(
    dataset: Dataset,
    split: Split,
    pair: Pair,
    models: Path,
    options: TrainingOptions,
    stage: Stage = quiet,
) -> Result:
    """Export both models, measure the files by the code that serves them, write both versions and their ensemble."""
    normalization = to_json(pair.normalization)
    mamba_files = {
        "mamba.pt": to_torchscript(pair.mamba),
        "mamba.onnx": to_onnx(pair.mamba),
        NORMALIZATION: normalization,
    }
    lgbm_files = {
        name: lgbm_to_onnx(model).SerializeToString() for name, model in zip(LGBM_FILES, pair.lgbm, strict=True)
    } | {NORMALIZATION: normalization}
    lgbm_output = {"kind": "probability", "scale": pair.magnitude.tolist()}
    parity = split.validation[np.linspace(0, len(split.validation) - 1, PARITY_WINDOWS).astype(np.int64)]
    (windows,) = normalised_windows(dataset, parity, pair.normalization, PARITY_WINDOWS)
    check_twins(pair.mamba, mamba_files["mamba.pt"], mamba_files["mamba.onnx"], windows)

    mamba = load_mamba(mamba_files.get, "onnx", "cpu")
    lgbm = load_lgbm(lgbm_files.get, {"lgbm_output": lgbm_output})
    report = measure(dataset, split.test, mamba, lgbm, pair.calibration, stage)
    golden = artifacts.golden_windows(dataset, split.test)
    version = artifacts.new_version(models)
    shared = {"version": version} | _shared_facts(dataset, split, pair, report, options)
    rows = normalised_last_rows(dataset, split.training, pair.normalization)
    seen = {distribution.FIELD: distribution.describe(rows, dataset.candle_time[split.training])}
    mamba_folder = artifacts.write_version(
        models,
        "mamba",
        version,
        mamba_files,
        shared
        | seen
        | _own_facts("mamba", report.mamba)
        | {
            "params": asdict(options.mamba)
            | {
                "seeds": [fit.seed for fit in pair.fits],
                "validation_losses": [fit.validation_losses for fit in pair.fits],
                "best_epoch": [fit.best_epoch for fit in pair.fits],
                "stopped_by_budget": any(fit.stopped_by_budget for fit in pair.fits),
            },
            "golden": artifacts.golden(golden, mamba.scaled_returns(golden)),
        },
    )
    lgbm_folder = artifacts.write_version(
        models,
        "lgbm",
        version,
        lgbm_files,
        shared
        | seen
        | _own_facts("lgbm", report.lgbm)
        | {
            "params": asdict(options.lgbm)
            | {"seed": options.seed, "trees": [model.num_trees() for model in pair.lgbm]},
            "lgbm_output": lgbm_output,
            "golden": artifacts.golden(golden, lgbm.scaled_returns(golden)),
        },
    )
    ensemble_folder = artifacts.write_version(
        models,
        "ensemble",
        version,
        {artifacts.CALIBRATION: pair.calibration_document.encode()},
        shared
        | _own_facts("ensemble", report.ensemble)
        | {
            "mamba_weight": pair.weight.weight,
            "mamba": artifacts.reference(mamba_folder),
            "lgbm": artifacts.reference(lgbm_folder),
            "params": {"calibration": options.calibration.value, "weight": asdict(pair.weight)},
            "golden": artifacts.golden_ensemble(golden, mamba, lgbm, pair.calibration),
        },
    )
    return Result(mamba_folder, lgbm_folder, ensemble_folder, split, pair, report)


def measure(
    dataset: Dataset,
    chosen: np.ndarray,
    mamba: Model,
    lgbm: Model,
    calibration: Calibration,
    stage: Stage = quiet,
) -> Report:
    """Score two loaded models and their ensemble on the chosen windows (positions into ``dataset.ends``)."""
    parts = []
    with stage("Test part") as on_step:
        done = 0
        for rows in normalised_windows(dataset, chosen, mamba.normalization):
            parts.append(mamba.from_normalized(rows))
            done += len(rows)
            on_step(done, len(chosen), "")
    by_mamba = np.concatenate(parts)
    last_rows = normalised_last_rows(dataset, chosen, lgbm.normalization)
    by_lgbm = lgbm.from_normalized(last_rows[:, np.newaxis, :])
    last = dataset.features[dataset.ends[chosen]]
    scale, returns = scale_of(last[:, VOLATILITY_30M]), dataset.returns[chosen]
    ensemble = calibration.mamba_weight * by_mamba + (1 - calibration.mamba_weight) * by_lgbm
    return Report(
        lgbm=score(by_lgbm, scale, returns),
        mamba=score(by_mamba, scale, returns),
        ensemble=score(ensemble, scale, returns),
        baselines=baselines(last[:, FEATURES.index("log_return_1m")], returns),
        calibrated=calibration_scores(calibration, ensemble, dataset.scaled[chosen], dataset.candle_time[chosen]),
    )


def _check_moves(dataset: Dataset, split: Split) -> None:
    for name, rows in asdict(split).items():
        signs = np.sign(dataset.scaled[rows])
        if not ((signs > 0).any(axis=0) & (signs < 0).any(axis=0)).all():
            raise CandlecastUserError(
                f"in the {name} part the price of {dataset.symbol} never moves both up and down",
                "There is nothing to learn in a flat market: choose another stretch with --from and --to.",
            )


def _shared_facts(
    dataset: Dataset, split: Split, pair: Pair, report: Report, options: TrainingOptions
) -> dict[str, Any]:
    parts = {}
    for name, rows in asdict(split).items():
        first, last = _stretch(dataset, rows)
        parts[name] = {"rows": len(rows), "from": first, "to": last}
    return {
        "format": artifacts.FORMAT,
        "symbol": dataset.symbol,
        "features": list(FEATURES),
        "feature_hash": FEATURE_HASH,
        # What the weights and their early stopping saw: the training and the validation part.
        "training_from": parts["training"]["from"],
        "training_to": parts["validation"]["to"],
        "trained_at": datetime.now(UTC).isoformat(),
        "metrics": {
            "parts": parts,
            "mamba_weight": pair.weight.weight,
            "weight": asdict(pair.weight),
            "lgbm": to_document(report.lgbm),
            "mamba": to_document(report.mamba),
            "ensemble": to_document(report.ensemble),
            "calibrated": report.calibrated,
            "baselines": {str(one.horizon): asdict(one) for one in report.baselines},
        },
        "limits": list(LIMITS),
        "libraries": artifacts.library_versions(),
        "git_commit": artifacts.git_commit(),
    }


def _own_facts(model_type: str, scores: list[HorizonScore]) -> dict[str, Any]:
    """Of the model itself: accuracy at one minute, and rmse over the five horizons' log returns."""
    return {
        "model_type": model_type,
        "accuracy_1m": scores[0].accuracy,
        "rmse": float(np.sqrt(np.mean([one.rmse**2 for one in scores]))),
    }
