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

import lightgbm
import numpy as np
import torch

from candlecast.features import FEATURE_HASH, FEATURES, HORIZONS, VOLATILITY_30M
from candlecast.models import LGBM_FILES, NORMALIZATION, Model, load_lgbm, load_mamba
from candlecast.normalization import Normalization
from candlecast.returns import scale_of
from trainer import artifacts
from trainer.dataset import Dataset, normalised_last_rows, normalised_windows
from trainer.errors import CandlecastUserError
from trainer.evaluation import Baseline, HorizonScore, baselines, score, to_document
from trainer.export import check_twins, to_onnx, to_torchscript
from trainer.fit_mamba import MambaFit, MambaParameters, fit_mamba
from trainer.lgbm import LightGBMParameters, train_horizon
from trainer.lgbm import to_onnx as lgbm_to_onnx
from trainer.normalization import fit_normalization, to_json
from trainer.splits import Split, default_borders, split_by_time

#: Told (done, total, note) as a stage of the work goes on.
OnStep = Callable[[int, int, str], None]
#: Opens a stage by its title.
Stage = Callable[[str], AbstractContextManager[OnStep]]
#: Windows that the normalisation is fitted on, evenly spread over the training part.
NORMALIZATION_WINDOWS = 2_000
PARITY_WINDOWS = 1_000


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that a run may choose. Times are epoch seconds."""

    test_from: int | None = None
    seed: int = 0
    threads: int = 2
    mamba_weight: float = 0.5
    mamba_budget_seconds: float = 180.0
    mamba: MambaParameters = field(default_factory=MambaParameters)
    lgbm: LightGBMParameters = field(default_factory=LightGBMParameters)


@dataclass(frozen=True)
class Pair:
    """Both models with what they share. magnitude (5,): mean |scaled return| on training rows."""

    normalization: Normalization
    magnitude: np.ndarray
    mamba: MambaFit
    lgbm: list[lightgbm.Booster]


@dataclass(frozen=True)
class Report:
    """Scores on the test part, of the exported files."""

    lgbm: list[HorizonScore]
    mamba: list[HorizonScore]
    ensemble: list[HorizonScore]
    baselines: list[Baseline]


@dataclass(frozen=True)
class Result:
    """The two folders and how good what is in them is."""

    mamba_folder: Path
    lgbm_folder: Path
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
    """Fit the normalisation, five LightGBM models and Mamba; the test part is not touched."""
    _check_moves(dataset, split)
    torch.set_num_threads(options.threads)
    spread = np.linspace(0, len(split.training) - 1, min(NORMALIZATION_WINDOWS, len(split.training)))
    normalization = fit_normalization(dataset.windows(split.training[spread.astype(np.int64)]))
    magnitude = np.abs(dataset.scaled[split.training]).mean(axis=0)

    rows = {
        name: normalised_last_rows(dataset, getattr(split, name), normalization) for name in ("training", "validation")
    }
    boosters = []
    for column, horizon in enumerate(HORIZONS):
        with stage(f"LightGBM, {horizon} min") as on_step:
            boosters.append(
                train_horizon(
                    (rows["training"], dataset.scaled[split.training, column]),
                    (rows["validation"], dataset.scaled[split.validation, column]),
                    options.lgbm,
                    options.seed,
                    options.threads,
                    lambda done, tell=on_step: tell(done, options.lgbm.rounds, ""),  # type: ignore[misc]
                )
            )
    with stage("Mamba") as on_step:
        mamba = fit_mamba(
            dataset,
            split.training,
            split.validation,
            normalization,
            magnitude,
            options.mamba,
            options.seed,
            options.mamba_budget_seconds,
            on_step,
        )
    return Pair(normalization, magnitude, mamba, boosters)


def export_pair(
    dataset: Dataset,
    split: Split,
    pair: Pair,
    models: Path,
    options: TrainingOptions,
    stage: Stage = quiet,
) -> Result:
    """Export both models, measure the files by the code that serves them, and write both versions."""
    normalization = to_json(pair.normalization)
    mamba_files = {
        "mamba.pt": to_torchscript(pair.mamba.model),
        "mamba.onnx": to_onnx(pair.mamba.model),
        NORMALIZATION: normalization,
    }
    lgbm_files = {
        name: lgbm_to_onnx(booster).SerializeToString() for name, booster in zip(LGBM_FILES, pair.lgbm, strict=True)
    } | {NORMALIZATION: normalization}
    lgbm_output = {"kind": "probability", "scale": pair.magnitude.tolist()}
    parity = split.validation[np.linspace(0, len(split.validation) - 1, PARITY_WINDOWS).astype(np.int64)]
    (windows,) = normalised_windows(dataset, parity, pair.normalization, PARITY_WINDOWS)
    check_twins(pair.mamba.model, mamba_files["mamba.pt"], mamba_files["mamba.onnx"], windows)

    mamba = load_mamba(mamba_files.get, "onnx", "cpu")
    lgbm = load_lgbm(lgbm_files.get, {"lgbm_output": lgbm_output})
    report = measure(dataset, split.test, mamba, lgbm, options.mamba_weight, stage)
    golden = artifacts.golden_windows(dataset, split.test)
    shared = _shared_facts(dataset, split, report, options)
    version = artifacts.new_version(models)
    common = {"version": version} | shared
    mamba_folder = artifacts.write_version(
        models,
        "mamba",
        version,
        mamba_files,
        common
        | _own_facts("mamba", report.mamba)
        | {
            "params": asdict(options.mamba)
            | {
                "seed": options.seed,
                "validation_losses": pair.mamba.validation_losses,
                "best_epoch": pair.mamba.best_epoch,
                "stopped_by_budget": pair.mamba.stopped_by_budget,
            },
            "golden": artifacts.golden(golden, mamba.scaled_returns(golden)),
        },
    )
    lgbm_folder = artifacts.write_version(
        models,
        "lgbm",
        version,
        lgbm_files,
        common
        | _own_facts("lgbm", report.lgbm)
        | {
            "params": asdict(options.lgbm)
            | {"seed": options.seed, "trees": [booster.num_trees() for booster in pair.lgbm]},
            "lgbm_output": lgbm_output,
            "golden": artifacts.golden(golden, lgbm.scaled_returns(golden)),
        },
    )
    return Result(mamba_folder, lgbm_folder, split, pair, report)


def measure(
    dataset: Dataset,
    chosen: np.ndarray,
    mamba: Model,
    lgbm: Model,
    mamba_weight: float,
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
    return Report(
        lgbm=score(by_lgbm, scale, returns),
        mamba=score(by_mamba, scale, returns),
        ensemble=score(mamba_weight * by_mamba + (1 - mamba_weight) * by_lgbm, scale, returns),
        baselines=baselines(last[:, FEATURES.index("log_return_1m")], returns),
    )


def _check_moves(dataset: Dataset, split: Split) -> None:
    for name, rows in asdict(split).items():
        signs = np.sign(dataset.scaled[rows])
        if not ((signs > 0).any(axis=0) & (signs < 0).any(axis=0)).all():
            raise CandlecastUserError(
                f"in the {name} part the price of {dataset.symbol} never moves both up and down",
                "There is nothing to learn in a flat market: choose another stretch with --from and --to.",
            )


def _shared_facts(dataset: Dataset, split: Split, report: Report, options: TrainingOptions) -> dict[str, Any]:
    times = dataset.candle_time
    parts = {
        name: {
            "rows": len(rows),
            "from": artifacts.iso(times[rows[0]]),
            "to": artifacts.iso(times[rows[-1]]),
        }
        for name, rows in asdict(split).items()
    }
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
            "mamba_weight": options.mamba_weight,
            "lgbm": to_document(report.lgbm),
            "mamba": to_document(report.mamba),
            "ensemble": to_document(report.ensemble),
            "baselines": {str(one.horizon): asdict(one) for one in report.baselines},
        },
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
