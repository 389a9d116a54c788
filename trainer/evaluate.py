"""``candlecast evaluate``: how good are the forecasts, on rows that nothing that was trained had seen?

Reads the candles, looks for look-ahead, trains anew for each fold, and writes tables, evaluation.json and plots.
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
#: Of a run on shuffled labels: beside the real figures, never over them.
SHUFFLED_RESULT = "shuffled.json"
#: Trainings on shuffled labels whose spread gives an interval.
MIN_TRAININGS = 4
LIBRARIES = (*artifacts.LIBRARIES, "matplotlib", "statsmodels")


@dataclass(frozen=True)
class EvaluateOptions:
    """What an evaluation may choose. Times are aware; ``test_from`` is where the first test part begins.

    With ``fold`` that one alone is trained and measured, and its results go to a folder of their own inside.
    With ``shuffled_runs`` so many runs are trained on shuffled labels instead, with seeds from ``training.seed`` on.
    ``output`` is the folder for all results; by default evaluations/TIME-SYMBOL.
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
        f"Results go to {plain(folder)}; if interrupted, the same with --output-dir {plain(folder)} and "
        f"--to {until:%Y-%m-%dT%H:%M} goes on there.",
        soft_wrap=True,
    )
    about = _describe_run(dataset, guarded, options)
    measure = _measure_shuffled if options.shuffled_runs else _measure
    try:
        return measure(dataset, splits, options, folder, about, partial(show_progress, err))
    except OSError as error:
        raise CandlecastUserError(
            f"{plain(folder)} cannot be written: {error.strerror or error}",
            "Make room there, or name another folder with --output-dir.",
        ) from error


def _check(options: EvaluateOptions) -> None:
    if options.fold is not None and options.fold > options.folds:
        raise CandlecastUserError(
            f"there is no fold {options.fold} of {options.folds}", "Folds are numbered from 1; see --folds."
        )
    trainings = options.shuffled_runs * (options.folds if options.fold is None else 1)
    if 0 < trainings < MIN_TRAININGS:
        raise CandlecastUserError(
            f"trainings on shuffled labels: {trainings}; so few do not say how much they differ",
            f"Raise --shuffle-labels or --folds: runs times folds are to be at least {MIN_TRAININGS}, better 12.",
        )


def _describe_run(dataset: Dataset, guarded: int, options: EvaluateOptions) -> dict[str, Any]:
    """What both documents say of the run itself."""
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
    """Whether anything was predicted that could not be."""
    trainings = sum(len(one["folds"]) for one in document["runs"])
    held = [name for name, holds in document["holds"].items() if holds]
    strayed = [name for name, holds in document["holds"].items() if not holds]
    said = f"Means of {trainings} trainings; the intervals are of {100 * document['level']:.0f} % (Bonferroni). "
    if held:
        said += f"At every horizon they hold 50 %: {', '.join(held)}. "
    if strayed:
        said += f"Not at every horizon: {', '.join(strayed)}: look for what the rows know of their labels."
    return said.strip()


def _read(symbol: str, options: EvaluateOptions, database_url: str | None) -> tuple[Dataset, int]:
    """The dataset, and on how many rows the look-ahead guard found nothing."""
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
