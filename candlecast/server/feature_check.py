"""Whether an ensemble was trained on the features that this server computes: after an upgrade it may not be."""

from collections.abc import Sequence

from candlecast.core.errors import OtherFeatures
from candlecast.core.feature_names import FEATURE_HASH, FEATURES
from candlecast.server.ensemble_row import EnsembleRow
from candlecast.server.session import Session

_FEATURES = "select features from public.model_versions where id = $1"


def check_features(session: Session, row: EnsembleRow) -> None:
    """Raise OtherFeatures, with what differs, where the ensemble has another feature hash."""
    if row.feature_hash == FEATURE_HASH:
        return
    theirs = session.rows(_FEATURES, ["bigint"], [row.mamba_version_id])[0]["features"]
    raise OtherFeatures(_difference(theirs), ensemble_id=row.id, symbol=row.symbol)


def _difference(theirs: Sequence[str]) -> str:
    parts = (
        ("It lacks", [name for name in FEATURES if name not in theirs]),
        ("This server lacks", [name for name in theirs if name not in FEATURES]),
    )
    text = " ".join(f"{who} {', '.join(names)}." for who, names in parts if names)
    return text or "The features have the same names in another order, or with other formulas."
