"""measure_drift(): the distance between the features of a day and those of the training.

It measures each feature for every symbol with an active ensemble, after the normalization of the version. Versions that
were trained together give the same result. Otherwise the version with the larger distance counts. No model is loaded.
"""

import json
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from candlecast.core.distribution import FIELD, parse_distribution
from candlecast.core.errors import ArtifactDamaged, CandlecastError, NoDistribution, TooFewRows
from candlecast.core.feature_names import FEATURES
from candlecast.core.model import NORMALIZATION
from candlecast.core.normalization import normalize, parse_normalization
from candlecast.server.ensemble_loader import artifact_reader
from candlecast.server.ensemble_row import ENSEMBLE_COLUMNS, EnsembleRow
from candlecast.server.feature_check import check_features
from candlecast.server.feature_windows import read_rows
from candlecast.server.measured_day import resolve_day
from candlecast.server.reporting import error_text, report_errors
from candlecast.server.session import Session

#: The fewest rows of a day that are measured: ten bins of twenty rows.
MIN_ROWS = 200
#: By convention, an index above this is a shift. The threshold is at least the largest index of any training day.
MIN_THRESHOLD = 0.25

_ACTIVE = f"""
select {ENSEMBLE_COLUMNS}
from public.active_ensembles as ensemble where ensemble.state = 'active' order by ensemble.symbol"""
_VERSION = f"select model_type, version, (facts -> '{FIELD}')::text as seen from public.model_versions where id = $1"
_STORE = """
insert into public.feature_drift (
    symbol, day, ensemble_id, rows, reason, feature, model_type, version, psi, ks, threshold
)
select $1, $2::date, $3, $4, $5, measured.*
from unnest($6, $7, $8, $9, $10, $11) as measured (feature, model_type, version, psi, ks, threshold)
on conflict (symbol, day, ensemble_id, feature) do update set
    rows = excluded.rows, reason = excluded.reason, model_type = excluded.model_type, version = excluded.version,
    psi = excluded.psi, ks = excluded.ks, threshold = excluded.threshold, measured_at = excluded.measured_at
returning *"""
_STORE_TYPES = ["text", "text", "bigint", "int", "text", "text[]", "text[]", "text[]", *["float8[]"] * 3]


class FeatureDrift(NamedTuple):
    """One feature compared with one version: columns of feature_drift."""

    model_type: str | None = None
    version: str | None = None
    psi: float | None = None
    ks: float | None = None
    threshold: float | None = None


@report_errors
def measure_drift(plpy: Any, cache: dict, day: str | None) -> list[Any]:
    """Measure a day (None: yesterday, UTC) and store the result, replacing an earlier one; returns its rows."""
    session = Session.of(plpy, cache)
    which, start, end = resolve_day(session, day)
    stored: list[Any] = []
    for ensemble in map(EnsembleRow.of, session.rows(_ACTIVE)):
        rows = read_rows(session, ensemble.symbol, start, end)
        measured, reason = _measure_ensemble(session, ensemble, which, rows)
        values = [ensemble.symbol, which.isoformat(), ensemble.id, len(rows), reason]
        columns = map(list, zip(*measured, strict=True))
        stored += session.rows(_STORE, _STORE_TYPES, [*values, list(FEATURES), *columns])
    return stored


def _measure_ensemble(
    session: Session, ensemble: EnsembleRow, day: date, rows: np.ndarray
) -> tuple[list[FeatureDrift], str | None]:
    """The figures of each feature, and the reason if a version could not be measured."""
    measured: list[list[FeatureDrift]] = []
    reasons: list[str] = []
    try:
        if len(rows) < MIN_ROWS:
            raise TooFewRows(symbol=ensemble.symbol, rows=len(rows), day=day, least=MIN_ROWS)
        check_features(session, ensemble)
    except CandlecastError as error:
        return [FeatureDrift()] * len(FEATURES), error_text(error)
    for version_id in (ensemble.mamba_version_id, ensemble.lgbm_version_id):
        try:
            measured.append(_measure_version(session, version_id, rows))
        except CandlecastError as error:
            reasons.append(error_text(error))
    if not measured:
        return [FeatureDrift()] * len(FEATURES), " ".join(reasons)
    return [max(each, key=_relate_to_threshold) for each in zip(*measured, strict=True)], " ".join(reasons) or None


def _measure_version(session: Session, version_id: int, rows: np.ndarray) -> list[FeatureDrift]:
    """Compare a day's rows (n, features) with one version.

    Raises NoDistribution, ArtifactDamaged, ArtifactRefused, DistributionInvalid.
    """
    version = session.rows(_VERSION, ["bigint"], [version_id])[0]
    if version["seen"] is None:
        raise NoDistribution(model_type=version["model_type"], version=version["version"])
    content = artifact_reader(session, version_id)(NORMALIZATION)
    if content is None:
        raise ArtifactDamaged(name=NORMALIZATION, reason="the version has no such file")
    given = normalize(rows[:, np.newaxis, :], parse_normalization(content))[:, 0, :]
    measured = []
    for seen, values in zip(parse_distribution(json.loads(version["seen"])).values(), given.T, strict=True):
        psi, ks = seen.compare(values)
        threshold = max(MIN_THRESHOLD, seen.furthest_day or 0.0)
        measured.append(FeatureDrift(version["model_type"], version["version"], psi, ks, threshold))
    return measured


def _relate_to_threshold(drift: FeatureDrift) -> float:
    assert drift.psi is not None
    assert drift.threshold is not None
    return drift.psi / drift.threshold
