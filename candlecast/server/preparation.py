"""What run_inference() does before the candle arrives: load the models and warm up."""

import time

from candlecast.core.errors import CandlecastError
from candlecast.core.forecast import Ensemble
from candlecast.core.forecast_rows import forecast_rows
from candlecast.core.settings import Settings
from candlecast.server.ensemble_loader import load_ensemble
from candlecast.server.environment_models import load_environment_models
from candlecast.server.expiry import check_expiry
from candlecast.server.feature_windows import read_window
from candlecast.server.reporting import error_text
from candlecast.server.run_log import Run, finish, raise_cancel
from candlecast.server.session import Session
from candlecast.server.stored_candles import has_candle
from candlecast.server.stored_predictions import warm_insert

#: A run and its loaded models.
Ready = tuple[Run, Ensemble]


def prepare(session: Session, runs: list[Run], settings: Settings, *, warm_up: bool) -> list[Ready]:
    """Load the ensembles of the runs. Runs whose ensemble does not load are finished as failed and left out."""
    ready = [(run, ensemble) for run in runs if (ensemble := _load(session, run, settings))]
    if warm_up:
        _warm_up(session, ready, settings)
    return ready


def _load(session: Session, run: Run, settings: Settings) -> Ensemble | None:
    """The ensemble of a run's target, or None with the reason in its row."""
    started = time.perf_counter()
    row = run.target.ensemble
    if expired := check_expiry(row, settings, run.started):
        run.warning = error_text(expired)
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


def _warm_up(session: Session, ready: list[Ready], settings: Settings) -> None:
    """Predict from the newest stored candle and discard the result, so that plans and models are cached."""
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
            continue  # the window of the expected candle may still be complete
        has_candle(session, symbol, newest)
    warm_insert(session)
