"""Exports a trained pair and its ensemble to ``models/``, and measures the exported files on the test part.

    dataset = build_dataset(...)          # or read_dataset(connection, "BTCUSDT")
    result = train_and_export(dataset, Path("models"), TrainingOptions())

The measured files are the published ones: no model is refitted on the test rows afterwards.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from candlecast.core import distribution
from candlecast.core.calibration import Calibration
from candlecast.core.feature_names import FEATURE_HASH, FEATURES, VOLATILITY_30M
from candlecast.core.model import LGBM_FILES, NORMALIZATION, Model
from candlecast.core.returns import scale_of
from candlecast.server.model_loader import load_lgbm, load_mamba
from candlecast.trainer.data.dataset import Dataset, normalize_last_rows, normalize_windows
from candlecast.trainer.data.splits import Split, choose_borders, split_by_time
from candlecast.trainer.evaluation.held_out import (
    Baseline,
    HorizonScore,
    document_scores,
    score_baselines,
    score_calibration,
    score_forecast,
)
from candlecast.trainer.models import artifacts
from candlecast.trainer.models.export_mamba import check_exported_files, to_onnx, to_torchscript
from candlecast.trainer.models.fit_normalization import to_json
from candlecast.trainer.models.lgbm import to_onnx as lgbm_to_onnx
from candlecast.trainer.models.training import Pair, Stage, TrainingOptions, quiet, train_pair

#: Number of validation windows on which the exported files of Mamba must agree with the trained model.
PARITY_WINDOWS = 1_000
#: Known limits of a version, for its card.
LIMITS = (
    "It forecasts direction. The size of predicted_close follows from the probability: compare rmse with no change.",
    "Direction accuracy is a little above 50 %, before costs. A fee of a few basis points per side exceeds the return.",
    "A short training range (under about 30 days) gives probabilities that are too close to 0.5.",
    "Trained on one symbol of one exchange in one time range. Other markets and later times may differ.",
    "Probabilities and intervals are calibrated on the validation part. They do not reflect later regime changes.",
    "The interval is scaled by the volatility of the last 30 minutes. News within the horizon can exceed it.",
    "Minutes without a price change count as neither up nor down.",
)


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of the exported files on the test part."""

    lgbm: list[HorizonScore]
    mamba: list[HorizonScore]
    ensemble: list[HorizonScore]
    baselines: list[Baseline]
    calibrated: dict[str, Any]  #: by horizon: Brier score, calibration error, interval coverage


@dataclass(frozen=True)
class ExportedPair:
    """The three folders, and the scores of their files."""

    mamba_folder: Path
    lgbm_folder: Path
    ensemble_folder: Path
    split: Split
    pair: Pair
    report: HeldOutScores


def train_and_export(dataset: Dataset, models: Path, options: TrainingOptions, stage: Stage = quiet) -> ExportedPair:
    """Split, train, export, measure, write ``models/{mamba,lgbm,ensemble}/<version>``. Raises CandlecastUserError."""
    split = split_by_time(dataset.candle_time, *choose_borders(dataset.candle_time, options.test_from))
    pair = train_pair(dataset, split, options, stage)
    return export_pair(dataset, split, pair, models, options, stage)


def export_pair(
    dataset: Dataset, split: Split, pair: Pair, models: Path, options: TrainingOptions, stage: Stage = quiet
) -> ExportedPair:
    """Export both models, measure the files with the serving code, and write both versions and their ensemble."""
    mamba_files, lgbm_files = _mamba_files(pair), _lgbm_files(pair)
    _check_parity(dataset, split, pair, mamba_files)
    lgbm_output = {"kind": "probability", "scale": pair.magnitude.tolist()}
    mamba = load_mamba(mamba_files.get, "onnx", "cpu")
    lgbm = load_lgbm(lgbm_files.get, {"lgbm_output": lgbm_output})
    report = measure_files(dataset, split.test, mamba, lgbm, pair.calibration, stage)

    windows = artifacts.choose_vector_windows(dataset, split.test)
    version = artifacts.new_version(models)
    shared = {"version": version} | _shared_facts(dataset, split, pair, report)
    rows = normalize_last_rows(dataset, split.training, pair.normalization)
    seen = {distribution.FIELD: distribution.describe(rows, dataset.candle_time[split.training])}
    mamba_facts = (
        shared
        | seen
        | _own_facts("mamba", report.mamba)
        | {"params": _mamba_params(pair, options)}
        | {"golden": artifacts.make_test_vectors(windows, mamba.scaled_returns(windows))}
    )
    lgbm_facts = (
        shared
        | seen
        | _own_facts("lgbm", report.lgbm)
        | {"params": _lgbm_params(pair, options), "lgbm_output": lgbm_output}
        | {"golden": artifacts.make_test_vectors(windows, lgbm.scaled_returns(windows))}
    )
    mamba_folder = artifacts.write_version(models, "mamba", version, mamba_files, mamba_facts)
    lgbm_folder = artifacts.write_version(models, "lgbm", version, lgbm_files, lgbm_facts)
    ensemble_files = {artifacts.CALIBRATION: pair.calibration_document.encode()}
    ensemble_facts = (
        shared
        | _own_facts("ensemble", report.ensemble)
        | {
            "mamba_weight": pair.weight.weight,
            "mamba": artifacts.reference(mamba_folder),
            "lgbm": artifacts.reference(lgbm_folder),
            "params": {"calibration": options.calibration.value, "weight": asdict(pair.weight)},
            "golden": artifacts.make_ensemble_vectors(windows, mamba, lgbm, pair.calibration),
        }
    )
    ensemble_folder = artifacts.write_version(models, "ensemble", version, ensemble_files, ensemble_facts)
    return ExportedPair(mamba_folder, lgbm_folder, ensemble_folder, split, pair, report)


