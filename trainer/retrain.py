"""``candlecast retrain``: the daily job. A new ensemble on test, or a row in ``training_runs`` that says why not.

    retrain(["BTCUSDT"], RetrainOptions(models=Path("models")))    # an exit status

For each symbol, one run at a time: the candles of a sliding window, training, the gate on the last stretch, then in one
transaction the ensemble on test, and the row. Where ``max_test_ensembles`` are on test it waits instead: a test that is
cut short for a newer one decides nothing. What is live is never touched: activating is an operator's, or the A/B
test's, and so is comparing on minutes that nobody trained on.
"""

import shutil
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

import numpy as np
import psycopg
from rich.console import Console

from candlecast.client.database import connect, explain
from candlecast.client.display import console, print_error
from candlecast.client.progress import show_progress
from candlecast.core.errors import AlreadyRunning, CandlecastUserError
from candlecast.core.text import plain
from candlecast.core.times import ONE_MINUTE, describe_time
from candlecast.trainer import pruning
from candlecast.trainer.data.dataset import Dataset, read_dataset
from candlecast.trainer.data.lookahead import check_no_lookahead
from candlecast.trainer.data.splits import MIN_TEST_ROWS, MIN_VALIDATION_ROWS, PURGE, VALIDATION_SHARE
from candlecast.trainer.export import ExportedPair, train_and_export
from candlecast.trainer.gate import Verdict, judge
from candlecast.trainer.models.training import OnStep, TrainingOptions, forecast_pair
from candlecast.trainer.publish import publish_on_test_or_waiting
from candlecast.trainer.train import describe_parts
from candlecast.trainer.training_runs import TrainingRun, begin

#: Exit statuses. Of several symbols' the first of these that occurred: failed, busy, refused.
PUBLISHED, FAILED, REFUSED, BUSY = 0, 1, 3, 75
#: Bytes that must be free before hours of training begin: a pair takes a few million.
MIN_FREE_BYTES = 16 * 1024 * 1024
#: Rows before the test part whose last share is a validation part.
MIN_ROWS_BEFORE_TEST = int(np.ceil((MIN_VALIDATION_ROWS + PURGE) / VALIDATION_SHARE))

_NEWEST = """
select max(open_time), statement_timestamp()
from candles_1m where symbol = %s and open_time <= statement_timestamp() - interval '1 minute'"""
_CANDLES = "select count(*) from candles_1m where symbol = %s and open_time >= %s and open_time < %s"


@dataclass(frozen=True)
class RetrainOptions:
    """What a run may choose; ``training.test_from`` is set by the run."""

    models: Path = Path("models")
    window_days: float = 90.0
    test_days: float = 7.0
    max_candle_age_hours: float = 24.0
    keep_days: float = 30.0
    training: TrainingOptions = field(default_factory=TrainingOptions)


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end. A KeyboardInterrupt, so that psycopg cancels what the server is doing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def retrain(symbols: Sequence[str], options: RetrainOptions, url: str | None = None) -> int:
    """Retrain one symbol after the other, whatever becomes of the one before; returns the exit status."""
    statuses = set()
    with _interruptible():
        try:
            for symbol in dict.fromkeys(symbols):
                statuses.add(_retrain(symbol, options, url))
        except Interrupted as interrupted:
            return 128 + interrupted.number
    return next((status for status in (FAILED, BUSY, REFUSED) if status in statuses), PUBLISHED)


def _retrain(symbol: str, options: RetrainOptions, url: str | None) -> int:
    try:
        with connect(url) as connection:
            run = begin(connection, symbol, url)
            console().print(f"{plain(symbol)}: training run {run.id}", soft_wrap=True)
            return _attempt(run, options)
    except AlreadyRunning as error:
        print_error(error)
        return BUSY
    except CandlecastUserError as error:
        print_error(error)
        return FAILED


