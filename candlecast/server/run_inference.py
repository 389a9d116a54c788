"""run_inference(), which pg_cron calls every minute.

pg_cron starts a new process for each run, so nothing is cached. Therefore a run first loads the models and warms up,
and then waits for the candle. When it arrives, only features, two models and an insert remain.
"""

import math
import time
from typing import Any

from candlecast.core.errors import CandlecastError, TimeUnreadable
from candlecast.core.forecast_rows import forecast_rows
from candlecast.core.settings import Settings
from candlecast.core.times import MINUTE_SECONDS, format_timestamp, parse_timestamp
from candlecast.server.feature_windows import read_window
from candlecast.server.preparation import Ready, prepare
from candlecast.server.reporting import report_errors
from candlecast.server.run_log import Run, begin, finish, mark_lost, note, was_stale
from candlecast.server.session import Session
from candlecast.server.settings import read_settings
from candlecast.server.stored_candles import await_candles
from candlecast.server.stored_predictions import write_predictions
from candlecast.server.targets import find_targets

#: A symbol whose newest candle is older than this is skipped.
STALE_SECONDS = 3600

# The timeout applies until the commit. An uncommitted predict_now() of the same minute would block the insert.
_ARRIVE = "select extract(epoch from clock_timestamp())::float8 as now, set_config('lock_timeout', '2s', true)"


@report_errors
def run_inference(plpy: Any, cache: dict, at_time: str | None) -> None:
    """Predict one minute for every symbol with its active, test and shadow ensembles, and log every run.

    ``at_time`` replays that minute: its candle must be stored, and no later one is read.
    """
    session = Session.of(plpy, cache)
    session.configure_transaction()
    now = session.now()
    candle_time = now - MINUTE_SECONDS if at_time is None else parse_timestamp(at_time)
    if not math.isfinite(candle_time):
        raise TimeUnreadable(text=at_time)
    candle_time = candle_time // MINUTE_SECONDS * MINUTE_SECONDS
    mark_lost(session)
    try:
        settings = read_settings(session)
    except CandlecastError as error:
        note(session, candle_time, "failed", error=error)
    else:
        if settings.enabled:
            _run(session, settings, candle_time, now, replay=at_time is not None)
        else:
            note(session, candle_time, "disabled")
    session.commit()


def _run(session: Session, settings: Settings, candle_time: float, now: float, *, replay: bool) -> None:
    runs = _begin_runs(session, settings, candle_time, replay=replay)
    session.commit()
    ready = prepare(session, runs, settings, warm_up=not replay)  # a replay does not wait, so it needs no warm-up
    session.rows(_ARRIVE)  # plans it before the candle arrives; the commit ends its timeout
    session.commit()
    deadline = now if replay else now + settings.candle_timeout
    waiting = {run.target.symbol for run, _ in ready}
    for symbol in await_candles(session, waiting, candle_time, deadline):
        waiting.remove(symbol)
        _predict(session, symbol, candle_time, [one for one in ready if one[0].target.symbol == symbol], settings)
    for run, _ in ready:
        if (symbol := run.target.symbol) in waiting:
            within = "" if replay else " within candle_timeout"
            run.error = f"the candle of {symbol} at {format_timestamp(candle_time)} did not arrive{within}"
            finish(session, run, "no_candle")


def _begin_runs(session: Session, settings: Settings, candle_time: float, *, replay: bool) -> list[Run]:
    """Begin a run for every target to predict, and write a row with the reason for each of the others."""
    runs = []
    targets = find_targets(session, candle_time, settings.max_test_ensembles)
    for target in targets:
        if target.predicted:
            note(session, candle_time, "already", target)
        elif not replay and (target.newest is None or candle_time - target.newest > STALE_SECONDS):
            if not was_stale(session, target):
                note(session, candle_time, "stale", target)
        else:
            runs.append(begin(session, candle_time, target))
    if not targets:
        note(session, candle_time, "no_ensemble")
    return runs


def _predict(session: Session, symbol: str, candle_time: float, ready: list[Ready], settings: Settings) -> None:
    """Predict the minute of one symbol with all of its ensembles, and commit."""
    arrived = session.rows(_ARRIVE)[0]["now"]
    clock = time.perf_counter()
    try:
        windows = read_window(session, symbol, candle_time)
    except (CandlecastError, session.plpy.SPIError) as error:
        for run, _ in ready:
            run.fail(error)
            finish(session, run, "failed")
        session.commit()
        return
    features_ms = (time.perf_counter() - clock) * 1000
    for run, ensemble in ready:
        run.wait_ms, run.features_ms = (arrived - run.started) * 1000, features_ms
        status = "predicted"
        try:
            clock = time.perf_counter()
            rows = forecast_rows(ensemble, symbol, candle_time, windows, settings.min_confidence)
            run.models_ms = (time.perf_counter() - clock) * 1000
            clock = time.perf_counter()
            status = "predicted" if write_predictions(session, rows, candle_time, arrived) else "already"
            run.write_ms = (time.perf_counter() - clock) * 1000
        except (CandlecastError, session.plpy.SPIError) as error:
            run.fail(error)
            status = "failed"
        run.latency_ms = (session.now() - arrived) * 1000
        finish(session, run, status)
    session.commit()
