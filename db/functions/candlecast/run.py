"""run_inference(): what pg_cron calls every minute.

pg_cron starts a fresh process for each run, so everything is cold. Therefore: load the models and rehearse
first, wait for the minute's candle second; when it lands, only features, two models and an insert are left.
"""

import math
import time
from typing import Any

from candlecast.ensembles import Ensemble, from_environment, loaded
from candlecast.errors import CandlecastError, TimeUnreadable
from candlecast.features import CLOSE
from candlecast.predict import forecast_rows
from candlecast.reporting import reported
from candlecast.runlog import Run, begin, finish, mark_lost, note, raise_cancel, was_stale
from candlecast.session import Session, epoch_of, minute_text
from candlecast.settings import Settings, model_paths, resolve
from candlecast.storage import warm, write
from candlecast.targets import Target, targets
from candlecast.windows import MINUTE, sequence

#: Seconds between two looks for the candle.
POLL = 0.004
#: A symbol whose newest candle is older than this, in seconds, is skipped.
STALE = 3600

_CLOCK = "select extract(epoch from clock_timestamp())::float8 as now"
_SETTINGS = "select (select jsonb_object_agg(name, value) from public.ml_settings)::text as settings"
_ARRIVED = "select from public.candles_1m where symbol = $1 and open_time = to_timestamp($2)"


@reported
def run_inference(plpy: Any, cache: dict, at_time: str | None) -> None:
    """Predict one minute for every symbol with its active and test ensembles, and log every run.

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
    found = targets(session, candle_time)
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
    ready = [(target, run, ensemble) for target, run in runs if (ensemble := _load(session, target, run, settings))]
    _rehearse(session, ready)
    session.commit()
    deadline = now if replay else now + settings.candle_timeout
    waiting = {target.symbol for target, _, _ in ready}
    while waiting:
        for symbol in sorted(waiting):
            if len(session.rows(_ARRIVED, ["text", "float8"], [symbol, candle_time])):
                waiting.remove(symbol)
                _predict(session, symbol, candle_time, [row for row in ready if row[0].symbol == symbol])
        if waiting and session.rows(_CLOCK)[0]["now"] >= deadline:
            break
        if waiting:
            time.sleep(POLL)
    for target, run, _ in ready:
        if target.symbol in waiting:
            within = "" if replay else " within candle_timeout"
            run.error = f"the candle of {target.symbol} at {minute_text(candle_time)} did not come{within}"
            finish(session, run, "no_candle")


def _load(session: Session, target: Target, run: Run, settings: Settings) -> Ensemble | None:
    """The target's ensemble, or None with the reason in its run's row."""
    started = time.perf_counter()
    try:
        if target.row is None:
            paths = model_paths()
            assert paths is not None, "targets() gives rows without an ensemble only where paths are set"
            ensemble = from_environment(session, paths, settings)
        else:
            ensemble = loaded(session, target.row, settings)
    except (CandlecastError, session.plpy.SPIError) as error:
        run.fail(error)
        finish(session, run, "failed")
        return None
    run.load_ms = (time.perf_counter() - started) * 1000
    run.mamba_runtime = ensemble.mamba.runtime
    return ensemble


def _rehearse(session: Session, ready: list[tuple[Target, Run, Ensemble]]) -> None:
    """Take the whole road once with the newest candle at hand, writing nothing, so that every plan is warm."""
    for target, _, ensemble in ready:
        if target.newest is None:
            continue
        try:
            for _ in range(2):
                ensemble.forecast(sequence(session, target.symbol, target.newest))
        except (CandlecastError, session.plpy.SPIError) as error:
            raise_cancel(error)
            continue  # a gap before now says nothing about the minute that is awaited
        session.rows(_ARRIVED, ["text", "float8"], [target.symbol, target.newest])
    warm(session)


def _predict(session: Session, symbol: str, candle_time: float, ready: list[tuple[Target, Run, Ensemble]]) -> None:
    """Predict one symbol's minute with all of its ensembles, and commit."""
    arrived = session.rows(_CLOCK)[0]["now"]
    clock = time.perf_counter()
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
            rows = forecast_rows(symbol, candle_time, windows[:, -1, CLOSE], ensemble.forecast(windows), ensemble.id)
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
