"""The ``candlecast`` command: loads candles, trains models, deploys them.

Each command imports what it needs when it runs, so that ``--help`` answers at once. An expected error
(CandlecastUserError) ends as two lines on standard error and exit status 1, or the one that the error names.
"""

import os
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from candlecast.cli import candles
from candlecast.cli.options import (
    DatabaseUrl,
    Fold,
    FromTime,
    MambaSeeds,
    ModelsDir,
    PublishAfterTraining,
    PublishAs,
    Seed,
    Threads,
    ToTime,
    TrainDays,
    time_of,
)
from candlecast.cli.serve import serve
from candlecast.client.display import print_error
from candlecast.core.errors import CandlecastUserError


class _Commands(TyperGroup):
    """Prints expected errors instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CandlecastUserError as error:
            print_error(error)
            raise typer.Exit(error.exit_status) from None


def _print_version(asked: bool) -> None:
    if not asked:
        return
    try:
        typer.echo(f"candlecast {version('candlecast')}")
    except PackageNotFoundError:
        typer.echo("candlecast, run from a clone and not installed")
    raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Bitcoin forecasts inside PostgreSQL: load candles, train models, deploy them."""
    # The callback keeps `candlecast load` a subcommand however few commands there are.


# What brings candles in, and keeps them coming.
for command in (candles.load, candles.backfill, candles.repair, candles.feed):
    app.command()(command)


@app.command()
def train(
    symbol: Annotated[str, typer.Option(help="Whose candles to train on.")] = "BTCUSDT",
    from_time: FromTime = None,
    to_time: ToTime = None,
    test_from: Annotated[
        datetime | None,
        typer.Option(
            parser=time_of,
            metavar="TIME",
            help="Where the test part begins; default: the last fifth of the rows.",
            show_default=False,
        ),
    ] = None,
    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes that Mamba may train for; LightGBM takes seconds.")
    ] = 10.0,
    seed: Seed = 0,
    mamba_seeds: MambaSeeds = 3,
    threads: Threads = 2,
    publish: Annotated[
        PublishAfterTraining,
        typer.Option(help="Deploy the pair as the active ensemble, on test, waiting, or not."),
    ] = PublishAfterTraining.none,
    models_dir: ModelsDir = Path("models"),
    database_url: DatabaseUrl = None,
) -> None:
    """Train LightGBM and Mamba on the candles in the database, and measure them.

    The last stretch of time is kept for the test; nothing that training or early stopping read overlaps
    it. What was measured is what is written and published: nothing is refitted afterwards.

    A TIME is 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z; UTC where it names no zone.

    Example: `candlecast train --symbol BTCUSDT --publish active`
    """
    # LightGBM's threads would spin while they wait for a core that something else uses: 15 to 60 times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from candlecast.trainer.train import train as run

    run(
        symbol=symbol,
        from_time=from_time,
        to_time=to_time,
        test_from=test_from,
        time_budget_minutes=time_budget_minutes,
        seed=seed,
        mamba_seeds=mamba_seeds,
        threads=threads,
        publish_as=publish.value,
        models=models_dir,
        database_url=database_url,
    )


