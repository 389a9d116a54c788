"""From the candle's commit to the predictions' commit: fresh sessions that call run_inference(), and pg_cron itself.

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

import psycopg

from bench.report import Figure, Limit
from bench.stage import MINUTE, SYMBOL, Peer, Stage

OnStep = Callable[[int, int, str], None]
LIMIT = Limit("p99", 50.0)
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
group by candle.xmin having count(*) = 5"""
_INSIDE = f"""
select percentile_cont(0.5) within group (order by {{part}}) from inference_runs
where symbol = '{SYMBOL}' and status = 'predicted'"""


def sessions(stage: Stage, runs: int, seed: int, on_step: OnStep) -> list[Figure]:
    """``runs`` fresh sessions, each followed by the peer, which waits for the same candle in a warm process."""
    clock = random.Random(seed)
    own, client, other = [], [], []
    with stage.peer() as peer:
        for run in range(runs):
            candle_time = _awaited_minute(stage)
            server, seen = _one_session(stage, candle_time, clock.uniform(0.5, 1.0))
            own.append(server)
            client.append(seen)
            stage.take_back()
            other.append(_one_peer(stage, peer, candle_time, clock.uniform(0.1, 0.2)))
            stage.take_back()
            on_step(run + 1, runs, "")
    inside = ", ".join(
        f"{part.removesuffix('_ms')} {stage.db.execute(_INSIDE.format(part=part)).fetchone()[0]:.1f}"
        for part in ("load_ms", "features_ms", "models_ms", "write_ms", "latency_ms")
    )
    note = f"medians inside run_inference(), ms: {inside}"
    what = "candle committed to predictions committed, fresh sessions"
    return [
        Figure(what, "ms", own, (LIMIT,), other, note),
        Figure("candle committed to call run_inference() answered", "ms", client, note="by the client's clock"),
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
    own = [rows[0][0] if rows else MINUTE * 1000.0 for rows in found]
    figure = Figure(what, "ms", own, (LIMIT,))
    if not all(found):
        figure.note = (
            f"{found.count([])} minutes not predicted. pg_cron says: {stage.db.execute(_JOB_RUNS).fetchone()[0]}"
        )
    return [figure]


def _wait_for_predictions(stage: Stage, candle_time: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not _committed(stage, "predictions", candle_time):
        time.sleep(0.2)


def _awaited_minute(stage: Stage) -> int:
    """Far from the minute's ends: candles up to the one before the last closed minute; returns that minute's time."""
    if not 2 <= time.time() % MINUTE <= 54:
        _sleep_to(2)
    closed = int(time.time()) // MINUTE - 1
    stage.feed(closed)
    return closed * MINUTE


def _one_session(stage: Stage, candle_time: int, delay: float) -> tuple[float, float]:
    """Milliseconds to the predictions' commit, and to the call's return."""
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
    rows = _committed(stage, "predictions", candle_time)
    if not answered or not rows:
        raise SystemExit(f"run_inference() did not predict {SYMBOL}: select * from inference_runs order by id desc")
    return rows[0][0], (answered[0] - committed) * 1000


def _one_peer(stage: Stage, peer: Peer, candle_time: int, delay: float) -> float:
    peer.send(f"await {candle_time}")
    time.sleep(delay)
    stage.next_candle()
    peer.answer()
    return _committed(stage, "bench_predictions", candle_time)[0][0]


def _wait_until_running(stage: Stage, session: psycopg.Connection, candle_time: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        row = stage.db.execute(_RUNNING, [session.info.backend_pid]).fetchone()
        if row:
            assert row[0] == candle_time, "the minute changed under the session"
            return
        time.sleep(0.01)
    raise SystemExit("run_inference() wrote no row that says 'running' within 10 s")


def _committed(stage: Stage, table: str, candle_time: int) -> list[tuple[float]]:
    rows = stage.db.execute(_COMMITTED.format(table=table), [candle_time]).fetchall()
    return [(float(row[0]),) for row in rows]


def _sleep_to(second: int) -> None:
    """Until the clock next shows this second of a minute."""
    time.sleep((second - time.time()) % MINUTE)
