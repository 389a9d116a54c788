"""``candlecast retrain``: the daily retraining. It puts a new ensemble on test, or records the reason why not.

    retrain(["BTCUSDT"], RetrainOptions(models=Path("models")))    # returns the exit status

For each symbol, one at a time: read the candles of a sliding window, train, check the gate on the last days, then put
the ensemble on test and write the row in ``training_runs`` in one transaction. If ``max_test_ensembles`` are on test,
the ensemble waits: an A/B test that ends early for a newer ensemble has no result. The active ensemble is never
changed: only an operator or the A/B test activates an ensemble.
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
from candlecast.trainer.gate import Verdict, compare_with_majority
from candlecast.trainer.models.training import OnStep, TrainingOptions, forecast_pair
from candlecast.trainer.publish import publish_on_test_or_waiting
from candlecast.trainer.train import describe_parts
from candlecast.trainer.training_runs import TrainingRun, begin

#: Exit statuses. Several symbols: FAILED if any failed, else BUSY if any was busy, else REFUSED if any was refused.
PUBLISHED, FAILED, REFUSED, BUSY = 0, 1, 3, AlreadyRunning.exit_status
#: Free disk space in bytes that a run needs at its start: a pair takes a few million.
MIN_FREE_BYTES = 16 * 1024 * 1024
#: Rows before the test part that give a large enough validation part.
MIN_ROWS_BEFORE_TEST = int(np.ceil((MIN_VALIDATION_ROWS + PURGE) / VALIDATION_SHARE))

_NEWEST = """
select max(open_time), statement_timestamp()
from candles_1m where symbol = %s and open_time <= statement_timestamp() - interval '1 minute'"""
_CANDLES = "select count(*) from candles_1m where symbol = %s and open_time >= %s and open_time < %s"


@dataclass(frozen=True)
class RetrainOptions:
    """Options of a run. The run itself sets ``training.test_from``."""

    models: Path = Path("models")
    window_days: float = 90.0
    test_days: float = 7.0
    max_candle_age_hours: float = 24.0
    keep_days: float = 30.0
    training: TrainingOptions = field(default_factory=TrainingOptions)


class Interrupted(KeyboardInterrupt):
    """A signal ended the run. A KeyboardInterrupt, so that psycopg cancels the running query."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def retrain(symbols: Sequence[str], options: RetrainOptions, url: str | None = None) -> int:
    """Retrain each symbol, even if the previous one failed. Returns the exit status."""
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
    """Do the work. Every failure is also written to training_runs."""
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
                "Free disk space, fix the permissions, or name another folder with --models-dir.",
            ),
        )
    except Exception as error:  # a bug: print its traceback and continue with the other symbols
        traceback.print_exc()
        _fail(run, CandlecastUserError(f"internal error: {type(error).__name__}: {error}"))
    return FAILED


def _fail(run: TrainingRun, error: CandlecastUserError) -> None:
    """Report an error on standard error and in training_runs; if the server is unreachable, only on standard error."""
    print_error(error)
    try:
        run.finish("failed", ". ".join(filter(None, (error.message, error.hint))))
    except (CandlecastUserError, psycopg.Error) as second:
        print_error(CandlecastUserError(f"training run {run.id} could not be updated in training_runs: {second}"))


def _work(run: TrainingRun, options: RetrainOptions) -> int:
    out, err = console(), console(stderr=True)
    _check_disk_space(options.models)
    for folder in pruning.sweep(options.models):
        out.print(f"Removed {plain(folder)}, a partial folder of a killed run", soft_wrap=True)
    with show_progress(err, f"Features of {run.symbol}"):
        dataset, test_from = _read(run, options, out)

    @contextmanager
    def stage(title: str) -> Iterator[OnStep]:
        run.check_connection(now=True)
        with show_progress(err, title) as report:

            def on_step(done: int, total: int, note: str) -> None:
                run.check_connection()
                report(done, total, note)

            yield on_step

    training = replace(options.training, test_from=int(test_from.timestamp()))
    result = train_and_export(dataset, options.models, training, stage)
    run.version = result.ensemble_folder.name
    out.print(describe_parts(dataset, result), soft_wrap=True)
    with stage("Gate") as on_step:
        test = result.split.test
        forecast = forecast_pair(result.pair, dataset, test, on_step)
        verdict = compare_with_majority(forecast.ensemble, dataset.returns[test])
    run.metrics |= {"gate": verdict.document(), "seconds_of_mamba": sum(fit.seconds for fit in result.pair.fits)}
    out.print(_gate_table(verdict), soft_wrap=True)
    run.check_connection(now=True)
    status = _publish(run, result, out) if verdict.passed else _refuse(run, result, verdict)
    return status if _prune(run, options, out) else FAILED