@app.command()
def retrain(
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", help="Whose models; again for more, one after the other.", show_default="BTCUSDT"),
    ] = None,
    window_days: Annotated[float, typer.Option(min=1, help="Days of candles up to the newest one.")] = 90.0,
    test_days: Annotated[float, typer.Option(min=0.4, help="Of these, the last ones are for the gate.")] = 7.0,
    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes that Mamba may train for; LightGBM takes seconds.")
    ] = 20.0,
    seed: Seed = 0,
    mamba_seeds: MambaSeeds = 3,
    threads: Threads = 2,
    max_candle_age_hours: Annotated[
        float, typer.Option(min=0.1, help="Refuse to train where the newest candle is older: nothing is new then.")
    ] = 24.0,
    keep_days: Annotated[
        float, typer.Option(min=1, help="Days after which a version goes that no ensemble names.")
    ] = 30.0,
    models_dir: ModelsDir = Path("models"),
    database_url: DatabaseUrl = None,
) -> None:
    """Train on the newest candles and put the result on test: the daily job.

    An ensemble that is no better than the majority class on the last days is not published. Where every place on test
    is taken, it waits: no test is cut short for it. What is live serves on either way; `training_runs` has a row for
    every run, with the reason. One run at a time for a symbol.

    Exit status: 0 published, 1 failed, 3 refused by the gate, 75 another run is at it; 128 and the signal's number
    where one ended it. Of several symbols the worst, in the order 1, 75, 3, 0. docs/retraining.md has the rest.

    Example: `candlecast retrain --symbol BTCUSDT --window-days 90 --test-days 7`
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from candlecast.trainer.models.training import TrainingOptions
    from candlecast.trainer.retrain import RetrainOptions
    from candlecast.trainer.retrain import retrain as run

    training = TrainingOptions(
        seed=seed, mamba_seeds=mamba_seeds, threads=threads, mamba_budget_seconds=60 * time_budget_minutes
    )
    options = RetrainOptions(
        models=models_dir,
        window_days=window_days,
        test_days=test_days,
        max_candle_age_hours=max_candle_age_hours,
        keep_days=keep_days,
        training=training,
    )
    raise typer.Exit(run(symbols or ["BTCUSDT"], options, database_url))


@app.command()
def evaluate(
    symbol: Annotated[str, typer.Option(help="Whose candles to evaluate on.")] = "BTCUSDT",
    from_time: FromTime = None,
    to_time: ToTime = None,
    folds: Annotated[int, typer.Option(min=1, max=20, help="Test parts of equal length, each trained for anew.")] = 4,
    fold: Fold = None,
    test_from: Annotated[
        datetime | None,
        typer.Option(
            parser=time_of,
            metavar="TIME",
            help="Where the first test part begins; default: after the first third of the rows.",
            show_default=False,
        ),
    ] = None,
    train_days: TrainDays = None,
    time_budget_minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes that Mamba may train for in each fold.")
    ] = 10.0,
    seed: Seed = 0,
    mamba_seeds: MambaSeeds = 3,
    threads: Threads = 2,
    shuffle_labels: Annotated[
        int,
        typer.Option(
            min=0,
            max=20,
            metavar="RUNS",
            help="Train on shuffled labels instead, so many runs: nothing may be predictable then.",
        ),
    ] = 0,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where results go; default: evaluations/TIME-SYMBOL. Folds that it holds are not trained again.",
            show_default=False,
        ),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Measure the forecasts walk-forward: train anew for each fold, test on what comes after.

    Nothing is published. Minutes at each border are left out, so that no candle is read on both sides; before anything
    is trained, sampled rows are checked for look-ahead. Prints tables, writes evaluation.json and plots;
    docs/evaluation.md says what they mean.

    Example: `candlecast evaluate --symbol BTCUSDT --test-from 2026-03-22`
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in train
    from candlecast.trainer.evaluate import EvaluateOptions
    from candlecast.trainer.evaluate import evaluate as run
    from candlecast.trainer.models.training import TrainingOptions

    training = TrainingOptions(
        seed=seed, threads=threads, mamba_seeds=mamba_seeds, mamba_budget_seconds=60 * time_budget_minutes
    )
    options = EvaluateOptions(
        from_time=from_time,
        to_time=to_time,
        folds=folds,
        fold=fold,
        test_from=test_from,
        train_days=train_days,
        shuffled_runs=shuffle_labels,
        output=output_dir,
        training=training,
    )
    run(symbol, options, database_url)


@app.command()
def predict(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Candle files: zip, csv, csv.gz or parquet.", show_default=False),
    ],
    artifacts: Annotated[Path, typer.Option(help="A folder under models/ensemble.", show_default=False)],
    symbol: Annotated[
        str | None,
        typer.Option(help="The files' symbol; default: the one that the models were trained on.", show_default=False),
    ] = None,
    from_time: Annotated[
        datetime | None,
        typer.Option(
            "--from", parser=time_of, metavar="TIME", help="First candle to predict from.", show_default=False
        ),
    ] = None,
    to_time: Annotated[
        datetime | None,
        typer.Option(
            "--to", parser=time_of, metavar="TIME", help="Where to stop, itself left out.", show_default=False
        ),
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many candles.", show_default=False)] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=0.5, help="A prediction with |probability_up - 0.5| below it has abstained.")
    ] = 0.0,
    output: Annotated[
        Path | None, typer.Option(help="Write there instead of standard output.", show_default=False)
    ] = None,
) -> None:
    """Predict from candle files with a trained ensemble, without a database.

    CSV with the columns and, to 1e-5 in scaled returns, the numbers of `predict_range()`.

    Example: `candlecast predict --artifacts models/ensemble/20260430T235900Z --last 5 BTCUSDT-1m-2026-04.zip`
    """
    from candlecast.trainer.predict import predict as run

    run(artifacts, files, output or sys.stdout, symbol, from_time, to_time, last, min_confidence)


@app.command()
def card(
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION", help="A version's name, type/name, or id in model_versions.", show_default=False
        ),
    ],
    models_dir: Annotated[Path, typer.Option(help="Where to look for what no database knows.")] = Path("models"),
    database_url: DatabaseUrl = None,
) -> None:
    """Print what a version is: data, measurements, parameters, calibration, limits; markdown.

    From the database, else from the folders under models/. A name alone gives the ensemble with both of its models.

    Example: `candlecast card 20260430T235900Z`
    """
    from candlecast.trainer.card import describe_version

    typer.echo(describe_version(version, models_dir, database_url))


@app.command()
def publish(
    ensemble: Annotated[
        Path | None,
        typer.Option(help="A folder under models/ensemble: both versions, weight, calibration.", show_default=False),
    ] = None,
    mamba: Annotated[
        Path | None, typer.Option(help="Instead, with --lgbm: a folder under models/mamba.", show_default=False)
    ] = None,
    lgbm: Annotated[
        Path | None, typer.Option(help="Instead, with --mamba: a folder under models/lgbm.", show_default=False)
    ] = None,
    publish_as: Annotated[
        PublishAs,
        typer.Option("--as", help="Make it the active ensemble, put it on test, or register it: it waits."),
    ] = PublishAs.active,
    weight: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="With --mamba and --lgbm: Mamba's weight, to four decimals; default: what ml_settings says.",
            show_default=False,
        ),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Deploy a trained ensemble, or two versions joined by hand, in one transaction.

    The files are checked against their facts, then the database runs the golden rows before the ensemble
    goes live or on test; one that waits is proved when it does. Publishing the same again changes nothing. Versions
    that are joined by hand have no calibration, so no probabilities and no prediction intervals.

    Example: `candlecast publish --ensemble models/ensemble/20260430T235900Z --as test`
    """
    from candlecast.trainer.publish import publish as publish_versions
    from candlecast.trainer.publish import publish_ensemble

    if ensemble is not None and mamba is None and lgbm is None and weight is None:
        published = publish_ensemble(ensemble, publish_as.value, database_url)
    elif ensemble is None and mamba is not None and lgbm is not None:
        published = publish_versions(mamba, lgbm, publish_as.value, weight, database_url)
    else:
        raise typer.BadParameter("Give --ensemble alone, or both --mamba and --lgbm.")
    typer.echo(str(published))


@app.command()
def status(database_url: DatabaseUrl = None) -> None:
    """Show each symbol's candles, gaps and feed, the live ensembles, the last hour's inference runs.

    Example: `candlecast status`
    """
    from candlecast.cli.status import print_status

    print_status(database_url)


app.command()(serve)
