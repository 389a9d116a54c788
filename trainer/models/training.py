"""Trains a pair of models on a dataset: the models, their weight and their calibration. The test part is not used.

split = split_by_time(dataset.candle_time, *choose_borders(dataset.candle_time))
pair = train_pair(dataset, split, TrainingOptions())
forecast_pair(pair, dataset, split.test)
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field

import numpy as np
import torch

from candlecast.core.calibration import Calibration
from candlecast.core.errors import CandlecastUserError
from candlecast.core.normalization import Normalization
from candlecast.core.windows import HORIZONS
from candlecast.trainer.data.dataset import Dataset, normalize_last_rows
from candlecast.trainer.data.splits import Split
from candlecast.trainer.models import artifacts
from candlecast.trainer.models.fit_calibration import Method, WeightFit, fit_calibration, fit_weight
from candlecast.trainer.models.fit_mamba import MambaData, MambaFit, MambaParameters, fit_mamba
from candlecast.trainer.models.fit_normalization import fit_normalization
from candlecast.trainer.models.forecasting import (
    PairForecast,
    combine,
    forecast_lgbm,
    forecast_mamba,
    standardize_last_rows,
)
from candlecast.trainer.models.lgbm import DirectionModel, LightGBMParameters, train_horizon
from candlecast.trainer.models.mamba import MambaAverage

#: Progress callback of a stage, called with (done, total, note).
OnStep = Callable[[int, int, str], None]
#: Opens a stage with a title.
Stage = Callable[[str], AbstractContextManager[OnStep]]
#: Number of windows for the normalization, evenly spread over the training part.
NORMALIZATION_WINDOWS = 2_000


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training. Times are epoch seconds.

    ``mamba_budget_seconds`` is for all ``mamba_seeds`` members together.
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
    """Both models, their normalization, weight and calibration. magnitude (5,): mean |scaled return| on training rows.

    ``fits`` are Mamba's members, ``mamba`` is their average. Weight and calibration are fitted on validation rows.
    ``calibration_document`` is the text that the database stores.
    """

    normalization: Normalization
    magnitude: np.ndarray
    fits: list[MambaFit]
    mamba: MambaAverage
    lgbm: list[DirectionModel]
    weight: WeightFit
    calibration: Calibration
    calibration_document: str


def quiet(_title: str) -> AbstractContextManager[OnStep]:
    """A stage that reports no progress."""
    return nullcontext(lambda _done, _total, _note: None)


def train_pair(dataset: Dataset, split: Split, options: TrainingOptions, stage: Stage = quiet) -> Pair:
    """Fit normalization, LightGBM and Mamba on training rows, then weight and calibration on validation rows.

    Mamba uses validation rows for early stopping. The test part is not used.
    """
    _check_moves(dataset, split)
    torch.set_num_threads(options.threads)
    normalization = fit_rows_normalization(dataset, split.training)
    magnitude = np.abs(dataset.scaled[split.training]).mean(axis=0)
    directions = _fit_lgbm(dataset, split, normalization, options, stage)
    fits = _fit_mamba(MambaData(dataset, split.training, split.validation, normalization, magnitude), options, stage)
    average = MambaAverage([fit.model for fit in fits]).eval()

    with stage("Weight, calibration") as on_step:
        by_mamba = forecast_mamba(average, dataset, split.validation, normalization, on_step)
        by_lgbm = forecast_lgbm(directions, magnitude, dataset, split.validation, normalization)
        outcomes = dataset.scaled[split.validation]
        weight = fit_weight(by_mamba, by_lgbm, magnitude, outcomes, options.seed)
        rows = standardize_last_rows(dataset, split.training, normalization)
        calibration, document = fit_calibration(
            weight.weight * by_mamba + (1.0 - weight.weight) * by_lgbm,
            outcomes,
            weight.weight,
            magnitude,
            (rows.min(axis=0), rows.max(axis=0)),
            options.calibration,
            artifacts.first_and_last_time(dataset, split.validation),
        )
    return Pair(normalization, magnitude, fits, average, directions, weight, calibration, document)


def fit_rows_normalization(dataset: Dataset, training: np.ndarray) -> Normalization:
    """The normalization of training rows (positions into ``dataset.ends``), fitted on evenly spread windows."""
    spread = np.linspace(0, len(training) - 1, min(NORMALIZATION_WINDOWS, len(training)))
    return fit_normalization(dataset.windows(training[spread.astype(np.int64)]))


def forecast_pair(pair: Pair, dataset: Dataset, chosen: np.ndarray, on_step: OnStep | None = None) -> PairForecast:
    """The pair's forecasts for the chosen windows (positions into ``dataset.ends``)."""
    return combine(
        forecast_mamba(pair.mamba, dataset, chosen, pair.normalization, on_step),
        forecast_lgbm(pair.lgbm, pair.magnitude, dataset, chosen, pair.normalization),
        standardize_last_rows(dataset, chosen, pair.normalization),
        pair.calibration,
    )


def _fit_lgbm(
    dataset: Dataset, split: Split, normalization: Normalization, options: TrainingOptions, stage: Stage
) -> list[DirectionModel]:
    rows = normalize_last_rows(dataset, split.training, normalization)
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
                    lambda done, report=on_step: report(done, options.lgbm.rounds, ""),  # type: ignore[misc]
                )
            )
    return models


def _fit_mamba(data: MambaData, options: TrainingOptions, stage: Stage) -> list[MambaFit]:
    """Fit members with the seeds seed, seed + 1, ..., each with an equal share of the budget."""
    fits = []
    budget = options.mamba_budget_seconds / options.mamba_seeds
    for member in range(options.mamba_seeds):
        title = "Mamba" if options.mamba_seeds == 1 else f"Mamba, {member + 1} of {options.mamba_seeds}"
        with stage(title) as on_step:
            fits.append(fit_mamba(data, options.mamba, options.seed + member, budget, on_step))
    return fits


def _check_moves(dataset: Dataset, split: Split) -> None:
    for name, rows in asdict(split).items():
        signs = np.sign(dataset.scaled[rows])
        if not ((signs > 0).any(axis=0) & (signs < 0).any(axis=0)).all():
            raise CandlecastUserError(
                f"in the {name} part the price of {dataset.symbol} does not move both up and down",
                "Choose another time range with --from and --to: a flat market has no directions to train on.",
            )
