"""All figures of a walk-forward run as one document, evaluation.json. Tables and plots read only this document.

    document = make_document(rows)
    document["forecasts"]["ensemble"]["1"]["accuracy"]["value"]

Each forecast has the keys "1" to "5", the horizons, and "all", the five horizons pooled.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import t as student

from candlecast.core.calibration import MAX_DISTANCE
from candlecast.core.windows import HORIZONS
from candlecast.trainer.evaluation import metrics
from candlecast.trainer.evaluation.comparison import compare
from candlecast.trainer.evaluation.costs import follow_forecast, join_books
from candlecast.trainer.evaluation.intervals import LEVEL, Estimate
from candlecast.trainer.evaluation.metrics import COVERAGES, Cells
from candlecast.trainer.evaluation.reliability import CalibrationError, calibration_errors, reliability
from candlecast.trainer.evaluation.walk_forward import (
    ENSEMBLE,
    FORECASTS,
    LAST_SIGN,
    LIGHTGBM,
    LOGISTIC,
    MAJORITY,
    MAMBA,
    REVERSAL,
    RIDGE,
    OutOfSampleRows,
)
from candlecast.trainer.models import artifacts

FORMAT = 1
ALL = "all"
#: Keys of a forecast's figures, and their columns.
COLUMNS = {str(horizon): slice(number, number + 1) for number, horizon in enumerate(HORIZONS)} | {
    ALL: slice(0, len(HORIZONS))
}
#: Forecasts that are trained on labels.
TRAINED = (ENSEMBLE, LIGHTGBM, MAMBA, LOGISTIC, RIDGE)
#: Forecasts that the ensemble is compared with.
RIVALS = (MAJORITY, LAST_SIGN, REVERSAL, LOGISTIC, RIDGE, LIGHTGBM, MAMBA)


def make_document(rows: OutOfSampleRows, seed: int = 0) -> dict[str, Any]:
    """All figures of the rows. ``seed`` is for the simulation of perfect calibration."""
    names = [name for name in FORECASTS if name in rows.forecasts]
    cells = {name: {key: select_cells(rows, name, key) for key in COLUMNS} for name in names}
    probabilities = {
        name: one.probability for name, one in rows.forecasts.items() if one.probability is not None and name in names
    }
    errors = calibration_errors(probabilities, rows.scaled, rows.candle_time, seed)
    forecasts = {name: _figures(rows, name, cells[name], errors.get(name)) for name in names}
    document = {
        "format": FORMAT,
        "symbol": rows.symbol,
        "rows": {
            "count": len(rows.candle_time),
            "from": artifacts.iso(rows.candle_time[0]),
            "to": artifacts.iso(rows.candle_time[-1]),
            "out_of_distribution": float(np.mean(rows.distance > MAX_DISTANCE)),
        },
        "folds": [fact | {"accuracy": _by_fold(rows, names, fact["fold"])} for fact in rows.facts],
        "forecasts": forecasts,
        "comparisons": [_comparison(first, second, cells) for second, first in pairwise(names)],
        "verdicts": _verdicts(cells, forecasts),
    }
    cleaned: dict[str, Any] = _without_nan(document)
    return cleaned


def select_cells(rows: OutOfSampleRows, name: str, key: str) -> Cells:
    """The input of the metrics: one forecast at one horizon, or at all horizons."""
    which, one = COLUMNS[key], rows.forecasts[name]
    return Cells(
        outcome=rows.scaled[:, which],
        forecast=one.scaled[:, which],
        probability=None if one.probability is None else one.probability[:, which],
        base_rate=rows.base_rate[:, which],
        horizon=max(HORIZONS) if key == ALL else int(key),
        kind=one.kind,
    )


def _figures(
    rows: OutOfSampleRows, name: str, cells: dict[str, Cells], errors: list[CalibrationError] | None
) -> dict[str, dict[str, Any]]:
    books = [
        follow_forecast(rows.candle_time, np.sign(rows.forecasts[name].scaled[:, number]), rows.returns, horizon)
        for number, horizon in enumerate(HORIZONS)
    ]
    found: dict[str, dict[str, Any]] = {}
    for number, (key, one) in enumerate(cells.items()):
        figures: dict[str, Any] = {
            "rows": int(one.moved.sum()),
            "accuracy": metrics.accuracy(one),
            "balanced_accuracy": metrics.balanced_accuracy(one),
            "accuracy_at_coverage": {str(round(100 * share)): metrics.accuracy_at(one, share) for share in COVERAGES},
            "auc": metrics.auc(one),
            "ic": metrics.information_coefficient(one),
            "rank_ic": metrics.rank_information_coefficient(one),
            "brier": metrics.brier(one),
            "brier_skill_over_base_rate": metrics.brier_skill(one, one.base_rate),
            "brier_skill_over_half": metrics.brier_skill(one, 0.5),
            "calibration_error": errors[number].document() if errors else None,
            "reliability": [
                {"rows": part.rows, "probability": part.probability, "rose": part.rose} for part in reliability(one)
            ],
            "returns": (join_books(books) if key == ALL else books[number]).document(),
        }
        if name == ENSEMBLE:
            lower, upper = rows.lower[:, COLUMNS[key]], rows.upper[:, COLUMNS[key]]
            figures["interval_coverage"] = metrics.interval_coverage(lower, upper, one.outcome, one.horizon)
        found[key] = figures
    return found


def _by_fold(rows: OutOfSampleRows, names: list[str], fold: int) -> dict[str, dict[str, Estimate]]:
    chosen = rows.fold == fold
    found: dict[str, dict[str, Estimate]] = {}
    for name in names:
        found[name] = {}
        for key in COLUMNS:
            found[name][key] = metrics.accuracy(select_cells(rows, name, key).chosen(chosen))
    return found


def _comparison(first: str, second: str, cells: dict[str, dict[str, Cells]]) -> dict[str, Any]:
    by_horizon = {key: compare(cells[first][key], cells[second][key]).document() for key in COLUMNS}
    return {"first": first, "second": second, "horizons": by_horizon}


def _verdicts(cells: dict[str, dict[str, Cells]], forecasts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The ensemble compared with each rival, the check of its calibration, and its interval coverage."""
    if ENSEMBLE not in cells:
        return {}
    found: dict[str, Any] = {"against": [_comparison(ENSEMBLE, name, cells) for name in RIVALS if name in cells]}
    for one in found["against"]:
        one["says"] = {key: describe_difference(compared["accuracy"]) for key, compared in one["horizons"].items()}
    every = forecasts[ENSEMBLE]
    found["calibrated"] = {key: every[key]["calibration_error"]["holds"] for key in COLUMNS}
    found["interval_covers"] = {key: every[key]["interval_coverage"].value for key in COLUMNS}
    return found