def _check_disk_space(models: Path) -> None:
    """Check before training that versions can be written after it. Raises OSError, CandlecastUserError."""
    models.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(models).free
    if free < MIN_FREE_BYTES:
        raise CandlecastUserError(
            f"the disk of {models} has {free:,} free bytes; a new ensemble needs {MIN_FREE_BYTES:,}",
            "Free disk space, or name another folder with --models-dir.",
        )


def _read(run: TrainingRun, options: RetrainOptions, out: Console) -> tuple[Dataset, datetime]:
    """The window's dataset, and the start of its test part."""
    symbol, connection = run.symbol, run.connection
    newest, now = connection.execute(_NEWEST, (symbol,)).fetchone() or (None, None)
    load = f"candlecast load FILE... --symbol {symbol}"
    if newest is None or now is None:
        raise CandlecastUserError(f"there are no candles of {symbol}", f"Load some: {load}")
    age = now - newest - ONE_MINUTE
    if age > timedelta(hours=options.max_candle_age_hours):
        raise CandlecastUserError(
            f"the newest candle of {symbol} is {age / timedelta(hours=1):,.1f} hours old, so there is no new data",
            f"Fix the feed, or load candles: {load}. To train on old candles, raise --max-candle-age-hours.",
        )
    window_to = newest + ONE_MINUTE
    window_from = window_to - timedelta(days=options.window_days)
    test_from = window_to - timedelta(days=options.test_days)
    if options.test_days >= options.window_days:
        raise CandlecastUserError(
            f"a window of {options.window_days:g} days with {options.test_days:g} test days has no training days",
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
                f"{symbol} has {rows.sum():,} minutes {name} with 209 candles up to them and 5 after them without a "
                f"gap; retraining needs at least {least:,}",
                f"The window has {candles:,} candles of {minutes:,} minutes. "
                f"Load the missing candles ({load}), or raise {option}.",
            )
    return dataset, test_from


def _publish(run: TrainingRun, result: ExportedPair, out: Console) -> int:
    """Put the ensemble on test, or let it wait if no place is free, and write the row, in one transaction."""
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
            f"the gate refused the new ensemble of {run.symbol}: it is not better than the majority class",
            f"The active ensemble is unchanged. For details, run: candlecast card {result.ensemble_folder.name}",
        )
    )
    return REFUSED


def _prune(run: TrainingRun, options: RetrainOptions, out: Console) -> bool:
    """Remove old versions from the database and from disk. A failure is reported and does not undo the run."""
    try:
        deleted = pruning.prune_database(run.connection, run.symbol, options.keep_days)
        named = pruning.read_named_versions(run.connection)
        folders = pruning.prune_folders(options.models, run.symbol, named, options.keep_days)
        if deleted or folders:
            run.metrics["pruned"] = {"versions": deleted, "folders": [str(folder) for folder in folders]}
            run.amend()
            out.print(f"Pruned: {len(deleted)} versions in the database, {len(folders)} folders", soft_wrap=True)
    except (OSError, psycopg.Error) as error:
        reason = f"pruning old versions failed: {error}"
        print_error(CandlecastUserError(reason, "The result of the run is unchanged. The next run prunes again."))
        run.amend(reason)
        return False
    return True


def _gate_table(verdict: Verdict) -> str:
    lines = [f"Gate: direction accuracy over {verdict.minutes:,} test minutes, % [95 % interval, Newey-West]"]
    lines += [f"  {line}" for line in verdict.reason().split("; ")]
    lines.append(
        "  passed: better than the majority class in both rows"
        if verdict.passed
        else "  refused: not better than the majority class in at least one row"
    )
    return "\n".join(lines)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP end the run and update its row. Later signals are ignored."""
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
