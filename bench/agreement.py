"""Both runtimes inside the database against the same files in plain Python, on the same feature rows."""

from collections.abc import Callable

import numpy as np
import psycopg
from numpy.lib.stride_tricks import sliding_window_view

from bench.peer import HORIZONS, SEQUENCE, Models
from bench.report import Figure, Limit
from bench.stage import MINUTE, SYMBOL, Stage, with_runtime
from candlecast.core.errors import TorchScriptNotAllowed
from candlecast.core.feature_names import FEATURES
from candlecast.core.returns import scale_of

OnStep = Callable[[int, int, str], None]
_NAMES = {"onnx": "ONNX", "torchscript": "TorchScript"}
_FEATURES = f"""
select array[{", ".join(FEATURES)}] from features_between('{SYMBOL}', to_timestamp(%s), to_timestamp(%s))
order by open_time"""
_FORECASTS = f"""
select mamba_close, lgbm_close from predict_range('{SYMBOL}', to_timestamp(%s), to_timestamp(%s))
order by candle_time, horizon"""


def both_runtimes(stage: Stage, windows: int, on_step: OnStep) -> list[Figure]:
    """One figure for each model and runtime."""
    figures = []
    for number, runtime in enumerate(_NAMES):
        figures += agreement(stage, windows, runtime)
        on_step(number + 1, len(_NAMES), "")
    return figures


def agreement(stage: Stage, windows: int, runtime: str) -> list[Figure]:
    """|difference| of scaled returns over the newest ``windows`` candle times, one sample for each value."""
    end = stage.minute * MINUTE
    start = end - windows * MINUTE
    rows = stage.db.execute(_FEATURES, [start - (SEQUENCE - 1) * MINUTE, end], binary=True).fetchall()
    raw = sliding_window_view(np.array([row[0] for row in rows]), SEQUENCE, axis=0).transpose(0, 2, 1)
    scale = scale_of(raw[:, -1, FEATURES.index("volatility_30m")])
    try:
        with stage.connect() as session, with_runtime(session, runtime):
            returns = np.array(session.execute(_FORECASTS, [start, end], binary=True).fetchall())
    except psycopg.Error as error:
        if error.sqlstate != TorchScriptNotAllowed.sqlstate:
            raise
        return [Figure(f"{_NAMES[runtime]} in the database and in plain Python", "", note=str(error))]
    inside = returns.reshape(windows, len(HORIZONS), 2) / scale[:, :, np.newaxis]
    figures = []
    for number, (model, outside) in enumerate(
        zip(("Mamba", "LightGBM"), Models(stage.folder, runtime).scaled_returns(raw), strict=True)
    ):
        if model == "Mamba" or runtime == "onnx":
            what = f"{model}, {_NAMES[runtime]} in the database and outside: scaled returns of {windows:,} windows"
            difference = np.abs(inside[:, :, number] - outside).ravel()
            figures.append(Figure(what, "", difference, (Limit("max", 1e-5),)))
    return figures
