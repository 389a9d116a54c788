"""Checks that an ensemble was trained on the features that this server computes. An upgrade may change them."""

from collections.abc import Sequence

from candlecast.core.errors import OtherFeatures
from candlecast.core.feature_names import FEATURE_HASH, FEATURES
from candlecast.server.ensemble_row import EnsembleRow
from candlecast.server.session import Session

_FEATURES = "select features from public.model_versions where id = $1"


def check_features(session: Session, row: EnsembleRow) -> None:
    """Raise OtherFeatures, with the differences, where the ensemble has another feature hash."""
    if row.feature_hash == FEATURE_HASH:
        return
    theirs = session.rows(_FEATURES, ["bigint"], [row.mamba_version_id])[0]["features"]
    raise OtherFeatures(_difference(theirs), ensemble_id=row.id, symbol=row.symbol)


def _difference(theirs: Sequence[str]) -> str:
    parts = (
        ("Only the server has", [name for name in FEATURES if name not in theirs]),
        ("Only the ensemble has", [name for name in theirs if name not in FEATURES]),
    )
    text = " ".join(f"{label} {', '.join(names)}." for label, names in parts if names)
    return text or "The names are the same; their order or the formulas differ."
