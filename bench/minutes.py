"""From the candle's commit to the predictions' commit: fresh sessions that call run_inference(), and pg_cron itself.

The sessions are measured with the active ensemble alone, beside the baseline, and again with three test ensembles.
Each test has versions of its own (copies of the measured files under other names), so a session loads four pairs
and shares nothing between them. Their baseline is the active ensemble alone: that is what a test adds.

Both times are PostgreSQL's own (track_commit_timestamp), so no poll of ours is in them. A commit's time is taken
just before its flush to disk: the candle's flush is counted, the predictions' is not.

run_inference() awaits the candle of the minute that just closed, and there is one such minute in sixty seconds. So the
candle and its predictions are taken back after each session, and the next session awaits the same minute. The candle
comes half a second to a second after the session began to run: it has its models then, as in real life.
"""

import random
import threading
import time

import psycopg

from bench.figures import Figure, Limit, OnStep, memory_figure
from bench.fixture import MINUTE, SYMBOL, Baseline, Fixture
from bench.processes import memory_of

LIMIT = Limit("p99", 50.0)
WHAT = "candle committed to predictions committed"
#: As many as max_test_ensembles allows where nobody changed it.
TESTS = 3
_JOB = "select cron.alter_job(jobid, active := %s) from cron.job where jobname = 'candlecast-inference'"
_JOB_RUNS = """
select coalesce(
    string_agg(format('%s %s %s', start_time::time(0), status, return_message), '; ' order by runid), 'nothing'
)
from cron.job_run_details"""
_RUNNING = "select 1 from inference_runs where symbol = %s and status = 'running' and backend_pid = %s"
_COMMITTED = """
select
    extract(epoch from pg_xact_commit_timestamp(candle.xmin))::float8,
    extract(epoch from max(pg_xact_commit_timestamp(written.xmin)))::float8
from candles_1m as candle
join {table} as written on written.symbol = candle.symbol and written.candle_time = candle.open_time
where candle.symbol = %s and candle.open_time = to_timestamp(%s)
group by candle.xmin having count(*) = %s"""


def sessions(fixture: Fixture, runs: int, seed: int, on_step: OnStep) -> list[Figure]:
    """``runs`` fresh sessions, each followed by the baseline, which waits for the same candle in a warm process.

    Then as many with TESTS test ensembles beside the active one.
    """
    clock = random.Random(seed)
    alone, with_tests, other = [], [], []
    with fixture.baseline() as baseline:
        for run in range(runs):
            candle_time = _awaited_minute(fixture)
            alone.append(_one_session(fixture, candle_time, clock.uniform(0.5, 1.0)))
            fixture.take_back()
            other.append(_one_baseline(fixture, baseline, candle_time, clock.uniform(0.1, 0.2)))
            fixture.take_back()
            on_step(run + 1, 2 * runs, "")
    with fixture.tests(TESTS):
        for run in range(runs):
            with_tests.append(_one_session(fixture, _awaited_minute(fixture), clock.uniform(0.5, 1.0), 1 + TESTS))
            fixture.take_back()
            on_step(runs + run + 1, 2 * runs, f"with {TESTS} tests")
    what, beside = f"{WHAT}, fresh sessions", "the baseline is the active ensemble alone"
    committed, memory = zip(*alone, strict=True)
    committed_with_tests, memory_with_tests = zip(*with_tests, strict=True)
    with_what, limits = f"{what}, {TESTS} tests beside the active one", (LIMIT,)
    memory_what = f"memory of a backend that ran run_inference() with {TESTS} tests"
    return [
        Figure(what, "ms", committed, limits, other),
        Figure(with_what, "ms", committed_with_tests, limits, committed, beside),
        memory_figure(memory_what, memory_with_tests, memory, note=f"{beside}; pg_cron's sessions end with the minute"),
    ]


