"""What run_inference() does before the minute's candle is there: load the models, and take the whole road once."""

import time

from candlecast.core.errors import CandlecastError
from candlecast.core.forecast import Ensemble
from candlecast.core.forecast_rows import forecast_rows
from candlecast.core.settings import Settings
from candlecast.server.ensembles import loaded
from candlecast.server.environment_models import from_environment, model_paths
from candlecast.server.expiry import expired
from candlecast.server.feature_windows import sequence
from candlecast.server.reporting import in_words
from candlecast.server.run_log import Run, finish, raise_cancel
from candlecast.server.session import Session
from candlecast.server.stored_predictions import warm
from candlecast.server.targets import Target

ARRIVED = "select from public.candles_1m where symbol = $1 and open_time = to_timestamp($2)"

Ready = tuple[Target, Run, Ensemble]


def prepare(session: Session, runs: list[tuple[Target, Run]], settings: Settings, *, rehearse: bool) -> list[Ready]:
    """The runs whose ensembles could be loaded, rehearsed where that is asked; the others are finished as failed."""
    ready = [(target, run, ensemble) for target, run in runs if (ensemble := _load(session, target, run, settings))]
    if rehearse:
        _rehearse(session, ready, settings)
    return ready


def _load(session: Session, target: Target, run: Run, settings: Settings) -> Ensemble | None:
    """The target's ensemble, or None with the reason in its run's row."""
    started = time.perf_counter()
    if old := expired(target.row, settings, run.started):
        run.warning = in_words(old)
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


def _rehearse(session: Session, ready: list[Ready], settings: Settings) -> None:
    """Take the whole road once with the newest candle at hand, writing nothing, so that every plan is warm."""
    for target, _, ensemble in ready:
        if target.newest is None:
            continue
        try:
            for _ in range(2):
                windows = sequence(session, target.symbol, target.newest)
                forecast_rows(ensemble, target.symbol, target.newest, windows, settings.min_confidence)
        except (CandlecastError, session.plpy.SPIError) as error:
            raise_cancel(error)
            continue  # a gap before now says nothing about the minute that is awaited
        session.rows(ARRIVED, ["text", "float8"], [target.symbol, target.newest])
    warm(session)
