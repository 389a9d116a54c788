"""predict_now(), predict() and predict_range(): forecasts from stored candles."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from candlecast.core.errors import (
    CandleMissing,
    EnsembleUnknown,
    InferenceDisabled,
    NoCandles,
    StaleCandles,
)
from candlecast.core.forecast import Ensemble
from candlecast.core.forecast_rows import ForecastRow, forecast_rows
from candlecast.core.settings import Settings, resolve
from candlecast.core.times import MINUTE_SECONDS, format_timestamp, parse_timestamp
from candlecast.core.windows import HORIZONS
from candlecast.server.ensemble_loader import load_ensemble
from candlecast.server.ensemble_row import ENSEMBLE_COLUMNS, EnsembleRow
from candlecast.server.environment_models import load_environment_models
from candlecast.server.expiry import warn_once
from candlecast.server.feature_windows import read_window, read_windows
from candlecast.server.reporting import report_errors
from candlecast.server.session import Session
from candlecast.server.settings import STORED_SETTINGS
from candlecast.server.stored_candles import newest_candle
from candlecast.server.stored_predictions import read_predictions, write_predictions

# Everything that a call needs, in one snapshot. $1 symbol, $2 ensemble id; null is the active ensemble.
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
left join lateral {newest_candle("$1", "statement_timestamp() - interval '1 minute'")} as newest on true
left join lateral (
    select {ENSEMBLE_COLUMNS}
    from public.active_ensembles as ensemble
    where ensemble.symbol = $1 and (ensemble.id = $2 or ($2 is null and ensemble.is_active))
) as ensemble on true"""


@dataclass(frozen=True)
class _State:
    """The state at the start of a call; times in epoch seconds. ``stored``: predictions of the newest candle."""

    settings: Settings
    now: float
    newest: float
    stored: int
    ensemble: EnsembleRow | None


_OLDEST = "select extract(epoch from min(open_time))::float8 as oldest from public.candles_1m where symbol = $1"


@report_errors
def predict_now(plpy: Any, cache: dict, symbol: str) -> list[ForecastRow]:
    """Forecast from the newest candle with the active ensemble, store the rows and return all five."""
    session = Session.of(plpy, cache)
    state = _read_state(session, symbol, None)
    settings, newest = state.settings, state.newest
    _check_age(symbol, newest, state.now, settings.max_candle_age)
    ensemble_id = None
    if state.ensemble is not None:
        ensemble_id = state.ensemble.id
        warn_once(session, state.ensemble, settings, state.now)
    if state.stored >= len(HORIZONS):
        return read_predictions(session, symbol, newest, ensemble_id)
    ensemble = _load(session, state, symbol, None)
    rows = forecast_rows(ensemble, symbol, newest, read_window(session, symbol, newest), settings.min_confidence)
    if write_predictions(session, rows, newest, state.now) < len(HORIZONS):
        return read_predictions(session, symbol, newest, ensemble_id)
    return rows


@report_errors
def predict(plpy: Any, cache: dict, symbol: str, at_time: str | None, ensemble_id: int | None) -> list[ForecastRow]:
    """Forecast from the candle at at_time (timestamptz as text; None: the newest). Writes nothing."""
    session = Session.of(plpy, cache)
    state = _read_state(session, symbol, ensemble_id)
    candle_time = state.newest if at_time is None else parse_timestamp(at_time)
    if candle_time % MINUTE_SECONDS or not np.isfinite(candle_time):
        raise CandleMissing("It is not on the minute.", symbol=symbol, minute=at_time)
    ensemble = _load(session, state, symbol, ensemble_id)
    windows = read_window(session, symbol, candle_time)
    return forecast_rows(ensemble, symbol, candle_time, windows, state.settings.min_confidence)


@report_errors
def predict_range(
    plpy: Any, cache: dict, symbol: str, from_time: str | None, to_time: str | None, ensemble_id: int | None
) -> Iterator[ForecastRow]:
    """Forecast from every candle_time in [from_time, to_time), in batches. Writes nothing."""
    session = Session.of(plpy, cache)
    state = _read_state(session, symbol, ensemble_id)
    ensemble = _load(session, state, symbol, ensemble_id)
    start, end = _bounds(session, symbol, state.newest, from_time, to_time)

    def rows() -> Iterator[ForecastRow]:
        if not start < end:
            return
        for times, windows in read_windows(session, symbol, start, end):
            yield from forecast_rows(ensemble, symbol, times, windows, state.settings.min_confidence)

    return rows()


def _read_state(session: Session, symbol: str, ensemble_id: int | None) -> _State:
    """Raises SettingInvalid, InferenceDisabled, NoCandles."""
    row = session.rows(_STATE, ["text", "bigint"], [symbol, ensemble_id])[0]
    settings = resolve(row["settings"])
    if not settings.enabled:
        raise InferenceDisabled()
    if row["newest"] is None:
        raise NoCandles(symbol=symbol)
    return _State(settings, row["now"], row["newest"], row["stored"], EnsembleRow.of_joined(row))


def _check_age(symbol: str, newest: float, now: float, limit: float | None) -> None:
    """Raise StaleCandles where the newest candle ended longer ago than the limit, in seconds."""
    age = now - newest - MINUTE_SECONDS
    if limit is not None and age > limit:
        raise StaleCandles(
            f"It opened at {format_timestamp(newest)}.",
            symbol=symbol,
            age=f"{age / 60:.0f} min",
            limit=f"{limit / 60:g} min",
        )


def _load(session: Session, state: _State, symbol: str, ensemble_id: int | None) -> Ensemble:
    if state.ensemble is not None:
        return load_ensemble(session, state.ensemble, state.settings)
    if ensemble_id is not None:
        raise EnsembleUnknown(ensemble_id=ensemble_id, symbol=symbol)
    return load_environment_models(session, symbol, state.settings)


def _bounds(
    session: Session, symbol: str, newest: float, from_time: str | None, to_time: str | None
) -> tuple[float, float]:
    """The range to read: the minutes of [from_time, to_time) within the symbol's candles; None is no bound."""
    oldest = session.rows(_OLDEST, ["text"], [symbol])[0]["oldest"]
    start = max(parse_timestamp(from_time or "-infinity"), oldest)
    end = min(parse_timestamp(to_time or "infinity"), newest + MINUTE_SECONDS)
    return float(np.ceil(start / MINUTE_SECONDS) * MINUTE_SECONDS), float(end)
