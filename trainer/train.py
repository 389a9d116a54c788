"""``candlecast train``: trains a pair on the database's candles, writes it to ``models/``, publishes it on request."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
from rich.table import Table

from candlecast.client.database import connect, explain
from candlecast.client.display import console
from candlecast.client.progress import show_progress
from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain
from candlecast.core.windows import HORIZONS, LOOKBACK
from candlecast.trainer.data.dataset import Dataset, read_dataset
from candlecast.trainer.data.lookahead import check_no_lookahead
from candlecast.trainer.evaluation.held_out import HorizonScore
from candlecast.trainer.export import ExportedPair, HeldOutScores, train_and_export
from candlecast.trainer.models.training import TrainingOptions
from candlecast.trainer.publish import publish_ensemble

#: Labeled windows that the default shares need: 15 % of the first 80 %, minus the purge, is a validation part.
MIN_WINDOWS = 6_000


def train(
    symbol: str,
    from_time: datetime | None,
    to_time: datetime | None,
    test_from: datetime | None,
    time_budget_minutes: float,
    seed: int,
    mamba_seeds: int,
    threads: int,
    publish_as: str,
    models: Path,
    database_url: str | None,
) -> ExportedPair:
    """Read, train, print the scores, and publish as 'active', 'test' or not ('none'). Naive times are UTC."""
    err = console(stderr=True)
    with connect(database_url) as connection:
        with show_progress(err, f"Features of {symbol}"):
            try:
                dataset = read_dataset(connection, symbol, as_utc(from_time), as_utc(to_time))
                check_no_lookahead(connection, symbol, dataset)
            except psycopg.Error as error:
                raise explain(error) from error
        _check_enough(dataset)
        test_start = as_utc(test_from)
        options = TrainingOptions(
            test_from=int(test_start.timestamp()) if test_start else None,
            seed=seed,
            mamba_seeds=mamba_seeds,
            threads=threads,
            mamba_budget_seconds=60 * time_budget_minutes,
        )
        result = train_and_export(dataset, models, options, partial(show_progress, err))
    output = console()
    output.print(describe_parts(dataset, result), soft_wrap=True)
    output.print(score_table(result.report))
    for folder in (result.mamba_folder, result.lgbm_folder, result.ensemble_folder):
        output.print(f"Wrote {plain(folder)}", soft_wrap=True)
    if publish_as != "none":
        ensemble = publish_ensemble(result.ensemble_folder, publish_as, database_url)
        output.print(str(ensemble), soft_wrap=True)
    return result


def as_utc(time: datetime | None) -> datetime | None:
    """The time with a time zone: UTC if it has none."""
    if time is None or time.tzinfo is not None:
        return time
    return time.replace(tzinfo=UTC)


def describe_parts(dataset: Dataset, result: ExportedPair) -> str:
    """One line per part with its rows and first and last candle_time, then the training results."""
    lines = []
    for title, rows in (
        ("training", result.split.training),
        ("validation", result.split.validation),
        ("test", result.split.test),
    ):
        first, last = (
            datetime.fromtimestamp(dataset.candle_time[rows[end]], UTC).strftime("%Y-%m-%d %H:%M") for end in (0, -1)
        )
        lines.append(f"{title:<10} {len(rows):>9,} rows, {first} to {last} UTC")
    trees = ", ".join(str(model.num_trees()) for model in result.pair.lgbm)
    lines.append(f"LightGBM has {trees} trees")
    fits = result.pair.fits
    kept = ", ".join(f"{fit.best_epoch}/{len(fit.validation_losses)}" for fit in fits)
    lines.append(
        f"Mamba's best epochs {kept}, trained in {sum(fit.seconds for fit in fits):.0f} s"
        + (", stopped by the time budget" if any(fit.stopped_by_budget for fit in fits) else "")
    )
    weight = result.pair.weight
    lines.append(
        f"Mamba's weight {weight.weight:.2f} [{weight.low:.2f}, {weight.high:.2f}], fitted on the validation rows"
    )
    return "\n".join(lines)


def score_table(report: HeldOutScores) -> Table:
    """Direction accuracy in percent with its 95 % interval, and rmse in basis points, per horizon and forecast."""
    table = Table(title="Scores on the test part (out-of-sample)", title_justify="left", caption_justify="left")
    table.caption = (
        "Accuracy: direction accuracy in % [95 % interval, Newey-West], without returns of 0. "
        "Top tenth: accuracy of the 10 % strongest forecasts. Rmse in basis points."
    )
    for title in ("horizon", "rows", "forecast", "accuracy", "top tenth", "rmse"):
        table.add_column(title, justify="left" if title == "forecast" else "right", no_wrap=True)
    for index, base in enumerate(report.baselines):
        forecasts = (("LightGBM", report.lgbm), ("Mamba", report.mamba), ("ensemble", report.ensemble))
        for number, (name, scores) in enumerate(forecasts):
            one = scores[index]
            heading = (f"{one.horizon} min", f"{one.rows:,}") if number == 0 else ("", "")
            table.add_row(*heading, name, _with_interval(one), f"{100 * one.confident_accuracy:.1f}", _bp(one.rmse))
        table.add_row("", "", "always up", f"{100 * base.always_up:.2f}", "", _bp(base.rmse_of_zero))
        table.add_row("", "", "last sign", f"{100 * base.last_sign:.2f}", "", "", end_section=True)
    return table


def _with_interval(one: HorizonScore) -> str:
    return f"{100 * one.accuracy:.2f} [{100 * one.low:.2f}, {100 * one.high:.2f}]"


def _bp(log_return: float) -> str:
    return f"{1e4 * log_return:.3f}"


def _check_enough(dataset: Dataset) -> None:
    if len(dataset.ends) < MIN_WINDOWS:
        candles = MIN_WINDOWS + LOOKBACK + max(HORIZONS) - 1
        raise CandlecastUserError(
            f"{dataset.symbol} has {len(dataset.ends):,} minutes for training; training needs at least {MIN_WINDOWS:,}",
            f"That is {candles:,} candles without a gap; 60 days are better. "
            f"Load more: candlecast load FILE... --symbol {dataset.symbol}",
        )
