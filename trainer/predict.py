"""``candlecast predict``: the database's forecasts without a database: candles from files, models from a folder.

    candlecast predict --artifacts models/ensemble/20261122T170312Z --last 5 BTCUSDT-1m-2026-04.zip

Features by their reference (`trainer/features.py`), models and rows by the server's own code, so the numbers are
those of ``predict_range()``, to 1e-5 in scaled returns.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from candlecast.candles.files import read_candle_file
from candlecast.client.display import console
from candlecast.client.progress import show_progress
from candlecast.core.calibration import parse_calibration
from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.core.errors import CandlecastError, CandlecastUserError, FileRefused
from candlecast.core.forecast import Ensemble
from candlecast.core.forecast_rows import ForecastRow, forecast_rows
from candlecast.core.times import MINUTE_US, describe_time
from candlecast.core.windows import LOOKBACK, whole_windows, windows_at
from candlecast.server.model_loader import load_lgbm, load_mamba
from candlecast.trainer.features import compute_features
from candlecast.trainer.models.artifacts import CALIBRATION, read_ensemble, read_version

#: Windows that the models get at once, as in the server.
BATCH = 128


def predict(
    artifacts: Path,
    files: Sequence[Path],
    output: TextIO | Path,
    symbol: str | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    last: int | None = None,
    min_confidence: float = 0.0,
) -> int:
    """Write a forecast for every candle_time in [from_time, to_time), or the last ones, as CSV; returns how many.

    Columns as ``predict_range`` gives them; ensemble_id is empty, for no database gave one. Minutes without a whole
    window are skipped. Raises CandlecastUserError.
    """
    try:
        ensemble, trained_on = load_exported_ensemble(artifacts)
        symbol, candles = read_candles(files, symbol, trained_on)
        with np.errstate(divide="ignore", invalid="ignore"):  # told by name below
            open_time, features = compute_features(candles)
        _check_finite(open_time, features)
        ends = whole_windows(open_time)
        bounds = (from_time.timestamp() if from_time else -np.inf, to_time.timestamp() if to_time else np.inf)
        ends = ends[(open_time[ends] >= bounds[0]) & (open_time[ends] < bounds[1])]
        ends = ends[-last:] if last else ends
        if not len(ends):
            raise CandlecastUserError(
                f"nothing can be predicted from these {len(candles['open_time']):,} candles of {symbol}",
                f"A prediction reads {LOOKBACK} candles a minute apart, its own the last: name more files, "
                "in which none is missing, or widen --from and --to.",
            )
        rows = _rows(ensemble, symbol, open_time, features, ends, min_confidence)
        with output.open("w", newline="") if isinstance(output, Path) else nullcontext(output) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(ForecastRow._fields)
            writer.writerows([_text(value) for value in row] for row in rows)
    except CandlecastError as error:
        raise CandlecastUserError(" ".join(filter(None, (error.message, error.detail))), error.hint) from error
    except BrokenPipeError:  # `| head` has seen enough
        return 0
    except OSError as error:
        raise CandlecastUserError(f"the forecasts cannot be written: {error}", "Name another file.") from None
    return len(ends)


def load_exported_ensemble(folder: Path) -> tuple[Ensemble, str]:
    """The ensemble of ``models/ensemble/<version>`` as the server would load it, and its symbol.

    Mamba by ONNX Runtime, as where the server's ``mamba_runtime`` is 'auto'. Raises CandlecastUserError, and the
    errors of candlecast's loaders.
    """
    facts, files, mamba_folder, lgbm_folder = read_ensemble(folder)
    calibration = parse_calibration(files[CALIBRATION].decode())
    if calibration.mamba_weight != facts.get("mamba_weight"):
        raise CandlecastUserError(
            f"{folder}: its facts give Mamba's weight as {facts.get('mamba_weight')!r}, its calibration is of "
            f"{calibration.mamba_weight}",
            "Train again.",
        )
    _, mamba_files = read_version(mamba_folder)
    lgbm_facts, lgbm_files = read_version(lgbm_folder)
    ensemble = Ensemble(
        id=None,
        mamba_weight=calibration.mamba_weight,
        mamba=load_mamba(mamba_files.get, "onnx", "cpu"),
        lgbm=load_lgbm(lgbm_files.get, lgbm_facts),
        calibration=calibration,
    )
    return ensemble, facts["symbol"]


def read_candles(files: Sequence[Path], symbol: str | None, trained_on: str) -> tuple[str, dict[str, np.ndarray]]:
    """(symbol, candles as ``compute_features`` reads them) of files of one symbol; the last file about a minute wins.

    Where ``symbol`` names none the files must be of the symbol that the models were trained on.
    """
    read = [read_candle_file(file, symbol) for file in files]
    for one in read:
        if symbol is None and one.symbol != trained_on:
            raise FileRefused(
                one.file,
                f"it holds {one.symbol}, and the models were trained on {trained_on}",
                f"--symbol {one.symbol} predicts it all the same.",
            )
        astray = np.flatnonzero(one.open_time % MINUTE_US)
        if len(astray):
            place = f"{one.unit} {one.places[astray[0]]}"
            at = describe_time(one.open_time[astray[0]])
            raise FileRefused(one.file, f"open_time {at} is off the minute", "A candle opens on the minute.", place)
    columns = {name: np.concatenate([one.columns[name] for one in read]).astype(np.float64) for name in RAW_COLUMNS}
    columns["open_time"] = np.concatenate([one.open_time for one in read]) // 1_000_000
    order = np.argsort(columns["open_time"], kind="stable")
    times = columns["open_time"][order]
    order = order[np.append(np.diff(times) > 0, True)] if len(order) else order
    return symbol or trained_on, {name: values[order] for name, values in columns.items()}


def _check_finite(open_time: np.ndarray, features: np.ndarray) -> None:
    """What the constraints of candles_1m keep out of the database must not reach the models here."""
    broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(broken):
        at = describe_time(int(open_time[broken[0]]) * 1_000_000)
        raise CandlecastUserError(
            f"the candles before {at} give features that are no numbers",
            "A price is 0, negative or missing there. `candlecast load` names the line.",
        )


def _rows(
    ensemble: Ensemble, symbol: str, open_time: np.ndarray, features: np.ndarray, ends: np.ndarray, least: float
) -> Iterator[ForecastRow]:
    with show_progress(console(stderr=True), "Predictions") as tell:
        for start in range(0, len(ends), BATCH):
            some = ends[start : start + BATCH]
            windows = windows_at(features, some)
            yield from forecast_rows(ensemble, symbol, open_time[some], windows, least)
            tell(start + len(some), len(ends), "")


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
