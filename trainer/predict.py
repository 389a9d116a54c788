"""``candlecast predict``: forecasts without a database, from candle files and a models folder.

    candlecast predict --artifacts models/ensemble/20261122T170312Z --last 5 BTCUSDT-1m-2026-04.zip

The reference (`trainer/features.py`) computes the features, the server's code runs the models. So the results equal
those of ``predict_range()`` up to 1e-5 in scaled returns.
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

#: Windows per model call, as in the server.
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
    """Write a forecast for every candle_time in [from_time, to_time), or for the last N, as CSV. Returns their number.

    The columns are those of ``predict_range``; ensemble_id is empty. Minutes without a complete window are skipped.
    Raises CandlecastUserError.
    """
    try:
        ensemble, trained_on = load_exported_ensemble(artifacts)
        symbol, candles = read_candles(files, symbol, trained_on)
        with np.errstate(divide="ignore", invalid="ignore"):  # _check_finite reports them below
            open_time, features = compute_features(candles)
        _check_finite(open_time, features)
        ends = whole_windows(open_time)
        bounds = (from_time.timestamp() if from_time else -np.inf, to_time.timestamp() if to_time else np.inf)
        ends = ends[(open_time[ends] >= bounds[0]) & (open_time[ends] < bounds[1])]
        ends = ends[-last:] if last else ends
        if not len(ends):
            raise CandlecastUserError(
                f"no prediction is possible from these {len(candles['open_time']):,} candles of {symbol}",
                f"A prediction needs {LOOKBACK} candles without a gap up to its candle_time. Name more files "
                "or files without gaps, or widen --from and --to.",
            )
        rows = _rows(ensemble, symbol, open_time, features, ends, min_confidence)
        with output.open("w", newline="") if isinstance(output, Path) else nullcontext(output) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(ForecastRow._fields)
            writer.writerows([_text(value) for value in row] for row in rows)
    except CandlecastError as error:
        raise CandlecastUserError(" ".join(filter(None, (error.message, error.detail))), error.hint) from error
    except BrokenPipeError:  # the reader, such as `| head`, has closed the pipe
        return 0
    except OSError as error:
        raise CandlecastUserError(f"the forecasts cannot be written: {error}", "Name another output file.") from None
    return len(ends)


def load_exported_ensemble(folder: Path) -> tuple[Ensemble, str]:
    """Load the ensemble of ``models/ensemble/<version>`` like the server, and its symbol.

    ONNX Runtime runs Mamba, as in the server with ``mamba_runtime`` 'auto'. Raises CandlecastUserError and the errors
    of the model loaders.
    """
    facts, files, mamba_folder, lgbm_folder = read_ensemble(folder)
    calibration = parse_calibration(files[CALIBRATION].decode())
    if calibration.mamba_weight != facts.get("mamba_weight"):
        raise CandlecastUserError(
            f"{folder}: Mamba's weight is {facts.get('mamba_weight')!r} in its facts, but {calibration.mamba_weight} "
            "in its calibration",
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
    """(symbol, candles for ``compute_features``) of files of one symbol. If files overlap, the last one wins.

    Without ``symbol`` the files must be of the symbol that the models were trained on.
    """
    read = [read_candle_file(file, symbol) for file in files]
    for one in read:
        if symbol is None and one.symbol != trained_on:
            raise FileRefused(
                one.file,
                f"it holds {one.symbol}, but the models were trained on {trained_on}",
                f"To predict it anyway, add --symbol {one.symbol}.",
            )
        off_minute = np.flatnonzero(one.open_time % MINUTE_US)
        if len(off_minute):
            place = f"{one.unit} {one.places[off_minute[0]]}"
            at = describe_time(one.open_time[off_minute[0]])
            reason = f"open_time {at} is not on the minute"
            raise FileRefused(one.file, reason, "Correct open_time: a candle opens on the minute.", place)
    columns = {name: np.concatenate([one.columns[name] for one in read]).astype(np.float64) for name in RAW_COLUMNS}
    columns["open_time"] = np.concatenate([one.open_time for one in read]) // 1_000_000
    order = np.argsort(columns["open_time"], kind="stable")
    times = columns["open_time"][order]
    order = order[np.append(np.diff(times) > 0, True)] if len(order) else order
    return symbol or trained_on, {name: values[order] for name, values in columns.items()}


def _check_finite(open_time: np.ndarray, features: np.ndarray) -> None:
    """Reject values that the constraints of candles_1m would reject. Raises CandlecastUserError."""
    invalid = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(invalid):
        at = describe_time(int(open_time[invalid[0]]) * 1_000_000)
        raise CandlecastUserError(
            f"the candles before {at} give features that are not finite",
            "Correct the prices that are 0, negative or missing. `candlecast load` reports their line.",
        )


def _rows(
    ensemble: Ensemble, symbol: str, open_time: np.ndarray, features: np.ndarray, ends: np.ndarray, least: float
) -> Iterator[ForecastRow]:
    with show_progress(console(stderr=True), "Predictions") as on_step:
        for start in range(0, len(ends), BATCH):
            batch = ends[start : start + BATCH]
            windows = windows_at(features, batch)
            yield from forecast_rows(ensemble, symbol, open_time[batch], windows, least)
            on_step(start + len(batch), len(ends), "")


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
