"""One prediction: in a warm session, in a new one, and the memory that it leaves a backend with."""

import time
from collections.abc import Callable

import psycopg

from bench.memory import memory_figure, memory_of
from bench.report import Figure, Limit
from bench.stage import SYMBOL, Peer, Stage, with_runtime
from candlecast.core.errors import TorchScriptNotAllowed

OnStep = Callable[[int, int, str], None]
_PREDICT_NOW = f"select * from predict_now('{SYMBOL}')"
RUNTIMES = ("onnx", "torchscript")
_MEMORY_LIMITS = (Limit("max", 100.0),)
_NAMES = {"onnx": "ONNX", "torchscript": "TorchScript"}


def warm(stage: Stage, runs: int, on_step: OnStep) -> list[Figure]:
    """predict_now() on a new candle each time, the peer on the same candle, in turns; then both processes' memory."""
    own, other = [], []
    with stage.connect() as session, stage.peer() as peer:
        for run in range(-10, runs):  # the first ten warm both up
            stage.next_candle()
            turns = [lambda: own.append(_timed_predict(session)), lambda: other.append(peer.ask("predict")["ms"])]
            for turn in turns if run % 2 else turns[::-1]:
                turn()
            on_step(max(run + 1, 0), runs, "")
        memory = [memory_of(session.info.backend_pid)]
        peer_memory = [memory_of(peer.process.pid)]
    limits = (Limit("median", 6.0), Limit("p99", 15.0), Limit("ratio", 1.2))
    latency = Figure("predict_now() on a new candle, warm session", "ms", own[10:], limits, other[10:])
    what = f"memory of a backend after {runs + 10} predictions, ONNX"
    return [latency, memory_figure(what, memory, peer_memory, _MEMORY_LIMITS)]


def first(stage: Stage, runs: int, on_step: OnStep) -> list[Figure]:
    """The first prediction of a new session, from connecting to its rows, and its memory then; both runtimes."""
    figures = []
    for number, runtime in enumerate(RUNTIMES):
        own, other, memory, peer_memory = [], [], [], []
        for run in range(runs):
            stage.next_candle()
            try:
                seconds, kilobytes = _first_prediction(stage, runtime)
            except psycopg.Error as error:
                if error.sqlstate != TorchScriptNotAllowed.sqlstate:
                    raise
                return [*figures, Figure("first prediction of a new session, TorchScript", "ms", note=str(error))]
            own.append(seconds)
            memory.append(kilobytes)
            other.append(_fresh_peer(stage, runtime))
            on_step(number * runs + run + 1, 2 * runs, _NAMES[runtime])
        with stage.peer(runtime) as peer:
            peer.ask("predict")
            peer_memory.append(memory_of(peer.process.pid))
        limited = runtime == "onnx"
        what = f"first prediction of a new session, {_NAMES[runtime]}"
        figures.append(Figure(what, "ms", own, (Limit("max", 400.0),) if limited else (), other))
        what = f"memory of a backend after its first prediction, {_NAMES[runtime]}"
        figures.append(memory_figure(what, memory, peer_memory, _MEMORY_LIMITS if limited else ()))
    return figures


def _timed_predict(session: psycopg.Connection) -> float:
    started = time.perf_counter()
    rows = session.execute(_PREDICT_NOW).fetchall()
    elapsed = (time.perf_counter() - started) * 1000
    assert len(rows) == 5
    return elapsed


def _first_prediction(stage: Stage, runtime: str) -> tuple[float, float]:
    """Milliseconds from connecting to five rows, and the backend's MB then."""
    started = time.perf_counter()
    with stage.connect() as session:
        if runtime == "onnx":
            rows = session.execute(_PREDICT_NOW).fetchall()
            elapsed = time.perf_counter() - started
        else:
            with with_runtime(session, runtime):
                rows = session.execute(_PREDICT_NOW).fetchall()
                elapsed = time.perf_counter() - started
        assert len(rows) == 5
        return elapsed * 1000, memory_of(session.info.backend_pid)


def _fresh_peer(stage: Stage, runtime: str) -> float:
    """Milliseconds from starting the process to its five rows printed."""
    started = time.perf_counter()
    process = stage.start_peer("--runtime", runtime)
    Peer(process).answer()
    elapsed = (time.perf_counter() - started) * 1000
    process.communicate()
    return elapsed