def cron(fixture: Fixture, minutes: int, seed: int, on_step: OnStep) -> list[Figure]:
    """The pg_cron job over real minutes, each candle 1 to 3 s after its minute closed.

    One minute before them sees the job begin and is not counted. A minute that is not predicted counts as a minute.
    """
    clock = random.Random(seed)
    fixture.db.execute(_JOB, [True])
    awaited = []
    try:
        for minute in range(minutes + 1):
            _sleep_to(MINUTE - 5)
            fixture.feed(int(time.time()) // MINUTE)
            _sleep_to(0)
            time.sleep(clock.uniform(1.0, 3.0))
            awaited.append(fixture.next_candle())
            on_step(minute, minutes, "")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not commit_times(fixture, SYMBOL, awaited[-1]):
            time.sleep(0.2)
    finally:
        fixture.db.execute(_JOB, [False])
    found = [commit_times(fixture, SYMBOL, candle_time) for candle_time in awaited[1:]]
    own = [1000 * (times[1] - times[0]) if times else 1000.0 * MINUTE for times in found]
    figure = Figure(f"{WHAT}, {minutes} minutes of pg_cron", "ms", own, (LIMIT,))
    if None in found:
        said = fixture.db.execute(_JOB_RUNS).fetchone()[0]
        figure.note = f"{found.count(None)} minutes not predicted. pg_cron says: {said}"
    return [figure]


def commit_times(
    fixture: Fixture, symbol: str, candle_time: int, ensembles: int = 1, table: str = "predictions"
) -> tuple[float, float] | None:
    """When the candle and the last of its predictions were committed, epoch seconds; None where some are missing."""
    return fixture.db.execute(_COMMITTED.format(table=table), [symbol, candle_time, 5 * ensembles]).fetchone()


def is_running(fixture: Fixture, symbol: str, session: psycopg.Connection) -> bool:
    """Whether the session's run_inference() waits for the symbol's candle: it has its row, and soon its models."""
    return fixture.db.execute(_RUNNING, [symbol, session.info.backend_pid]).fetchone() is not None


def _awaited_minute(fixture: Fixture) -> int:
    """Far from the minute's ends: candles up to the one before the last closed minute; returns that minute's time."""
    if not 2 <= time.time() % MINUTE <= 54:
        _sleep_to(2)
    closed = int(time.time()) // MINUTE - 1
    fixture.feed(closed)
    return closed * MINUTE


def _one_session(fixture: Fixture, candle_time: int, delay: float, ensembles: int = 1) -> tuple[float, float]:
    """A new session's run, its candle ``delay`` seconds after it began; ``ensembles`` predict.

    Returns ms from the candle's commit to the predictions' commit, and the backend's MB then.
    """
    with fixture.connect() as session:
        thread = threading.Thread(target=session.execute, args=["call run_inference()"])
        thread.start()
        deadline = time.monotonic() + 10
        while not is_running(fixture, SYMBOL, session):
            if time.monotonic() > deadline:
                raise SystemExit("run_inference() wrote no row that says 'running' within 10 s")
            time.sleep(0.01)
        time.sleep(delay)
        assert fixture.next_candle() == candle_time
        thread.join()
        memory = memory_of(session.info.backend_pid)
    times = commit_times(fixture, SYMBOL, candle_time, ensembles)
    if not times:
        raise SystemExit(f"run_inference() did not predict {SYMBOL}: select * from inference_runs order by id desc")
    return 1000 * (times[1] - times[0]), memory


def _one_baseline(fixture: Fixture, baseline: Baseline, candle_time: int, delay: float) -> float:
    baseline.send(f"await {candle_time}")
    time.sleep(delay)
    fixture.next_candle()
    baseline.answer()
    candle, predicted = commit_times(fixture, SYMBOL, candle_time, table="bench_predictions")
    return 1000 * (predicted - candle)


def _sleep_to(second: int) -> None:
    """Until the clock next shows this second of a minute."""
    time.sleep((second - time.time()) % MINUTE)
