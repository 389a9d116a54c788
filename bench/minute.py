"""From the candle's commit to the predictions' commit: fresh sessions that call run_inference(), and pg_cron itself.

The sessions are measured with the active ensemble alone, beside the peer, and again with three test ensembles beside
it. Each test has versions of its own (copies of the measured files under other names), so a session loads four pairs
and shares nothing between them: what four different models of this kind cost. Its figures stand beside those of the
active ensemble alone, for that is what a test adds; no process outside the database predicts with four.

Both times are PostgreSQL's own (track_commit_timestamp), so no poll of ours is in them. A commit's time is taken
just before its flush to disk: the candle's flush is counted, the predictions' is not.

run_inference() awaits the candle of the minute that just closed, and there is one such minute in sixty seconds. So the
candle and its predictions are taken back after each session, and the next session awaits the same minute. The candle
comes half a second to a second after the session began to run; it has its models then, as it would in real life, where
candles come a second or two after their minute.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from bench.memory import memory_figure, memory_of
from bench.report import Figure, Limit
from bench.stage import MINUTE, SYMBOL, Peer, Stage

OnStep = Callable[[int, int, str], None]
LIMIT = Limit("p99", 50.0)
#: As many as max_test_ensembles allows where nobody changed it.
TESTS = 3
_JOB = "select cron.alter_job(jobid, active := %s) from cron.job where jobname = 'candlecast-inference'"
_JOB_RUNS = """
select coalesce(
    string_agg(format('%s %s %s', start_time::time(0), status, return_message), '; ' order by runid), 'nothing'
)
from cron.job_run_details"""
_RUNNING = f"""
select extract(epoch from candle_time)::int8 from inference_runs
where symbol = '{SYMBOL}' and status = 'running' and backend_pid = %s"""
_COMMITTED = f"""
select extract(epoch from max(pg_xact_commit_timestamp(written.xmin)) - pg_xact_commit_timestamp(candle.xmin)) * 1000.0
from candles_1m as candle
join {{table}} as written on written.symbol = candle.symbol and written.candle_time = candle.open_time
where candle.symbol = '{SYMBOL}' and candle.open_time = to_timestamp(%s)
group by candle.xmin having count(*) = %s"""
# A run has a row per ensemble: they load, predict and write one after the other; the features are computed once, and
# the last row's latency is the whole run's.
_INSIDE = f"""
select {{medians}}
from (
    select
        sum(load_ms) as load, max(features_ms) as features, sum(models_ms) as models, sum(write_ms) as write,
        max(latency_ms) as latency
    from inference_runs
    where symbol = '{SYMBOL}' and status = 'predicted' and id > %s
    group by backend_pid, candle_time
) as runs"""
_NEWEST_RUN = "select coalesce(max(id), 0) from inference_runs"
_PARTS = ("load", "features", "models", "write", "latency")


@dataclass(frozen=True)
class _Session:
    """What one fresh session took: ms to the predictions' commit, ms to the call's answer, and its MB then."""

    committed: float
    answered: float
    memory: float


def sessions(stage: Stage, runs: int, seed: int, on_step: OnStep) -> list[Figure]:
    """``runs`` fresh sessions, each followed by the peer, which waits for the same candle in a warm process.

    Then as many with TESTS test ensembles beside the active one.
    """
    clock = random.Random(seed)
    alone, with_tests, other = [], [], []
    first_run = stage.db.execute(_NEWEST_RUN).fetchone()[0]
    with stage.peer() as peer:
        for run in range(runs):
            candle_time = _awaited_minute(stage)
            alone.append(_one_session(stage, candle_time, clock.uniform(0.5, 1.0)))
            stage.take_back()
            other.append(_one_peer(stage, peer, candle_time, clock.uniform(0.1, 0.2)))
            stage.take_back()
            on_step(run + 1, 2 * runs, "")
    inside = _inside(stage, first_run)
    first_run = stage.db.execute(_NEWEST_RUN).fetchone()[0]
    with stage.tests(TESTS):
        for run in range(runs):
            candle_time = _awaited_minute(stage)
            with_tests.append(_one_session(stage, candle_time, clock.uniform(0.5, 1.0), 1 + TESTS))
            stage.take_back()
            on_step(runs + run + 1, 2 * runs, f"with {TESTS} tests")
    what = "candle committed to predictions committed, fresh sessions"
    beside = "what stands under peer is the active ensemble alone"
    return [
        Figure(what, "ms", [one.committed for one in alone], (LIMIT,), other, inside),
        Figure(
            "candle committed to call run_inference() answered",
            "ms",
            [one.answered for one in alone],
            note="by the client's clock",
        ),
        Figure(
            f"{what}, {TESTS} tests beside the active one",
            "ms",
            [one.committed for one in with_tests],
            (LIMIT,),
            [one.committed for one in alone],
            f"{beside}; {_inside(stage, first_run)}",
        ),
        memory_figure(
            f"memory of a backend that ran run_inference() with {TESTS} tests",
            [one.memory for one in with_tests],
            [one.memory for one in alone],
            note=f"{beside}; pg_cron's sessions end with the minute",
        ),
    ]


def cron(stage: Stage, minutes: int, seed: int, on_step: OnStep) -> list[Figure]:
    """The pg_cron job over real minutes, each candle 1 to 3 s after its minute closed.

    One minute before them sees the job begin and is not counted. A minute that is not predicted counts as a minute.
    """
    what = f"candle committed to predictions committed, {minutes} minutes of pg_cron"
    clock = random.Random(seed)
    stage.db.execute(_JOB, [True])
    awaited = []
    try:
        for minute in range(minutes + 1):
            _sleep_to(MINUTE - 5)
            stage.feed(int(time.time()) // MINUTE)
            _sleep_to(0)
            time.sleep(clock.uniform(1.0, 3.0))
            awaited.append(stage.next_candle())
            on_step(minute, minutes, "")
        _wait_for_predictions(stage, awaited[-1])
    finally:
        stage.db.execute(_JOB, [False])
    found = [_committed(stage, "predictions", candle_time) for candle_time in awaited[1:]]
    own = [MINUTE * 1000.0 if milliseconds is None else milliseconds for milliseconds in found]
    figure = Figure(what, "ms", own, (LIMIT,))
    if None in found:
        figure.note = (
            f"{found.count(None)} minutes not predicted. pg_cron says: {stage.db.execute(_JOB_RUNS).fetchone()[0]}"
        )
    return [figure]


def _inside(stage: Stage, after: int) -> str:
    """What the sessions since run ``after`` of inference_runs spent their time on."""
    medians = ", ".join(f"percentile_cont(0.5) within group (order by {part})" for part in _PARTS)
    found = stage.db.execute(_INSIDE.format(medians=medians), [after]).fetchone()
    inside = ", ".join(f"{part} {median:.1f}" for part, median in zip(_PARTS, found, strict=True))
    return f"medians inside run_inference(), ms: {inside}"


def _wait_for_predictions(stage: Stage, candle_time: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _committed(stage, "predictions", candle_time) is None:
        time.sleep(0.2)


def _awaited_minute(stage: Stage) -> int:
    """Far from the minute's ends: candles up to the one before the last closed minute; returns that minute's time."""
    if not 2 <= time.time() % MINUTE <= 54:
        _sleep_to(2)
    closed = int(time.time()) // MINUTE - 1
    stage.feed(closed)
    return closed * MINUTE


def _one_session(stage: Stage, candle_time: int, delay: float, ensembles: int = 1) -> _Session:
    """A new session's run, its candle ``delay`` seconds after it began; ``ensembles`` predict."""
    answered: list[float] = []
    with stage.connect() as session:

        def call() -> None:
            session.execute("call run_inference()")
            answered.append(time.perf_counter())

        thread = threading.Thread(target=call)
        thread.start()
        _wait_until_running(stage, session, candle_time)
        time.sleep(delay)
        stage.next_candle()
        committed = time.perf_counter()
        thread.join()
        memory = memory_of(session.info.backend_pid)
    milliseconds = _committed(stage, "predictions", candle_time, ensembles)
    if not answered or milliseconds is None:
        raise SystemExit(f"run_inference() did not predict {SYMBOL}: select * from inference_runs order by id desc")
    return _Session(milliseconds, (answered[0] - committed) * 1000, memory)


def _one_peer(stage: Stage, peer: Peer, candle_time: int, delay: float) -> float:
    peer.send(f"await {candle_time}")
    time.sleep(delay)
    stage.next_candle()
    peer.answer()
    milliseconds = _committed(stage, "bench_predictions", candle_time)
    assert milliseconds is not None
    return milliseconds


def _wait_until_running(stage: Stage, session: psycopg.Connection, candle_time: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        row = stage.db.execute(_RUNNING, [session.info.backend_pid]).fetchone()
        if row:
            assert row[0] == candle_time, "the minute changed under the session"
            return
        time.sleep(0.01)
    raise SystemExit("run_inference() wrote no row that says 'running' within 10 s")


def _committed(stage: Stage, table: str, candle_time: int, ensembles: int = 1) -> float | None:
    """Milliseconds from the candle's commit to that of its predictions; None where they are not all there."""
    row = stage.db.execute(_COMMITTED.format(table=table), [candle_time, 5 * ensembles]).fetchone()
    return row and float(row[0])


def _sleep_to(second: int) -> None:
    """Until the clock next shows this second of a minute."""
    time.sleep((second - time.time()) % MINUTE)
