"""``candlecast evaluate``: how good are the forecasts, on rows that nothing that was trained had seen?

Reads the candles, looks for look-ahead, trains anew for each fold, and writes tables, evaluation.json and plots.
"""

import json
import re
from dataclasses import asdict
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
from candlecast.trainer.data.splits import walk_forward
from candlecast.trainer.evaluation.plots import write_plots
from candlecast.trainer.evaluation.report import evaluate as evaluate_rows
from candlecast.trainer.evaluation.report import shuffled
from candlecast.trainer.evaluation.tables import folds_table, shuffled_table, tables, verdict
from candlecast.trainer.evaluation.walk_forward import dataset_hash, run
from candlecast.trainer.models import artifacts
from candlecast.trainer.models.training import TrainingOptions

RESULT = "evaluation.json"
#: Of a run on shuffled labels: beside the real figures, never over them.
SHUFFLED_RESULT = "shuffled.json"
#: Trainings on shuffled labels whose spread gives an interval.
LEAST_TRAININGS = 4
LIBRARIES = (*artifacts.LIBRARIES, "matplotlib", "statsmodels")


def evaluate(
    symbol: str,
    from_time: datetime | None,
    to_time: datetime | None,
    folds: int,
    fold: int | None,
    test_from: datetime | None,
    train_days: float | None,
    options: TrainingOptions,
    shuffled_runs: int,
    output: Path | None,
    database_url: str | None,
) -> Path:
    """Evaluate a symbol; returns the folder that holds evaluation.json, the plots and the folds' rows.

    With ``fold`` that one alone is trained and measured, and its results go to a folder of their own inside.
    With ``shuffled_runs`` so many runs are trained on shuffled labels instead, with seeds from ``options.seed`` on.
    Raises CandlecastUserError.
    """
    if fold is not None and fold > folds:
        raise CandlecastUserError(f"there is no fold {fold} of {folds}", "Folds are numbered from 1; see --folds.")
    trainings = shuffled_runs * (folds if fold is None else 1)
    if 0 < trainings < LEAST_TRAININGS:
        raise CandlecastUserError(
            f"trainings on shuffled labels: {trainings}; so few do not say how much they differ",
            f"Raise --shuffle-labels or --folds: runs times folds are to be at least {LEAST_TRAININGS}, better 12.",
        )
    out, err = console(), console(stderr=True)
    folder = output or Path("evaluations") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{_file_name(symbol)}"
    dataset, guarded = _read(symbol, from_time, to_time, database_url)
    start = int(test_from.timestamp()) if test_from else None
    splits = walk_forward(dataset.candle_time, folds, start, train_days)
    out.print(folds_table(dataset, splits))
    until = datetime.fromtimestamp(dataset.open_time[-1] + MINUTE_SECONDS, UTC)
    out.print(
        f"Results go to {plain(folder)}; if interrupted, the same with --output-dir {plain(folder)} and "
        f"--to {until:%Y-%m-%dT%H:%M} goes on there.",
        soft_wrap=True,
    )
    about = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": artifacts.git_commit(),
        "libraries": artifacts.library_versions(LIBRARIES),
        "data_sha256": dataset_hash(dataset),
        "look_ahead_guard": {"rows_checked": guarded},
        "options": asdict(options) | {"train_days": train_days, "folds": folds},
    }
    stage = partial(show_progress, err)
    try:
        if shuffled_runs:
            seeds = range(options.seed, options.seed + shuffled_runs)
            document = about | shuffled(
                {seed: run(dataset, splits, options, folder, stage, shuffle_seed=seed, only=fold) for seed in seeds}
            )
            _write(folder / SHUFFLED_RESULT, document)
            out.print(shuffled_table(document))
            out.print(shuffled_verdict(document), soft_wrap=True)
            return folder
        rows = run(dataset, splits, options, folder, stage, only=fold)
        if fold is not None:
            folder = folder / f"fold-{fold}"
            folder.mkdir(exist_ok=True)
        with stage("Figures"):
            document = about | evaluate_rows(rows)
        _write(folder / RESULT, document)
        for shown_part in (*tables(document), *verdict(document)):
            out.print(
                shown_part, *[""] * isinstance(shown_part, Table), sep="\n", soft_wrap=isinstance(shown_part, str)
            )
        paths = write_plots(document, folder)
    except OSError as error:
        raise CandlecastUserError(
            f"{plain(folder)} cannot be written: {error.strerror or error}",
            "Make room there, or name another folder with --output-dir.",
        ) from error
    out.print("Wrote " + "\n      ".join(plain(path) for path in (folder / RESULT, *paths)), soft_wrap=True)
    return folder


def shuffled_verdict(document: dict[str, Any]) -> str:
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


def _read(
    symbol: str, from_time: datetime | None, to_time: datetime | None, database_url: str | None
) -> tuple[Dataset, int]:
    """The dataset, and on how many rows the look-ahead guard found nothing."""
    err = console(stderr=True)
    with connect(database_url) as connection:
        try:
            with show_progress(err, f"Features of {symbol}"):
                dataset = read_dataset(connection, symbol, from_time, to_time)
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
