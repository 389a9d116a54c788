"""The commands for training: `train`, `retrain`, `evaluate`."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from candlecast.cli.options import DatabaseUrl, FromTime, ModelsDir, PublishAfterTraining, ToTime, time_of

if TYPE_CHECKING:
    from candlecast.trainer.models.training import TrainingOptions

DEFAULT_SYMBOL = "BTCUSDT"


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """Training options of all three commands."""

    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Time limit of Mamba's training in minutes; LightGBM takes seconds.")
    ] = 10.0
    seed: Annotated[int, typer.Option(help="Random seed; results are reproducible on one machine.")] = 0
    mamba_seeds: Annotated[int, typer.Option(min=1, max=8, help="Number of Mamba seeds, averaged in one graph.")] = 3
    threads: Annotated[int, typer.Option(min=1, help="Number of CPU threads.")] = 2

    def to_training_options(self) -> "TrainingOptions":
        """These options as the trainer's TrainingOptions."""
        from candlecast.trainer.models.training import TrainingOptions

        others = dict(vars(self))
        return TrainingOptions(mamba_budget_seconds=60 * others.pop("time_budget_minutes"), **others)


@dataclass(frozen=True, kw_only=True)
class LongFitting(Fitting):
    """Training options with a longer budget, for the daily job."""

    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Time limit of Mamba's training in minutes; LightGBM takes seconds.")
    ] = 20.0


@dataclass(frozen=True, kw_only=True)
class FoldFitting(Fitting):
    """Training options with a budget for each fold."""

    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Time limit of Mamba's training in minutes, for each fold.")
    ] = 10.0


@dataclass(frozen=True, kw_only=True)
class TrainArguments:
    """The options of `train`, named as the trainer's train() takes them."""

    symbol: Annotated[str, typer.Option(help="Symbol of the candles.")] = DEFAULT_SYMBOL
    from_time: FromTime = None
    to_time: ToTime = None
    test_from: Annotated[
        datetime | None,
        typer.Option(
            parser=time_of,
            metavar="TIME",
            help="Start of the test rows; default: the last fifth of all rows.",
            show_default=False,
        ),
    ] = None
    fitting: Fitting = Fitting()
    publish_as: Annotated[
        PublishAfterTraining,
        typer.Option("--publish", help="State of the published ensemble; none: not published."),
    ] = PublishAfterTraining.none
    models: ModelsDir = Path("models")
    database_url: DatabaseUrl = None


@dataclass(frozen=True, kw_only=True)
class RetrainArguments:
    """The options of `retrain`, named as those of the trainer's RetrainArguments."""

    symbols: Annotated[
        list[str] | None,
        typer.Option(
            "--symbol", help="Symbol of the models; repeatable, trained in turn.", show_default=DEFAULT_SYMBOL
        ),
    ] = None
    window_days: Annotated[float, typer.Option(min=1, help="Training range in days before the newest candle.")] = 90.0
    test_days: Annotated[float, typer.Option(min=0.4, help="Days at its end that decide about publication.")] = 7.0
    fitting: LongFitting = LongFitting()
    max_candle_age_hours: Annotated[float, typer.Option(min=0.1, help="Maximum age of the newest candle in hours.")] = (
        24.0
    )
    keep_days: Annotated[float, typer.Option(min=1, help="Retention in days of versions that no ensemble uses.")] = 30.0
    models: ModelsDir = Path("models")
    database_url: DatabaseUrl = None


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments:
    """The options of `evaluate`, named as the trainer's evaluate() takes them."""

    symbol: Annotated[str, typer.Option(help="Symbol of the candles.")] = DEFAULT_SYMBOL
    from_time: FromTime = None
    to_time: ToTime = None
    folds: Annotated[int, typer.Option(min=1, max=20, help="Number of folds, with test ranges of equal length.")] = 4
    fold: Annotated[
        int | None, typer.Option(min=1, help="Number of the only fold to evaluate; default: all.", show_default=False)
    ] = None
    test_from: Annotated[
        datetime | None,
        typer.Option(
            parser=time_of,
            metavar="TIME",
            help="Start of the first test range; default: after the first third of all rows.",
            show_default=False,
        ),
    ] = None
    train_days: Annotated[
        float | None,
        typer.Option(min=1, help="Training range in days before each test range; default: all.", show_default=False),
    ] = None
    fitting: FoldFitting = FoldFitting()
    shuffled_runs: Annotated[
        int,
        typer.Option(
            "--shuffle-labels",
            min=0,
            max=20,
            metavar="RUNS",
            help="Number of control runs with shuffled labels, instead of the evaluation.",
        ),
    ] = 0
    output: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            help="Output folder; default: evaluations/TIME-SYMBOL. Folds in it are not trained again.",
            show_default=False,
        ),
    ] = None
    database_url: DatabaseUrl = None


def train(options: TrainArguments) -> None:
    """Train LightGBM and Mamba on the candles in the database, and evaluate them.

    The evaluation uses the newest rows, which are out-of-sample. The evaluated models are exported; they are not
    fitted again on all rows.

    A TIME is 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z; UTC if it has no time zone.

    Example: `candlecast train --symbol BTCUSDT --publish active`
    """
    _let_threads_wait()
    from candlecast.trainer.train import train as run

    others = dict(vars(options))
    run(**vars(others.pop("fitting")), **others)


def retrain(options: RetrainArguments) -> None:
    """Train on the newest candles and put the new ensemble on test (daily job).

    An ensemble that does not beat the majority class on the test days is not published. If the maximum number of
    ensembles is on test, the new one waits. The active ensemble is not affected.

    Each run is recorded in `training_runs`, with its reason. Only one run per symbol at a time.

    Exit status: 0 published; 1 failed; 3 not published; 75 another run is in progress; 128 + N stopped by signal N.
    With several symbols: the most severe, in the order 1, 75, 3, 0. See docs/how-to/retrain.md.

    Example: `candlecast retrain --symbol BTCUSDT --window-days 90 --test-days 7`
    """
    _let_threads_wait()
    from candlecast.trainer.retrain import RetrainOptions
    from candlecast.trainer.retrain import retrain as run

    others = dict(vars(options))
    symbols, database_url = others.pop("symbols") or [DEFAULT_SYMBOL], others.pop("database_url")
    training = others.pop("fitting").to_training_options()
    raise typer.Exit(run(symbols, RetrainOptions(training=training, **others), database_url))


def evaluate(options: EvaluateArguments) -> None:
    """Evaluate the forecasts walk-forward, with new models for each fold.

    Prints tables, and writes evaluation.json and plots. Publishes nothing. Rows at the border of two ranges are purged.
    Sampled rows are checked for look-ahead before the training. docs/explanation/evaluation.md explains the results.

    A TIME is 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z; UTC if it has no time zone.

    Example: `candlecast evaluate --symbol BTCUSDT --test-from 2026-03-22`
    """
    _let_threads_wait()
    from candlecast.trainer.evaluate import EvaluateOptions
    from candlecast.trainer.evaluate import evaluate as run

    others = dict(vars(options))
    symbol, database_url = others.pop("symbol"), others.pop("database_url")
    training = others.pop("fitting").to_training_options()
    run(symbol, EvaluateOptions(training=training, **others), database_url)


def _let_threads_wait() -> None:
    """Make OpenMP threads sleep while they wait. If they spin on a busy core, LightGBM is 15 to 60 times slower."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
