"""Predictions in warm and in new sessions, the memory of the backends, and agreement with plain Python."""

import time
from contextlib import nullcontext

import numpy as np
import psycopg
from numpy.lib.stride_tricks import sliding_window_view

from bench.baseline import HORIZONS, SEQUENCE, Models
from bench.figures import Figure, Limit, OnStep, memory_figure, milliseconds
from bench.fixture import MINUTE, PREDICT_NOW, SYMBOL, Fixture, with_runtime
from bench.processes import memory_of
from candlecast.core.errors import TorchScriptNotAllowed
from candlecast.core.feature_names import FEATURES
from candlecast.core.returns import scale_of

_RUNTIMES = {"onnx": "ONNX", "torchscript": "TorchScript"}
_MEMORY_LIMITS = (Limit("max", 100.0),)
_FEATURES = f"""
select array[{", ".join(FEATURES)}] from features_between('{SYMBOL}', to_timestamp(%s), to_timestamp(%s))
order by open_time"""
_FORECASTS = f"""
select mamba_close, lgbm_close from predict_range('{SYMBOL}', to_timestamp(%s), to_timestamp(%s))
order by candle_time, horizon"""


def warm(fixture: Fixture, runs: int, on_step: OnStep) -> list[Figure]:
    """predict_now() and the baseline alternately, each time on a new candle, then their memory."""
    own, other = [], []
    with fixture.connect() as session, fixture.baseline() as baseline:
        for run in range(-10, runs):  # ten warm-up runs
            fixture.next_candle()
            turns = [lambda: own.append(predict_now(session)), lambda: other.append(baseline.request("predict")["ms"])]
            for turn in turns if run % 2 else turns[::-1]:
                turn()
            on_step(max(run + 1, 0), runs, "")
        memory, other_memory = [memory_of(session.info.backend_pid)], [memory_of(baseline.pid)]
    limits = (Limit("median", 6.0), Limit("p99", 15.0), Limit("ratio", 1.2))
    latency = Figure("predict_now() on a new candle, warm session", "ms", own[10:], limits, other[10:])
    latency.note = f"models of {fixture.measured.trained_on}"
    what = f"memory of a backend after {runs + 10} predictions, ONNX"
    return [latency, memory_figure(what, memory, other_memory, _MEMORY_LIMITS)]


def first(fixture: Fixture, runs: int, on_step: OnStep) -> list[Figure]:
    """The first prediction of a new session, from connecting to its rows, and its memory, for both runtimes."""
    figures = []
    for number, (runtime, name) in enumerate(_RUNTIMES.items()):
        own, other = [], []
        for run in range(runs):
            fixture.next_candle()
            try:
                own.append(_first_prediction(fixture, runtime))
            except psycopg.Error as error:
                return [*figures, _not_allowed(error, "first prediction of a new session, TorchScript")]
            other.append(_first_baseline(fixture, runtime))
            on_step(number * runs + run + 1, 2 * runs, name)
        taken, memory = zip(*own, strict=True)
        other_taken, other_memory = zip(*other, strict=True)
        limits = ((Limit("max", 400.0),), _MEMORY_LIMITS) if runtime == "onnx" else ((), ())
        what = f"memory of a backend after its first prediction, {name}"
        figures += [
            Figure(f"first prediction of a new session, {name}", "ms", taken, limits[0], other_taken),
            memory_figure(what, memory, other_memory, limits[1]),
        ]
    return figures


def agreement(fixture: Fixture, windows: int, on_step: OnStep) -> list[Figure]:
    """|difference| of scaled returns in the database and in plain Python, over the newest ``windows`` candle times."""
    end = fixture.minute * MINUTE
    start = end - windows * MINUTE
    rows = fixture.db.execute(_FEATURES, [start - (SEQUENCE - 1) * MINUTE, end], binary=True).fetchall()
    raw = sliding_window_view(np.array([row[0] for row in rows]), SEQUENCE, axis=0).transpose(0, 2, 1)
    scale = scale_of(raw[:, -1, FEATURES.index("volatility_30m")])
    figures = []
    for number, (runtime, name) in enumerate(_RUNTIMES.items()):
        try:
            with fixture.connect() as session, with_runtime(session, runtime):
                returns = np.array(session.execute(_FORECASTS, [start, end], binary=True).fetchall())
        except psycopg.Error as error:
            return [*figures, _not_allowed(error, "TorchScript in the database and in plain Python")]
        inside = returns.reshape(windows, len(HORIZONS), 2) / scale[:, :, np.newaxis]
        outside = Models(fixture.folder, runtime).scaled_returns(raw)
        for place, model in enumerate(("Mamba", "LightGBM")[: 2 if runtime == "onnx" else 1]):
            what = f"{model}, {name} in the database and in Python: scaled returns of {windows:,} windows"
            difference = np.abs(inside[:, :, place] - outside[place]).ravel()
            figures.append(Figure(what, "", difference, (Limit("max", 1e-5),)))
        on_step(number + 1, len(_RUNTIMES), name)
    return figures


def predict_now(session: psycopg.Connection) -> float:
    """Duration of one call in milliseconds."""
    rows = []
    taken = milliseconds(lambda: rows.extend(session.execute(PREDICT_NOW).fetchall()))
    assert len(rows) == 5
    return taken


def _first_prediction(fixture: Fixture, runtime: str) -> tuple[float, float]:
    """Milliseconds from connecting to five rows, and the backend's memory in MB."""
    started = time.perf_counter()
    with fixture.connect() as session, with_runtime(session, runtime) if runtime != "onnx" else nullcontext():
        predict_now(session)
        return 1000 * (time.perf_counter() - started), memory_of(session.info.backend_pid)


def _first_baseline(fixture: Fixture, runtime: str) -> tuple[float, float]:
    """Milliseconds from starting the process to its five rows, and its memory in MB."""
    started = time.perf_counter()
    with fixture.baseline(runtime) as baseline:
        baseline.request("predict")
        return 1000 * (time.perf_counter() - started), memory_of(baseline.pid)


def _not_allowed(error: psycopg.Error, what: str) -> Figure:
    if error.sqlstate != TorchScriptNotAllowed.sqlstate:
        raise error
    return Figure(what, "ms", note=str(error))
