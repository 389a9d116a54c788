"""The commands that train and measure: `train`, `retrain`, `evaluate`."""

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
    """How long and how both models are fitted: what all three commands let one choose."""

    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes that Mamba may train for; LightGBM takes seconds.")
    ] = 10.0
    seed: Annotated[int, typer.Option(help="The same seed and candles give the same models on one machine.")] = 0
    mamba_seeds: Annotated[
        int, typer.Option(min=1, max=8, help="Mambas from as many seeds, averaged in one graph.")
    ] = 3
    threads: Annotated[int, typer.Option(min=1, help="Processor threads to use.")] = 2

    def to_training_options(self) -> "TrainingOptions":
        """The same for the trainer."""
        from candlecast.trainer.models.training import TrainingOptions

        others = dict(vars(self))
        return TrainingOptions(mamba_budget_seconds=60 * others.pop("time_budget_minutes"), **others)


@dataclass(frozen=True, kw_only=True)
class LongFitting(Fitting):
    """The daily job has more time."""

    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes that Mamba may train for; LightGBM takes seconds.")
    ] = 20.0


@dataclass(frozen=True, kw_only=True)
class FoldFitting(Fitting):
    """The budget is for each fold."""

    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes that Mamba may train for in each fold.")
    ] = 10.0


@dataclass(frozen=True, kw_only=True)
class TrainArguments:
    """The options of `train`, named as the trainer's train() takes them."""

    symbol: Annotated[str, typer.Option(help="Whose candles to train on.")] = DEFAULT_SYMBOL
    from_time: FromTime = None
    to_time: ToTime = None
    test_from: Annotated[
        datetime | None,
        typer.Option(
            parser=time_of,
            metavar="TIME",
            help="Where the test part begins; default: the last fifth of the rows.",
            show_default=False,
        ),
    ] = None
    fitting: Fitting = Fitting()
    publish_as: Annotated[
        PublishAfterTraining,
        typer.Option("--publish", help="Deploy the pair as the active ensemble, on test, waiting, or not."),
    ] = PublishAfterTraining.none
    models: ModelsDir = Path("models")
    database_url: DatabaseUrl = None


@dataclass(frozen=True, kw_only=True)
class RetrainArguments:
    """The options of `retrain`, named as those of the trainer's RetrainArguments."""

    symbols: Annotated[
        list[str] | None,
        typer.Option(
            "--symbol", help="Whose models; again for more, one after the other.", show_default=DEFAULT_SYMBOL
        ),
    ] = None
    window_days: Annotated[float, typer.Option(min=1, help="Days of candles up to the newest one.")] = 90.0
    test_days: Annotated[float, typer.Option(min=0.4, help="Of these, the last ones are for the gate.")] = 7.0
    fitting: LongFitting = LongFitting()
    max_candle_age_hours: Annotated[
        float, typer.Option(min=0.1, help="Refuse to train where the newest candle is older: nothing is new then.")
    ] = 24.0
    keep_days: Annotated[float, typer.Option(min=1, help="Days after which a version goes that no ensemble names.")] = (
        30.0
    )
    models: ModelsDir = Path("models")
    database_url: DatabaseUrl = None


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments:
    """The options of `evaluate`, named as the trainer's evaluate() takes them."""

    symbol: Annotated[str, typer.Option(help="Whose candles to evaluate on.")] = DEFAULT_SYMBOL
    from_time: FromTime = None
    to_time: ToTime = None
    folds: Annotated[int, typer.Option(min=1, max=20, help="Test parts of equal length, each trained for anew.")] = 4
    fold: Annotated[
        int | None, typer.Option(min=1, help="Train and measure this fold alone; default: all.", show_default=False)
    ] = None
    test_from: Annotated[
        datetime | None,
        typer.Option(
            parser=time_of,
            metavar="TIME",
            help="Where the first test part begins; default: after the first third of the rows.",
            show_default=False,
        ),
    ] = None
    train_days: Annotated[
        float | None,
        typer.Option(min=1, help="Train on so many days before each test part; default: on all.", show_default=False),
    ] = None
    fitting: FoldFitting = FoldFitting()
    shuffled_runs: Annotated[
        int,
        typer.Option(
            "--shuffle-labels",
            min=0,
            max=20,
            metavar="RUNS",
            help="Train on shuffled labels instead, so many runs: nothing may be predictable then.",
        ),
    ] = 0
    output: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            help="Where results go; default: evaluations/TIME-SYMBOL. Folds that it holds are not trained again.",
            show_default=False,
        ),
    ] = None
    database_url: DatabaseUrl = None


def train(options: TrainArguments) -> None:
    """Train LightGBM and Mamba on the candles in the database, and measure them.

    The last stretch of time is kept for the test; nothing that training or early stopping read overlaps
    it. What was measured is what is written and published: nothing is refitted afterwards.

    A TIME is 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z; UTC where it names no zone.

    Example: `candlecast train --symbol BTCUSDT --publish active`
    """
    _let_threads_wait()
    from candlecast.trainer.train import train as run

    others = dict(vars(options))
    run(**vars(others.pop("fitting")), **others)


def retrain(options: RetrainArguments) -> None:
    """Train on the newest candles and put the result on test: the daily job.

    An ensemble that is no better than the majority class on the last days is not published. Where every place on test
    is taken, it waits: no test is cut short for it. What is live serves on either way; `training_runs` has a row for
    every run, with the reason. One run at a time for a symbol.

    Exit status: 0 published, 1 failed, 3 refused by the gate, 75 another run is at it; 128 and the signal's number
    where one ended it. Of several symbols the worst, in the order 1, 75, 3, 0. docs/retraining.md has the rest.

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
    """Measure the forecasts walk-forward: train anew for each fold, test on what comes after.

    Nothing is published. Minutes at each border are left out, so that no candle is read on both sides; before anything
    is trained, sampled rows are checked for look-ahead. Prints tables, writes evaluation.json and plots;
    docs/explanation/evaluation.md says what they mean.

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
    """LightGBM's threads would spin while they wait for a core that something else uses: 15 to 60 times slower."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
