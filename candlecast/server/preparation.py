"""What run_inference() does before the minute's candle is there: load the models, and take the whole road once."""

import time

from candlecast.core.errors import CandlecastError
from candlecast.core.forecast import Ensemble
from candlecast.core.forecast_rows import forecast_rows
from candlecast.core.settings import Settings
from candlecast.server.ensemble_loader import load_ensemble
from candlecast.server.environment_models import load_environment_models
from candlecast.server.expiry import check_expiry
from candlecast.server.feature_windows import read_window
from candlecast.server.reporting import in_words
from candlecast.server.run_log import Run, finish, raise_cancel
from candlecast.server.session import Session
from candlecast.server.stored_candles import has_candle
from candlecast.server.stored_predictions import warm_insert

#: A run and its loaded models.
Ready = tuple[Run, Ensemble]


def prepare(session: Session, runs: list[Run], settings: Settings, *, rehearse: bool) -> list[Ready]:
    """The runs whose ensembles could be loaded, rehearsed where that is asked; the others are finished as failed."""
    ready = [(run, ensemble) for run in runs if (ensemble := _load(session, run, settings))]
    if rehearse:
        _rehearse(session, ready, settings)
    return ready


def _load(session: Session, run: Run, settings: Settings) -> Ensemble | None:
    """The ensemble of a run's target, or None with the reason in its row."""
    started = time.perf_counter()
    row = run.target.ensemble
    if expired := check_expiry(row, settings, run.started):
        run.warning = in_words(expired)
    try:
        if row is None:
            ensemble = load_environment_models(session, run.target.symbol, settings)
        else:
            ensemble = load_ensemble(session, row, settings)
    except (CandlecastError, session.plpy.SPIError) as error:
        run.fail(error)
        finish(session, run, "failed")
        return None
    run.load_ms = (time.perf_counter() - started) * 1000
    run.mamba_runtime = ensemble.mamba.runtime
    return ensemble


def _rehearse(session: Session, ready: list[Ready], settings: Settings) -> None:
    """Take the whole road once with the newest candle at hand, writing nothing, so that every plan is warm."""
    for run, ensemble in ready:
        symbol, newest = run.target.symbol, run.target.newest
        if newest is None:
            continue
        try:
            for _ in range(2):
                windows = read_window(session, symbol, newest)
                forecast_rows(ensemble, symbol, newest, windows, settings.min_confidence)
        except (CandlecastError, session.plpy.SPIError) as error:
            raise_cancel(error)
            continue  # a gap before now says nothing about the minute that is awaited
        has_candle(session, symbol, newest)
    warm_insert(session)