def _attempt(run: TrainingRun, options: RetrainOptions) -> int:
    """Do the work; whatever ends it ends as a row too."""
    try:
        return _work(run, options)
    except Interrupted as interrupted:
        _fail(run, CandlecastUserError(f"interrupted by {signal.Signals(interrupted.number).name}"))
        raise
    except CandlecastUserError as error:
        _fail(run, error)
    except psycopg.Error as error:
        _fail(run, explain(error))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _fail(
            run,
            CandlecastUserError(
                f"the versions of {run.symbol} cannot be written under {options.models}: {error.strerror}{where}",
                "Make room there, or name another folder with --models-dir.",
            ),
        )
    except Exception as error:  # a defect keeps its traceback, and does not take the other symbols' night
        traceback.print_exc()
        _fail(run, CandlecastUserError(f"a defect: {type(error).__name__}: {error}"))
    return FAILED


def _fail(run: TrainingRun, error: CandlecastUserError) -> None:
    """Tell standard error and the row; where no server answers, standard error alone."""
    print_error(error)
    try:
        run.finish("failed", ". ".join(filter(None, (error.message, error.hint))))
    except (CandlecastUserError, psycopg.Error) as second:
        print_error(CandlecastUserError(f"nor could training run {run.id} be told in training_runs: {second}"))


def _work(run: TrainingRun, options: RetrainOptions) -> int:
    out, err = console(), console(stderr=True)
    _check_room(options.models)
    for folder in pruning.sweep(options.models):
        out.print(f"Removed {plain(folder)}, which a run that was killed left half written", soft_wrap=True)
    with show_progress(err, f"Features of {run.symbol}"):
        dataset, test_from = _read(run, options, out)

    @contextmanager
    def stage(title: str) -> Iterator[OnStep]:
        run.check_connection(now=True)
        with show_progress(err, title) as tell:

            def on_step(done: int, total: int, note: str) -> None:
                run.check_connection()
                tell(done, total, note)

            yield on_step

    training = replace(options.training, test_from=int(test_from.timestamp()))
    result = train_and_export(dataset, options.models, training, stage)
    run.version = result.ensemble_folder.name
    out.print(describe_parts(dataset, result), soft_wrap=True)
    with stage("Gate") as on_step:
        test = result.split.test
        verdict = judge(forecast_pair(result.pair, dataset, test, on_step).ensemble, dataset.returns[test])
    run.metrics |= {"gate": verdict.document(), "seconds_of_mamba": sum(fit.seconds for fit in result.pair.fits)}
    out.print(_gate_table(verdict), soft_wrap=True)
    run.check_connection(now=True)
    status = _publish(run, result, out) if verdict.passed else _refuse(run, result, verdict)
    return status if _prune(run, options, out) else FAILED


def _check_room(models: Path) -> None:
    """See before the training whether versions can be written after it. Raises OSError, CandlecastUserError."""
    models.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(models).free
    if free < MIN_FREE_BYTES:
        raise CandlecastUserError(
            f"the disk of {models} has {free:,} bytes left; a new ensemble needs {MIN_FREE_BYTES:,}",
            "Make room there, or name another folder with --models-dir.",
        )


