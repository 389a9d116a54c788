"""run_inference(): what pg_cron calls every minute.

pg_cron starts a fresh process for each run, so everything is cold. Therefore: load the models and rehearse
first, wait for the minute's candle second; when it lands, only features, two models and an insert are left.
"""

import math
import time
from typing import Any

from candlecast.core.errors import CandlecastError, TimeUnreadable
from candlecast.core.forecast_rows import forecast_rows
from candlecast.core.settings import Settings, resolve
from candlecast.server.feature_windows import MINUTE, sequence
from candlecast.server.preparation import ARRIVED, Ready, prepare
from candlecast.server.reporting import reported
from candlecast.server.run_log import Run, begin, finish, mark_lost, note, was_stale
from candlecast.server.session import Session, epoch_of, minute_text
from candlecast.server.settings import STORED_SETTINGS
from candlecast.server.stored_predictions import write
from candlecast.server.targets import Target, targets

#: Seconds between two looks for the candle.
POLL = 0.004
#: A symbol whose newest candle is older than this, in seconds, is skipped.
STALE = 3600

_CLOCK = "select extract(epoch from clock_timestamp())::float8 as now"
_SETTINGS = f"select {STORED_SETTINGS}"
# For the rest of the transaction: a predict_now() of this minute that is not committed yet holds the rows to write.
_LOCK_TIMEOUT = "select set_config('lock_timeout', '2s', true)"


@reported
def run_inference(plpy: Any, cache: dict, at_time: str | None) -> None:
    """Predict one minute for every symbol with its active, test and shadow ensembles, and log every run.

    ``at_time`` replays that minute: its candle must be there, and no later one is read.
    """
    session = Session.of(plpy, cache)
    session.settle()
    now = session.rows(_CLOCK)[0]["now"]
    candle_time = now - MINUTE if at_time is None else epoch_of(at_time)
    if not math.isfinite(candle_time):
        raise TimeUnreadable(text=at_time)
    candle_time = candle_time // MINUTE * MINUTE
    mark_lost(session)
    try:
        settings = resolve(session.rows(_SETTINGS)[0]["settings"])
    except CandlecastError as error:
        note(session, candle_time, "failed", error=error)
    else:
        if settings.enabled:
            _run(session, settings, candle_time, now, replay=at_time is not None)
        else:
            note(session, candle_time, "disabled")
    session.commit()


def _run(session: Session, settings: Settings, candle_time: float, now: float, *, replay: bool) -> None:
    runs: list[tuple[Target, Run]] = []
    found = targets(session, candle_time, settings.max_test_ensembles)
    for target in found:
        if target.predicted:
            note(session, candle_time, "already", target)
        elif not replay and (target.newest is None or candle_time - target.newest > STALE):
            if not was_stale(session, target):
                note(session, candle_time, "stale", target)
        else:
            runs.append((target, begin(session, candle_time, target)))
    if not found:
        note(session, candle_time, "no_ensemble")
    session.commit()
    ready = prepare(session, runs, settings, rehearse=not replay)  # a replay's candle is there: nothing to be warm for
    session.commit()
    deadline = now if replay else now + settings.candle_timeout
    waiting = {target.symbol for target, _, _ in ready}
    while waiting:
        for symbol in sorted(waiting):
            if len(session.rows(ARRIVED, ["text", "float8"], [symbol, candle_time])):
                waiting.remove(symbol)
                chosen = [row for row in ready if row[0].symbol == symbol]
                _predict(session, symbol, candle_time, chosen, settings)
        if waiting and session.rows(_CLOCK)[0]["now"] >= deadline:
            break
        if waiting:
            time.sleep(POLL)
    for target, run, _ in ready:
        if target.symbol in waiting:
            within = "" if replay else " within candle_timeout"
            run.error = f"the candle of {target.symbol} at {minute_text(candle_time)} did not come{within}"
            finish(session, run, "no_candle")


def _predict(session: Session, symbol: str, candle_time: float, ready: list[Ready], settings: Settings) -> None:
    """Predict one symbol's minute with all of its ensembles, and commit."""
    arrived = session.rows(_CLOCK)[0]["now"]
    clock = time.perf_counter()
    session.rows(_LOCK_TIMEOUT)
    try:
        windows = sequence(session, symbol, candle_time)
    except (CandlecastError, session.plpy.SPIError) as error:
        for _, run, _ in ready:
            run.fail(error)
            finish(session, run, "failed")
        session.commit()
        return
    features_ms = (time.perf_counter() - clock) * 1000
    for _, run, ensemble in ready:
        run.wait_ms, run.features_ms = (arrived - run.started) * 1000, features_ms
        status = "predicted"
        try:
            clock = time.perf_counter()
            rows = forecast_rows(ensemble, symbol, candle_time, windows, settings.min_confidence)
            run.models_ms = (time.perf_counter() - clock) * 1000
            clock = time.perf_counter()
            status = "predicted" if write(session, symbol, candle_time, rows, arrived) else "already"
            run.write_ms = (time.perf_counter() - clock) * 1000
        except (CandlecastError, session.plpy.SPIError) as error:
            run.fail(error)
            status = "failed"
        run.latency_ms = (session.rows(_CLOCK)[0]["now"] - arrived) * 1000
        finish(session, run, status)
    session.commit()
