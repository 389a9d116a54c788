"""Every figure of a walk-forward run as one document, evaluation.json: tables and plots read nothing else.

    document = evaluate(rows)
    document["forecasts"]["ensemble"]["1"]["accuracy"]["value"]

Under each forecast stand the five horizons, "1" to "5", and "all", all five in one.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from candlecast.calibration import FAR
from candlecast.features import HORIZONS
from trainer import artifacts, metrics
from trainer.comparison import compare
from trainer.costs import book, joined
from trainer.intervals import LEVEL, Estimate
from trainer.metrics import COVERAGES, Cells
from trainer.reliability import CalibrationError, calibration_errors, reliability
from trainer.walk_forward import (
    ENSEMBLE,
    FORECASTS,
    LAST_SIGN,
    LIGHTGBM,
    LOGISTIC,
    MAJORITY,
    MAMBA,
    REVERSAL,
    RIDGE,
    Rows,
)

FORMAT = 1
ALL = "all"
#: Keys of a forecast's figures, and the columns that they are of.
COLUMNS = {str(horizon): slice(number, number + 1) for number, horizon in enumerate(HORIZONS)} | {
    ALL: slice(0, len(HORIZONS))
}
#: Forecasts that learn from labels.
TRAINED = (ENSEMBLE, LIGHTGBM, MAMBA, LOGISTIC, RIDGE)
#: What the ensemble is held against.
RIVALS = (MAJORITY, LAST_SIGN, REVERSAL, LOGISTIC, RIDGE, LIGHTGBM, MAMBA)


def evaluate(rows: Rows, seed: int = 0) -> dict[str, Any]:
    """All figures of the rows. ``seed`` is of the draws that perfect calibration is simulated by."""
    names = [name for name in FORECASTS if name in rows.forecasts]
    cells = {name: {key: cells_of(rows, name, key) for key in COLUMNS} for name in names}
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
            "out_of_distribution": float(np.mean(rows.distance > FAR)),
        },
        "folds": [fact | {"accuracy": _by_fold(rows, names, fact["fold"])} for fact in rows.facts],
        "forecasts": forecasts,
        "comparisons": [_comparison(first, second, cells) for second, first in pairwise(names)],
        "verdicts": _verdicts(cells, forecasts),
    }
    cleaned: dict[str, Any] = _without_nan(document)
    return cleaned


def cells_of(rows: Rows, name: str, key: str) -> Cells:
    """What metrics are computed from: one forecast at one horizon, or at all."""
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
    rows: Rows, name: str, cells: dict[str, Cells], errors: list[CalibrationError] | None
) -> dict[str, dict[str, Any]]:
    books = [
        book(rows.candle_time, np.sign(rows.forecasts[name].scaled[:, number]), rows.returns, horizon)
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
            "returns": (joined(books) if key == ALL else books[number]).document(),
        }
        if name == ENSEMBLE:
            lower, upper = rows.lower[:, COLUMNS[key]], rows.upper[:, COLUMNS[key]]
            figures["interval_coverage"] = metrics.interval_coverage(lower, upper, one.outcome, one.horizon)
        found[key] = figures
    return found


def _by_fold(rows: Rows, names: list[str], fold: int) -> dict[str, dict[str, Estimate]]:
    chosen = rows.fold == fold
    found: dict[str, dict[str, Estimate]] = {}
    for name in names:
        found[name] = {}
        for key in COLUMNS:
            one = cells_of(rows, name, key)
            part = Cells(one.outcome[chosen], one.forecast[chosen], None, one.base_rate[chosen], one.horizon, one.kind)
            found[name][key] = metrics.accuracy(part)
    return found


def _comparison(first: str, second: str, cells: dict[str, dict[str, Cells]]) -> dict[str, Any]:
    by_horizon = {key: compare(cells[first][key], cells[second][key]).document() for key in COLUMNS}
    return {"first": first, "second": second, "horizons": by_horizon}


def _verdicts(cells: dict[str, dict[str, Cells]], forecasts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The ensemble against each rival, and whether its probabilities and intervals hold."""
    if ENSEMBLE not in cells:
        return {}
    found: dict[str, Any] = {"against": [_comparison(ENSEMBLE, name, cells) for name in RIVALS if name in cells]}
    for one in found["against"]:
        one["says"] = {key: says(compared["accuracy"]) for key, compared in one["horizons"].items()}
    every = forecasts[ENSEMBLE]
    found["calibrated"] = {key: every[key]["calibration_error"]["holds"] for key in COLUMNS}
    found["interval_covers"] = {key: every[key]["interval_coverage"].value for key in COLUMNS}
    return found


def shuffled(runs: Mapping[int, Rows]) -> dict[str, Any]:
    """Rows by seed, of models trained on shuffled labels: does each AUC's interval hold 0.5?

    The intervals are Bonferroni's (1935): wide enough that, where nothing leaks, all those of one forecast at all
    horizons and seeds hold 0.5 together with 95 %.
    """
    level = 1 - (1 - LEVEL) / (len(HORIZONS) * len(runs))
    names = [name for name in TRAINED if name in next(iter(runs.values())).forecasts]
    found: list[dict[str, Any]] = []
    for seed, rows in runs.items():
        aucs = {name: {key: metrics.auc(cells_of(rows, name, key), level) for key in COLUMNS} for name in names}
        found.append({"seed": seed, "auc": aucs, "folds": rows.facts})
    holds = {
        name: all(
            one["auc"][name][str(horizon)].low <= 0.5 <= one["auc"][name][str(horizon)].high
            for one in found
            for horizon in HORIZONS
        )
        for name in names
    }
    cleaned: dict[str, Any] = _without_nan(
        {"format": FORMAT, "shuffled_labels": True, "level": level, "runs": found, "holds": holds}
    )
    return cleaned


def says(difference: dict[str, float]) -> str:
    """What an interval of a difference says of the first."""
    if difference["low"] == difference["high"] == 0:
        return "the same"
    if difference["low"] > 0:
        return "better"
    return "worse" if difference["high"] < 0 else "no difference shown"


def _without_nan(value: Any) -> Any:
    """The same as JSON knows it: what is not known is null."""
    if isinstance(value, Estimate):
        return _without_nan(value.document())
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
