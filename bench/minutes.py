"""Latency from the candle's commit to the predictions' commit: new sessions that call run_inference(), and pg_cron.

The sessions are measured with only the active ensemble, compared with the baseline, and again with three ensembles on
test. Each ensemble on test has its own versions (copies of the measured files), so a session loads four pairs and
shares nothing between them. The baseline of this second figure is the active ensemble alone, so it shows the cost of
A/B tests.

Both times are PostgreSQL's (track_commit_timestamp), so they include no polling of this process. A commit's time is
taken just before its flush to disk: the candle's flush is included, the predictions' flush is not.

run_inference() waits for the candle of the minute that just closed, and there is one such minute in sixty seconds. So
the candle and its predictions are removed after each session, and the next session waits for the same minute. The
candle arrives 0.5 to 1 s after the start of the session, which has loaded its models by then.
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
#: The default of max_test_ensembles.
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
    """``runs`` new sessions, each followed by the baseline, which waits for the same candle in a warm process.

    Then ``runs`` sessions with the active ensemble and TESTS ensembles on test.
    """
    clock = random.Random(seed)
    alone, with_tests, other = [], [], []
    with fixture.baseline() as baseline:
        for run in range(runs):
            candle_time = _awaited_minute(fixture)
            alone.append(_one_session(fixture, candle_time, clock.uniform(0.5, 1.0)))
            fixture.remove_newest()
            other.append(_one_baseline(fixture, baseline, candle_time, clock.uniform(0.1, 0.2)))
            fixture.remove_newest()
            on_step(run + 1, 2 * runs, "")
    with fixture.tests(TESTS):
        for run in range(runs):
            with_tests.append(_one_session(fixture, _awaited_minute(fixture), clock.uniform(0.5, 1.0), 1 + TESTS))
            fixture.remove_newest()
            on_step(runs + run + 1, 2 * runs, f"with {TESTS} tests")
    what, baseline_note = f"{WHAT}, new sessions", "the baseline is the active ensemble alone"
    committed, memory = zip(*alone, strict=True)
    committed_with_tests, memory_with_tests = zip(*with_tests, strict=True)
    with_what, limits = f"{what}, active ensemble and {TESTS} on test", (LIMIT,)
    memory_what = f"memory of a backend after run_inference() with {TESTS} ensembles on test"
    memory_note = f"{baseline_note}; pg_cron's sessions end with the minute"
    return [
        Figure(what, "ms", committed, limits, other),
        Figure(with_what, "ms", committed_with_tests, limits, committed, baseline_note),
        memory_figure(memory_what, memory_with_tests, memory, note=memory_note),
    ]


def cron(fixture: Fixture, minutes: int, seed: int, on_step: OnStep) -> list[Figure]:
    """The pg_cron job over real minutes, each candle 1 to 3 s after the end of its minute.

    An extra first minute, in which the job starts, is not counted. A minute without predictions counts as 60 s.
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
        job_runs = fixture.db.execute(_JOB_RUNS).fetchone()[0]
        figure.note = f"{found.count(None)} minutes not predicted. cron.job_run_details: {job_runs}"
    return [figure]


def commit_times(
    fixture: Fixture, symbol: str, candle_time: int, ensembles: int = 1, table: str = "predictions"
) -> tuple[float, float] | None:
    """Commit times of the candle and of its last prediction, epoch seconds; None if some predictions are missing."""
    return fixture.db.execute(_COMMITTED.format(table=table), [symbol, candle_time, 5 * ensembles]).fetchone()


def is_running(fixture: Fixture, symbol: str, session: psycopg.Connection) -> bool:
    """Whether the session's run_inference() has written its row. Next it loads models, then waits for the candle."""
    return fixture.db.execute(_RUNNING, [symbol, session.info.backend_pid]).fetchone() is not None


def _awaited_minute(fixture: Fixture) -> int:
    """Commit candles up to the one before the last closed minute. Returns the time of the closed minute.

    Waits if the current minute has just begun or ends soon.
    """
    if not 2 <= time.time() % MINUTE <= 54:
        _sleep_to(2)
    closed = int(time.time()) // MINUTE - 1
    fixture.feed(closed)
    return closed * MINUTE


def _one_session(fixture: Fixture, candle_time: int, delay: float, ensembles: int = 1) -> tuple[float, float]:
    """A run in a new session with ``ensembles`` ensembles. The candle is committed ``delay`` seconds after its start.

    Returns ms from the candle's commit to the predictions' commit, and the backend's memory in MB.
    """
    with fixture.connect() as session:
        thread = threading.Thread(target=session.execute, args=["call run_inference()"])
        thread.start()
        deadline = time.monotonic() + 10
        while not is_running(fixture, SYMBOL, session):
            if time.monotonic() > deadline:
                raise SystemExit("run_inference() wrote no row with status 'running' within 10 s")
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
    """Sleep until this second of a minute."""
    time.sleep((second - time.time()) % MINUTE)
