"""The commands for what was trained: `predict`, `card`, `publish`."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from candlecast.cli.options import DatabaseUrl, PublishAs, time_of


@dataclass(frozen=True, kw_only=True)
class PredictArguments:
    """The options of `predict`, named as the trainer's predict() takes them."""

    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Candle files: zip, csv, csv.gz or parquet.", show_default=False),
    ]
    artifacts: Annotated[Path, typer.Option(help="A folder under models/ensemble.", show_default=False)]
    symbol: Annotated[
        str | None,
        typer.Option(help="The files' symbol; default: the one that the models were trained on.", show_default=False),
    ] = None
    from_time: Annotated[
        datetime | None,
        typer.Option(
            "--from", parser=time_of, metavar="TIME", help="First candle to predict from.", show_default=False
        ),
    ] = None
    to_time: Annotated[
        datetime | None,
        typer.Option(
            "--to", parser=time_of, metavar="TIME", help="Where to stop, itself left out.", show_default=False
        ),
    ] = None
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many candles.", show_default=False)] = None
    min_confidence: Annotated[
        float, typer.Option(min=0, max=0.5, help="A prediction with |probability_up - 0.5| below it has abstained.")
    ] = 0.0
    output: Annotated[Path | None, typer.Option(help="Write there instead of standard output.", show_default=False)] = (
        None
    )


def predict(options: PredictArguments) -> None:
    """Predict from candle files with a trained ensemble, without a database.

    CSV with the columns and, to 1e-5 in scaled returns, the numbers of `predict_range()`.

    Example: `candlecast predict --artifacts models/ensemble/20260430T235900Z --last 5 BTCUSDT-1m-2026-04.zip`
    """
    from candlecast.trainer.predict import predict as run

    run(**vars(options) | {"output": options.output or sys.stdout})


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

    The files are checked against their facts, then the database runs the test vectors before the ensemble
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
