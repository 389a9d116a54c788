"""The commands for trained models: `predict`, `card`, `publish`."""

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
    artifacts: Annotated[Path, typer.Option(help="Folder of an ensemble, under models/ensemble.", show_default=False)]
    symbol: Annotated[
        str | None,
        typer.Option(help="Symbol of the files; default: the symbol of the training.", show_default=False),
    ] = None
    from_time: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            parser=time_of,
            metavar="TIME",
            help="First candle_time; default: the first possible one.",
            show_default=False,
        ),
    ] = None
    to_time: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            parser=time_of,
            metavar="TIME",
            help="End time (exclusive); default: after the last candle.",
            show_default=False,
        ),
    ] = None
    last: Annotated[
        int | None, typer.Option(min=1, help="Only the last N candles; default: all.", show_default=False)
    ] = None
    min_confidence: Annotated[
        float, typer.Option(min=0, max=0.5, help="Limit of |probability_up - 0.5| below which a prediction abstains.")
    ] = 0.0
    output: Annotated[Path | None, typer.Option(help="Output file; default: standard output.", show_default=False)] = (
        None
    )


def predict(options: PredictArguments) -> None:
    """Predict from candle files with a trained ensemble, without a database.

    Prints CSV with the columns of `predict_range()` and the same values, to 1e-5 in scaled returns.

    A TIME is 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z; UTC if it has no time zone.

    Example: `candlecast predict --artifacts models/ensemble/20260430T235900Z --last 5 BTCUSDT-1m-2026-04.zip`
    """
    from candlecast.trainer.predict import predict as run

    run(**vars(options) | {"output": options.output or sys.stdout})


def card(
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION", help="Name of a version, type/name, or id in model_versions.", show_default=False
        ),
    ],
    models_dir: Annotated[Path, typer.Option(help="Folder for versions that the database does not have.")] = Path(
        "models"
    ),
    database_url: DatabaseUrl = None,
) -> None:
    """Print a version's model card: data, metrics, parameters, calibration, limits (Markdown).

    Reads the database, or the folders under models/. A name alone selects the ensemble with both of its models.

    Example: `candlecast card 20260430T235900Z`
    """
    from candlecast.trainer.card import describe_version

    typer.echo(describe_version(version, models_dir, database_url))


def publish(
    ensemble: Annotated[
        Path | None,
        typer.Option(help="Folder of an ensemble, under models/ensemble.", show_default=False),
    ] = None,
    mamba: Annotated[
        Path | None, typer.Option(help="Folder under models/mamba, with --lgbm.", show_default=False)
    ] = None,
    lgbm: Annotated[
        Path | None, typer.Option(help="Folder under models/lgbm, with --mamba.", show_default=False)
    ] = None,
    publish_as: Annotated[
        PublishAs,
        typer.Option("--as", help="State: active; test (A/B test); or waiting (registered only)."),
    ] = PublishAs.active,
    weight: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Weight of Mamba, up to four decimals, with --mamba and --lgbm; default: from ml_settings.",
            show_default=False,
        ),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Publish a trained ensemble, or a Mamba and a LightGBM version, in one transaction.

    The files are verified against facts.json. Before the ensemble becomes active or on test, the database runs its
    test vectors. Publishing the same files again changes nothing.

    Two versions that you combine with --mamba and --lgbm have no calibration, so their predictions have no
    probability and no interval.

    Example: `candlecast publish --ensemble models/ensemble/20260430T235900Z --as test`
    """
    from candlecast.trainer.publish import publish as publish_versions
    from candlecast.trainer.publish import publish_ensemble

    if ensemble is not None and mamba is None and lgbm is None and weight is None:
        published = publish_ensemble(ensemble, publish_as.value, database_url)
    elif ensemble is None and mamba is not None and lgbm is not None:
        published = publish_versions(mamba, lgbm, publish_as.value, weight, database_url)
    else:
        raise typer.BadParameter("Set either --ensemble, or both --mamba and --lgbm.")
    typer.echo(str(published))
