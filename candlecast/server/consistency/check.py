"""check_consistency(): recomputes a sample of a day's predictions from the candles that are stored now.

It uses the code of predict() and the ensemble that made the predictions.
"""

from collections.abc import Mapping
from datetime import date
from itertools import groupby
from typing import Any

import numpy as np

from candlecast.core.errors import CandlecastError, VersionUnknown
from candlecast.core.feature_names import FEATURES
from candlecast.core.settings import Settings
from candlecast.core.windows import SEQUENCE_LENGTH
from candlecast.server.consistency.check_result import CheckResult, build_result
from candlecast.server.consistency.deviations import compare_stored
from candlecast.server.ensemble_loader import load_ensemble
from candlecast.server.ensemble_row import ENSEMBLE_COLUMNS, EnsembleRow
from candlecast.server.feature_windows import read_windows
from candlecast.server.measured_day import resolve_day
from candlecast.server.registry.test_vectors import TOLERANCE
from candlecast.server.reporting import error_text, report_errors
from candlecast.server.run_log import raise_cancel
from candlecast.server.session import Session
from candlecast.server.settings import read_settings

#: Minutes of a day that are recomputed per ensemble, each with five horizons.
SAMPLE_SIZE = 60

_PREDICTED = f"""
select symbols.symbol as predicted_symbol, day.times, {ENSEMBLE_COLUMNS}
from public.predicted_symbols as symbols
cross join lateral (
    select
        prediction.ensemble_id,
        array_agg(distinct extract(epoch from prediction.candle_time)::float8) as times
    from public.predictions as prediction
    where prediction.symbol = symbols.symbol
        and prediction.candle_time >= to_timestamp($1) and prediction.candle_time < to_timestamp($2)
    group by prediction.ensemble_id
) as day
left join public.active_ensembles as ensemble on day.ensemble_id = ensemble.id
order by symbols.symbol, ensemble.id"""
_STORE = """
insert into public.consistency_checks (
    symbol, day, ensemble_id, sampled, mismatches, corrected, worst, tolerance, example_time, cause, reason
)
values ($1, $2::date, $3, $4, $5, $6, $7, $8, to_timestamp($9), $10, $11)
on conflict (symbol, day, ensemble_id) do update set
    sampled = excluded.sampled, mismatches = excluded.mismatches, corrected = excluded.corrected,
    worst = excluded.worst, tolerance = excluded.tolerance, example_time = excluded.example_time,
    cause = excluded.cause, reason = excluded.reason, checked_at = excluded.checked_at
returning *"""
_STORE_TYPES = ["text", "text", "bigint", "int", "int", "int", "float8", "float8", "float8", "text", "text"]

Windows = dict[float, np.ndarray]


@report_errors
def check_consistency(plpy: Any, cache: dict, day: str | None) -> list[Any]:
    """Check a day (None: yesterday, UTC) and store the result, replacing an earlier one; returns its rows."""
    session = Session.of(plpy, cache)
    which, start, end = resolve_day(session, day)
    settings = read_settings(session)
    predicted = session.rows(_PREDICTED, ["float8", "float8"], [start, end])
    stored: list[Any] = []
    for symbol, ensembles in groupby(predicted, key=lambda row: row["predicted_symbol"]):
        samples = [(row, choose_sample(row["times"], which)) for row in ensembles]
        wanted = {time for _, times in samples for time in times.tolist()}
        windows = _load_windows(session, symbol, start, end, wanted)
        for row, times in samples:
            stored.append(_store(session, row, which, _check(session, row, times, windows, settings)))
    if not stored:
        plpy.notice(f"there are no predictions from candles of {which}: nothing to check")
    return stored


def choose_sample(times: list[float], day: date) -> np.ndarray:
    """The sampled minutes, ascending. Repeated calls for a day give the same sample."""
    chosen = np.random.default_rng(day.toordinal()).choice(len(times), min(SAMPLE_SIZE, len(times)), replace=False)
    return np.sort(times)[np.sort(chosen)]


def _load_windows(session: Session, symbol: str, start: float, end: float, wanted: set[float]) -> Windows:
    """The windows (60, features) that end at the wanted minutes, without those that miss a candle."""
    return {
        time: window.copy()  # so that the batch can be freed
        for times, windows in read_windows(session, symbol, start, end)
        for time, window in zip(times.tolist(), windows, strict=True)
        if time in wanted
    }


def _check(session: Session, row: Mapping, times: np.ndarray, windows: Windows, settings: Settings) -> CheckResult:
    """The result for one ensemble's sample, or the reason why it could not be recomputed."""
    symbol = row["predicted_symbol"]
    try:
        if (stored := EnsembleRow.of_joined(row)) is None:
            raise VersionUnknown()
        ensemble = load_ensemble(session, stored, settings)
        whole = np.array([time in windows for time in times.tolist()])
        given = np.array([windows[time] for time in times[whole].tolist()]).reshape(-1, SEQUENCE_LENGTH, len(FEATURES))
        weighted = stored.mamba_weight is not None
        deviations = compare_stored(session, ensemble, symbol, times[whole], given, weighted=weighted)
        return build_result(session, symbol, deviations, times[~whole])
    except (CandlecastError, session.plpy.SPIError) as error:
        raise_cancel(error)
        return CheckResult(0, reason=error_text(error))


def _store(session: Session, row: Mapping, day: date, result: CheckResult) -> Mapping:
    key = [row["predicted_symbol"], day.isoformat(), row["ensemble_id"]]
    figures = [result.sampled, result.mismatches, result.corrected, result.worst, TOLERANCE]
    example = [result.example_time, result.cause, result.reason]
    return session.rows(_STORE, _STORE_TYPES, [*key, *figures, *example])[0]
