"""``candlecast evaluate``: how good the forecasts are on out-of-sample rows.

Reads the candles, checks for look-ahead, trains a new pair for each fold, and writes tables, evaluation.json and plots.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from rich.table import Table

from candlecast.client.database import connect, explain
from candlecast.client.display import console
from candlecast.client.progress import show_progress
from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain
from candlecast.core.times import MINUTE_SECONDS
from candlecast.trainer.data.dataset import Dataset, read_dataset
from candlecast.trainer.data.lookahead import check_no_lookahead
from candlecast.trainer.data.splits import FOLDS, Split, split_walk_forward
from candlecast.trainer.evaluation.document import make_document, make_shuffled_document
from candlecast.trainer.evaluation.plots import write_plots
from candlecast.trainer.evaluation.tables import folds_table, make_shuffled_table, tables, verdict
from candlecast.trainer.evaluation.walk_forward import forecast_folds, hash_dataset
from candlecast.trainer.models import artifacts
from candlecast.trainer.models.training import Stage, TrainingOptions

RESULT = "evaluation.json"
#: Result of a run on shuffled labels. A separate file, so that it does not overwrite the real figures.
SHUFFLED_RESULT = "shuffled.json"
#: Trainings on shuffled labels that an interval needs at least.
MIN_TRAININGS = 4
LIBRARIES = (*artifacts.LIBRARIES, "matplotlib", "statsmodels")


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of an evaluation. Times are timezone-aware; ``test_from`` is the start of the first test part.

    ``fold`` trains and measures only that fold, and writes the results to a subfolder of its own.
    ``shuffled_runs`` is the number of runs on shuffled labels, with seeds from ``training.seed`` on; 0: real labels.
    ``output`` is the folder for all results, by default evaluations/TIME-SYMBOL.
    """

    from_time: datetime | None = None
    to_time: datetime | None = None
    folds: int = FOLDS
    fold: int | None = None
    test_from: datetime | None = None
    train_days: float | None = None
    shuffled_runs: int = 0
    output: Path | None = None
    training: TrainingOptions = field(default_factory=TrainingOptions)


def evaluate(symbol: str, options: EvaluateOptions, database_url: str | None) -> Path:
    """Evaluate a symbol; returns the folder that holds evaluation.json, the plots and the folds' rows.

    Raises CandlecastUserError.
    """
    _check(options)
    out, err = console(), console(stderr=True)
    folder = options.output or Path("evaluations") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{_file_name(symbol)}"
    dataset, guarded = _read(symbol, options, database_url)
    start = int(options.test_from.timestamp()) if options.test_from else None
    splits = split_walk_forward(dataset.candle_time, options.folds, start, options.train_days)
    out.print(folds_table(dataset, splits))
    until = datetime.fromtimestamp(dataset.open_time[-1] + MINUTE_SECONDS, UTC)
    out.print(
        f"Results go to {plain(folder)}. To resume after an interruption, add --output-dir {plain(folder)} "
        f"--to {until:%Y-%m-%dT%H:%M} to the same command.",
        soft_wrap=True,
    )
    about = _describe_run(dataset, guarded, options)
    measure = _measure_shuffled if options.shuffled_runs else _measure
    try:
        return measure(dataset, splits, options, folder, about, partial(show_progress, err))
    except OSError as error:
        raise CandlecastUserError(
            f"{plain(folder)} cannot be written: {error.strerror or error}",
            "Free disk space, fix the permissions, or name another folder with --output-dir.",
        ) from error


def _check(options: EvaluateOptions) -> None:
    if options.fold is not None and options.fold > options.folds:
        raise CandlecastUserError(
            f"there is no fold {options.fold} of {options.folds}", "Folds are numbered from 1. See --folds."
        )
    trainings = options.shuffled_runs * (options.folds if options.fold is None else 1)
    if 0 < trainings < MIN_TRAININGS:
        raise CandlecastUserError(
            f"{trainings} trainings on shuffled labels are too few for an interval",
            f"Raise --shuffle-labels or --folds: runs times folds must be at least {MIN_TRAININGS}, better 12.",
        )