def _read(run: TrainingRun, options: RetrainOptions, out: Console) -> tuple[Dataset, datetime]:
    """The window's dataset, and where its test part begins."""
    symbol, connection = run.symbol, run.connection
    newest, now = connection.execute(_NEWEST, (symbol,)).fetchone() or (None, None)
    load = f"candlecast load FILE... --symbol {symbol}"
    if newest is None or now is None:
        raise CandlecastUserError(f"there are no candles of {symbol}", f"Load some: {load}")
    age = now - newest - ONE_MINUTE
    if age > timedelta(hours=options.max_candle_age_hours):
        raise CandlecastUserError(
            f"the newest candle of {symbol} is {age / timedelta(hours=1):,.1f} hours old: nothing new to learn",
            f"Mend what feeds candles_1m, or load them: {load}. To train on old ones: --max-candle-age-hours.",
        )
    window_to = newest + ONE_MINUTE
    window_from = window_to - timedelta(days=options.window_days)
    test_from = window_to - timedelta(days=options.test_days)
    if options.test_days >= options.window_days:
        raise CandlecastUserError(
            f"a window of {options.window_days:g} days is all test: it has {options.test_days:g} of them",
            "Raise --window-days or lower --test-days.",
        )
    run.set_window(window_from, window_to, test_from)
    candles = (connection.execute(_CANDLES, (symbol, window_from, window_to)).fetchone() or (0,))[0]
    minutes = (window_to - window_from) // ONE_MINUTE
    out.print(f"{candles:,} candles in the {minutes:,} minutes from {describe_time(window_from)}", soft_wrap=True)
    run.metrics |= {"minutes": minutes, "candles": candles, "seed": options.training.seed}
    dataset = read_dataset(connection, symbol, window_from, window_to)
    check_no_lookahead(connection, symbol, dataset)
    for name, rows, least, option in (
        ("before the test part", dataset.candle_time < test_from.timestamp(), MIN_ROWS_BEFORE_TEST, "--window-days"),
        ("in the test part", dataset.candle_time >= test_from.timestamp(), MIN_TEST_ROWS, "--test-days"),
    ):
        if rows.sum() < least:
            raise CandlecastUserError(
                f"{symbol} has {rows.sum():,} minutes {name} with 209 whole candles behind them and 5 after them; "
                f"retraining needs at least {least:,}",
                f"The window holds {candles:,} candles of {minutes:,} minutes. "
                f"Load what is missing: {load}; or raise {option}.",
            )
    return dataset, test_from


def _publish(run: TrainingRun, result: ExportedPair, out: Console) -> int:
    """The ensemble on test, or waiting where no place is free, and the row: all of it or nothing."""
    connection = run.connection
    with connection.transaction():
        published, no_place = publish_on_test_or_waiting(result.ensemble_folder, connection)
        run.ensemble_id = published.id
        run.metrics["on_test"] = no_place is None
        run.write(connection, "published", no_place)
    out.print(str(published), soft_wrap=True)
    if no_place:
        out.print(plain(no_place), soft_wrap=True)
    return PUBLISHED


def _refuse(run: TrainingRun, result: ExportedPair, verdict: Verdict) -> int:
    run.finish("refused", verdict.reason())
    print_error(
        CandlecastUserError(
            f"the gate refuses the new ensemble of {run.symbol}: it is not above the majority class",
            f"What is live serves on. To look closer: candlecast card {result.ensemble_folder.name}",
        )
    )
    return REFUSED


def _prune(run: TrainingRun, options: RetrainOptions, out: Console) -> bool:
    """Old versions go, in the database and on disk; a failure is told, and undoes nothing."""
    try:
        gone = pruning.prune_database(run.connection, run.symbol, options.keep_days)
        named = pruning.read_named_versions(run.connection)
        folders = pruning.prune_folders(options.models, run.symbol, named, options.keep_days)
        if gone or folders:
            run.metrics["pruned"] = {"versions": gone, "folders": [str(folder) for folder in folders]}
            run.amend()
            out.print(f"Pruned: {len(gone)} versions in the database, {len(folders)} folders", soft_wrap=True)
    except (OSError, psycopg.Error) as error:
        reason = f"pruning old versions failed: {error}"
        print_error(CandlecastUserError(reason, "The run itself went as its row says; the next one prunes again."))
        run.amend(reason)
        return False
    return True


def _gate_table(verdict: Verdict) -> str:
    lines = [f"Gate: right directions over {verdict.minutes:,} test minutes, % [95 % interval, Newey-West]"]
    lines += [f"  {line}" for line in verdict.reason().split("; ")]
    lines.append("  passed: above at both" if verdict.passed else "  refused: not above at both")
    return "\n".join(lines)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP end the run with a row; what comes after the first one is not heard."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def handle(number: int, _frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