def measure_files(
    dataset: Dataset,
    chosen: np.ndarray,
    mamba: Model,
    lgbm: Model,
    calibration: Calibration,
    stage: Stage = quiet,
) -> HeldOutScores:
    """Score two loaded models and their ensemble on the chosen windows (positions into ``dataset.ends``)."""
    parts = []
    with stage("Test part") as on_step:
        done = 0
        for rows in normalize_windows(dataset, chosen, mamba.normalization):
            parts.append(mamba.from_normalized(rows))
            done += len(rows)
            on_step(done, len(chosen), "")
    by_mamba = np.concatenate(parts)
    last_rows = normalize_last_rows(dataset, chosen, lgbm.normalization)
    by_lgbm = lgbm.from_normalized(last_rows[:, np.newaxis, :])
    last = dataset.features[dataset.ends[chosen]]
    scale, returns = scale_of(last[:, VOLATILITY_30M]), dataset.returns[chosen]
    ensemble = calibration.mamba_weight * by_mamba + (1 - calibration.mamba_weight) * by_lgbm
    return HeldOutScores(
        lgbm=score_forecast(by_lgbm, scale, returns),
        mamba=score_forecast(by_mamba, scale, returns),
        ensemble=score_forecast(ensemble, scale, returns),
        baselines=score_baselines(last[:, FEATURES.index("log_return_1m")], returns),
        calibrated=score_calibration(calibration, ensemble, dataset.scaled[chosen], dataset.candle_time[chosen]),
    )


def _mamba_files(pair: Pair) -> dict[str, bytes]:
    return {
        "mamba.pt": to_torchscript(pair.mamba),
        "mamba.onnx": to_onnx(pair.mamba),
        NORMALIZATION: to_json(pair.normalization),
    }


def _lgbm_files(pair: Pair) -> dict[str, bytes]:
    graphs = (lgbm_to_onnx(model).SerializeToString() for model in pair.lgbm)
    return dict(zip(LGBM_FILES, graphs, strict=True)) | {NORMALIZATION: to_json(pair.normalization)}


def _check_parity(dataset: Dataset, split: Split, pair: Pair, files: Mapping[str, bytes]) -> None:
    """Compare both files of Mamba with the trained model, on windows spread over the validation part."""
    spread = np.linspace(0, len(split.validation) - 1, PARITY_WINDOWS).astype(np.int64)
    (windows,) = normalize_windows(dataset, split.validation[spread], pair.normalization, PARITY_WINDOWS)
    check_exported_files(pair.mamba, files["mamba.pt"], files["mamba.onnx"], windows)


def _mamba_params(pair: Pair, options: TrainingOptions) -> dict[str, Any]:
    return asdict(options.mamba) | {
        "seeds": [fit.seed for fit in pair.fits],
        "validation_losses": [fit.validation_losses for fit in pair.fits],
        "best_epoch": [fit.best_epoch for fit in pair.fits],
        "stopped_by_budget": any(fit.stopped_by_budget for fit in pair.fits),
    }


def _lgbm_params(pair: Pair, options: TrainingOptions) -> dict[str, Any]:
    return asdict(options.lgbm) | {"seed": options.seed, "trees": [model.num_trees() for model in pair.lgbm]}


def _shared_facts(dataset: Dataset, split: Split, pair: Pair, report: HeldOutScores) -> dict[str, Any]:
    parts = artifacts.describe_split(dataset, split)
    return {
        "format": artifacts.FORMAT,
        "symbol": dataset.symbol,
        "features": list(FEATURES),
        "feature_hash": FEATURE_HASH,
        # The weights and their early stopping use the training and the validation part.
        "training_from": parts["training"]["from"],
        "training_to": parts["validation"]["to"],
        "trained_at": datetime.now(UTC).isoformat(),
        "metrics": {
            "parts": parts,
            "mamba_weight": pair.weight.weight,
            "weight": asdict(pair.weight),
            "lgbm": document_scores(report.lgbm),
            "mamba": document_scores(report.mamba),
            "ensemble": document_scores(report.ensemble),
            "calibrated": report.calibrated,
            "baselines": {str(one.horizon): asdict(one) for one in report.baselines},
        },
        "limits": list(LIMITS),
        "libraries": artifacts.library_versions(),
        "git_commit": artifacts.git_commit(),
    }


def _own_facts(model_type: str, scores: list[HorizonScore]) -> dict[str, Any]:
    """The model's type, accuracy at one minute, and rmse over the log returns of all horizons."""
    return {
        "model_type": model_type,
        "accuracy_1m": scores[0].accuracy,
        "rmse": float(np.sqrt(np.mean([one.rmse**2 for one in scores]))),
    }
