"""measure_drift(): how far a day's features lie from the ones that the active models were trained on.

Of every symbol with an active ensemble, each feature, each of the two versions: as that version's normalisation gives
the day's rows to it. No model is loaded.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from candlecast.ensembles import artifact_reader
from candlecast.errors import ArtifactDamaged, CandlecastError
from candlecast.features import FEATURES
from candlecast.lineage import check_features
from candlecast.models import NORMALIZATION
from candlecast.monitoring.days import day_of
from candlecast.monitoring.distribution import FIELD, Distribution, parse
from candlecast.normalization import Normalization, normalize
from candlecast.normalization import parse as parse_normalization
from candlecast.reporting import in_words, reported
from candlecast.session import Session
from candlecast.windows import rows_between

#: Fewer rows of a day say little: ten bins of twenty rows.
LEAST_ROWS = 200
#: An index above this is a shift, by the convention; and above what the furthest day of the training itself had.
SHIFTED = 0.25

_ACTIVE = """
select id as ensemble_id, symbol as ensemble_symbol, feature_hash, mamba_version_id, lgbm_version_id
from public.active_ensembles where state = 'active' order by symbol"""
_VERSION = f"select model_type, version, (facts -> '{FIELD}')::text as seen from public.model_versions where id = $1"
_STORE = """
insert into public.feature_drift (
    symbol, day, ensemble_id, model_type, version, feature, rows, psi, ks, threshold, reason
)
select $1, $2::date, $3, $4, $5, feature, $6, psi, ks, threshold, $7
from unnest($8, $9, $10, $11) as measured (feature, psi, ks, threshold)
on conflict (symbol, day, ensemble_id, model_type, feature) do update set
    version = excluded.version, rows = excluded.rows, psi = excluded.psi, ks = excluded.ks,
    threshold = excluded.threshold, reason = excluded.reason, measured_at = excluded.measured_at
returning *"""
_STORE_TYPES = ["text", "text", "bigint", "text", "text", "int", "text", "text[]", "float8[]", "float8[]", "float8[]"]

#: (index, distance, threshold) of a feature.
Figures = tuple[float | None, float | None, float | None]


class NoDistribution(CandlecastError):
    """{model_type} version {version} keeps no distribution of its training rows"""

    sqlstate = "CC026"
    hint = "It was trained before candlecast kept one: drift is measured from the next training on."


class TooFewRows(CandlecastError):
    """{symbol} has {rows} feature rows on {day}, fewer than the {least} that a measurement needs"""

    sqlstate = "CC027"
    hint = "A row needs the 150 candles that end at its minute: select * from candle_gaps('{symbol}', ...)."


@reported
def measure_drift(plpy: Any, cache: dict, day: str | None) -> list[Any]:
    """Measure a day (None: yesterday, UTC) and store it in place of what was; returns the rows of feature_drift."""
    session = Session.of(plpy, cache)
    which, start, end = day_of(session, day)
    stored: list[Any] = []
    for ensemble in session.rows(_ACTIVE):
        rows = rows_between(session, ensemble["ensemble_symbol"], start, end)
        for version_id in (ensemble["mamba_version_id"], ensemble["lgbm_version_id"]):
            stored += _measure(session, ensemble, version_id, which, rows)
    return stored


def _measure(session: Session, ensemble: Mapping, version_id: int, day: date, rows: np.ndarray) -> Any:
    """One version's rows of feature_drift, stored: its figures, or why there are none."""
    version = session.rows(_VERSION, ["bigint"], [version_id])[0]
    figures: list[Figures] = [(None, None, None)] * len(FEATURES)
    reason = None
    try:
        if len(rows) < LEAST_ROWS:
            raise TooFewRows(symbol=ensemble["ensemble_symbol"], rows=len(rows), day=day, least=LEAST_ROWS)
        check_features(session, ensemble)
        seen, normalization = _training(session, version_id, version)
        given = normalize(rows[:, np.newaxis, :], normalization)[:, 0, :]
        figures = [_figures(seen[name], given[:, column]) for column, name in enumerate(FEATURES)]
    except CandlecastError as error:
        reason = in_words(error)
    index, distance, threshold = map(list, zip(*figures, strict=True))
    values = [ensemble["ensemble_symbol"], day.isoformat(), ensemble["ensemble_id"], version["model_type"]]
    values += [version["version"], len(rows), reason, list(FEATURES), index, distance, threshold]
    return session.rows(_STORE, _STORE_TYPES, values)


def _training(session: Session, version_id: int, version: Mapping) -> tuple[dict[str, Distribution], Normalization]:
    """What the version saw, and how it reads rows. Raises NoDistribution, DistributionInvalid, ArtifactDamaged."""
    if version["seen"] is None:
        raise NoDistribution(model_type=version["model_type"], version=version["version"])
    content = artifact_reader(session, version_id)(NORMALIZATION)
    if content is None:
        raise ArtifactDamaged(name=NORMALIZATION, reason="the version has no such file")
    return parse(json.loads(version["seen"])), parse_normalization(content)


def _figures(seen: Distribution, values: np.ndarray) -> Figures:
    index, distance = seen.compare(values)
    return index, distance, max(SHIFTED, seen.furthest_day or 0.0)