def make_shuffled_document(runs: Mapping[int, OutOfSampleRows]) -> dict[str, Any]:
    """Does the AUC interval of models that were trained on shuffled labels contain 0.5? ``runs``: rows by seed.

    Such a model is a random function of real features. If features do predict, each model is a little better or worse
    than chance, by more than the number of test rows explains. So the interval is Student's, of the mean AUC over
    trainings (one per fold and run). Bonferroni's (1935) correction makes all horizons' intervals of one forecast
    contain 0.5 together with 95 % probability if nothing leaks. The document also has each run's AUCs, with intervals
    from the test rows only.
    """
    names = [name for name in TRAINED if name in next(iter(runs.values())).forecasts]
    level = 1 - (1 - LEVEL) / len(HORIZONS)
    means = {name: {key: _mean_auc(runs, name, key, level) for key in COLUMNS} for name in names}
    by_run = 1 - (1 - LEVEL) / (len(HORIZONS) * len(runs))
    aucs = {
        seed: {name: {key: metrics.auc(select_cells(rows, name, key), by_run) for key in COLUMNS} for name in names}
        for seed, rows in runs.items()
    }
    cleaned: dict[str, Any] = _without_nan(
        {
            "format": FORMAT,
            "shuffled_labels": True,
            "level": level,
            "auc": means,
            "holds": {name: all(_holds_half(means[name][str(h)]) for h in HORIZONS) for name in names},
            "level_by_run": by_run,
            "runs": [{"seed": seed, "auc": aucs[seed], "folds": rows.facts} for seed, rows in runs.items()],
        }
    )
    return cleaned


def _mean_auc(runs: Mapping[int, OutOfSampleRows], name: str, key: str, level: float) -> Estimate:
    """The mean AUC of single trainings with Student's interval."""
    single = np.array(
        [
            metrics.auc(select_cells(rows, name, key).chosen(rows.fold == fold)).value
            for rows in runs.values()
            for fold in np.unique(rows.fold)
        ]
    )
    mean, count = float(single.mean()), len(single)
    if count < 2:
        return Estimate(mean, float("nan"), float("nan"))
    half = float(student.ppf(0.5 + level / 2, count - 1)) * float(single.std(ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half)


def _holds_half(auc: Estimate) -> bool:
    return auc.low <= 0.5 <= auc.high


def describe_difference(difference: dict[str, float]) -> str:
    """Whether the first forecast is better, by the interval of the difference."""
    if difference["low"] == difference["high"] == 0:
        return "the same"
    if difference["low"] > 0:
        return "better"
    return "worse" if difference["high"] < 0 else "no difference shown"


def _without_nan(value: Any) -> Any:
    """The document for JSON: unknown values are null."""
    if isinstance(value, Estimate):
        return _without_nan(value.document())
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