def _describe_run(dataset: Dataset, guarded: int, options: EvaluateOptions) -> dict[str, Any]:
    """Facts about the run for both documents."""
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": artifacts.git_commit(),
        "libraries": artifacts.library_versions(LIBRARIES),
        "data_sha256": hash_dataset(dataset),
        "look_ahead_guard": {"rows_checked": guarded},
        "options": asdict(options.training) | {"train_days": options.train_days, "folds": options.folds},
    }


def _measure_shuffled(
    dataset: Dataset,
    splits: Sequence[Split],
    options: EvaluateOptions,
    folder: Path,
    about: dict[str, Any],
    stage: Stage,
) -> Path:
    """Train on shuffled labels, write shuffled.json, print its table."""
    out, training = console(), options.training
    runs = {
        seed: forecast_folds(dataset, splits, training, folder, stage, shuffle_seed=seed, only=options.fold)
        for seed in range(training.seed, training.seed + options.shuffled_runs)
    }
    document = about | make_shuffled_document(runs)
    _write(folder / SHUFFLED_RESULT, document)
    out.print(make_shuffled_table(document))
    out.print(describe_shuffled(document), soft_wrap=True)
    return folder


def _measure(
    dataset: Dataset,
    splits: Sequence[Split],
    options: EvaluateOptions,
    folder: Path,
    about: dict[str, Any],
    stage: Stage,
) -> Path:
    """Train on each fold, write evaluation.json and the plots, print the tables."""
    out = console()
    rows = forecast_folds(dataset, splits, options.training, folder, stage, only=options.fold)
    if options.fold is not None:
        folder = folder / f"fold-{options.fold}"
        folder.mkdir(exist_ok=True)
    with stage("Figures"):
        document = about | make_document(rows)
    _write(folder / RESULT, document)
    for part in (*tables(document), *verdict(document)):
        out.print(part, *[""] * isinstance(part, Table), sep="\n", soft_wrap=isinstance(part, str))
    paths = write_plots(document, folder)
    out.print("Wrote " + "\n      ".join(plain(path) for path in (folder / RESULT, *paths)), soft_wrap=True)
    return folder


def describe_shuffled(document: dict[str, Any]) -> str:
    """Whether a forecast of shuffled labels is better than chance, which would show a leak."""
    trainings = sum(len(one["folds"]) for one in document["runs"])
    passed = [name for name, holds in document["holds"].items() if holds]
    failed = [name for name, holds in document["holds"].items() if not holds]
    text = f"Means of {trainings} trainings with {100 * document['level']:.0f} % intervals (Bonferroni). "
    if passed:
        text += f"The interval contains 50 % at every horizon: {', '.join(passed)}. "
    if failed:
        text += f"It does not at every horizon: {', '.join(failed)}. Check whether the features leak their labels."
    return text.strip()


def _read(symbol: str, options: EvaluateOptions, database_url: str | None) -> tuple[Dataset, int]:
    """The dataset, and the number of rows that the look-ahead guard checked."""
    err = console(stderr=True)
    with connect(database_url) as connection:
        try:
            with show_progress(err, f"Features of {symbol}"):
                dataset = read_dataset(connection, symbol, options.from_time, options.to_time)
            with show_progress(err, "Look-ahead guard"):
                return dataset, check_no_lookahead(connection, symbol, dataset)
        except psycopg.Error as error:
            raise explain(error) from error


def _write(path: Path, document: dict[str, Any]) -> None:
    partial_file = path.with_name(f".{path.name}")
    partial_file.write_text(json.dumps(document, allow_nan=False, indent=1), encoding="utf-8")
    partial_file.replace(path)


def _file_name(symbol: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", symbol)
