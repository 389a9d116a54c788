"""predict_now(), predict() and predict_range(): forecasts from stored candles."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from candlecast.core.errors import (
    CandleMissing,
    EnsembleUnknown,
    InferenceDisabled,
    NoActiveEnsemble,
    NoCandles,
    StaleCandles,
)
from candlecast.core.forecast import Ensemble
from candlecast.core.forecast_rows import Row, forecast_rows
from candlecast.core.settings import Settings, resolve
from candlecast.core.times import MINUTE_SECONDS, format_timestamp, parse_timestamp
from candlecast.core.windows import HORIZONS
from candlecast.server.ensembles import ENSEMBLE_COLUMNS, loaded
from candlecast.server.environment_models import from_environment, model_paths
from candlecast.server.expiry import warn_once
from candlecast.server.feature_windows import sequence, windows_between
from candlecast.server.reporting import reported
from candlecast.server.session import Session
from candlecast.server.settings import STORED_SETTINGS
from candlecast.server.stored_predictions import stored_rows, write

# Everything that a call must know, in its own snapshot; $2 null means the active ensemble.
_STATE = f"""
select
    {STORED_SETTINGS},
    extract(epoch from newest.open_time)::float8 as newest,
    extract(epoch from clock_timestamp())::float8 as now,
    ensemble.*,
    (
        select count(*) from public.predictions
        where predictions.symbol = $1 and predictions.candle_time = newest.open_time
            and predictions.ensemble_id is not distinct from ensemble.ensemble_id
    ) as stored
from (values (1)) as one (row)
left join lateral (
    select open_time from public.candles_1m
    where symbol = $1 and open_time <= statement_timestamp() - interval '1 minute' order by open_time desc limit 1
) as newest on true
left join lateral (
    select {ENSEMBLE_COLUMNS}
    from public.active_ensembles as ensemble
    where ensemble.symbol = $1 and (ensemble.id = $2 or ($2 is null and ensemble.is_active))
) as ensemble on true"""

_OLDEST = "select extract(epoch from min(open_time))::float8 as oldest from public.candles_1m where symbol = $1"


@reported
def predict_now(plpy: Any, cache: dict, symbol: str) -> list[Row]:
    """Forecast from the newest candle with the active ensemble, store, return five rows."""
    session = Session.of(plpy, cache)
    state, settings = _state(session, symbol, None)
    started, newest = state["now"], state["newest"]
    if newest is None:
        raise NoCandles(symbol=symbol)
    if settings.max_candle_age is not None and state["now"] - newest - MINUTE_SECONDS > settings.max_candle_age:
        raise StaleCandles(
            f"It opened at {format_timestamp(newest)}.",
            symbol=symbol,
            age=f"{(state['now'] - newest - MINUTE_SECONDS) / 60:.0f} min",
            limit=f"{settings.max_candle_age / 60:g} min",
        )
    if state["ensemble_id"] is not None:
        warn_once(session, state, settings, state["now"])
    if state["stored"] >= len(HORIZONS):
        return stored_rows(session, symbol, newest, state["ensemble_id"])
    ensemble = _ensemble(session, state, settings, symbol, None)
    rows = forecast_rows(ensemble, symbol, newest, sequence(session, symbol, newest), settings.min_confidence)
    if write(session, symbol, newest, rows, started) < len(HORIZONS):
        return stored_rows(session, symbol, newest, ensemble.id)
    return rows


@reported
def predict(plpy: Any, cache: dict, symbol: str, at_time: str | None, ensemble_id: int | None) -> list[Row]:
    """Forecast from the candle at at_time (a timestamptz; None: the newest), writing nothing."""
    session = Session.of(plpy, cache)
    state, settings = _state(session, symbol, ensemble_id)
    candle_time = state["newest"] if at_time is None else parse_timestamp(at_time)
    if candle_time is None or state["newest"] is None:
        raise NoCandles(symbol=symbol)
    if candle_time % MINUTE_SECONDS or not np.isfinite(candle_time):
        raise CandleMissing("It is not on the minute.", symbol=symbol, minute=at_time)
    ensemble = _ensemble(session, state, settings, symbol, ensemble_id)
    windows = sequence(session, symbol, candle_time)
    return forecast_rows(ensemble, symbol, candle_time, windows, settings.min_confidence)


@reported
def predict_range(
    plpy: Any, cache: dict, symbol: str, from_time: str | None, to_time: str | None, ensemble_id: int | None
) -> Iterator[Row]:
    """Forecasts from every candle_time in [from_time, to_time), in batches, writing nothing."""
    session = Session.of(plpy, cache)
    state, settings = _state(session, symbol, ensemble_id)
    if state["newest"] is None:
        raise NoCandles(symbol=symbol)
    ensemble = _ensemble(session, state, settings, symbol, ensemble_id)
    start, end = _bounds(session, symbol, state["newest"], from_time, to_time)

    def rows() -> Iterator[Row]:
        if not start < end:
            return
        for times, windows in windows_between(session, symbol, start, end):
            yield from forecast_rows(ensemble, symbol, times, windows, settings.min_confidence)

    return rows()


def _state(session: Session, symbol: str, ensemble_id: int | None) -> tuple[Any, Settings]:
    state = session.rows(_STATE, ["text", "bigint"], [symbol, ensemble_id])[0]
    settings = resolve(state["settings"])
    if not settings.enabled:
        raise InferenceDisabled()
    return state, settings


def _ensemble(session: Session, state: Any, settings: Settings, symbol: str, ensemble_id: int | None) -> Ensemble:
    if state["ensemble_id"] is not None:
        return loaded(session, state, settings)
    if ensemble_id is not None:
        raise EnsembleUnknown(ensemble_id=ensemble_id, symbol=symbol)
    paths = model_paths()
    if paths is None:
        raise NoActiveEnsemble(symbol=symbol)
    return from_environment(session, paths, settings)


def _bounds(
    session: Session, symbol: str, newest: float, from_time: str | None, to_time: str | None
) -> tuple[float, float]:
    """The stretch to read: whole minutes of [from_time, to_time) within the symbol's candles; null is no bound."""
    oldest = session.rows(_OLDEST, ["text"], [symbol])[0]["oldest"]
    start = max(parse_timestamp(from_time or "-infinity"), oldest)
    end = min(parse_timestamp(to_time or "infinity"), newest + MINUTE_SECONDS)
    return float(np.ceil(start / MINUTE_SECONDS) * MINUTE_SECONDS), float(end)
