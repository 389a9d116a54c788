"""create_ensemble(), test_, withdraw_, activate_ and rollback_ensemble(): manual changes of the states of ensembles.

An ensemble is activated only after this database has loaded it with every allowed runtime and it has reproduced its
test vectors. evaluate_ab() makes the automatic changes (candlecast.server.ab).
"""

from hashlib import sha256
from typing import Any

from candlecast.core.calibration import parse_calibration
from candlecast.core.errors import NothingToRollBackTo, RegistrationRefused, TestsFull
from candlecast.server.ensemble_loader import check_weight
from candlecast.server.registry.lifecycle import Change, lock_ensembles, put_on_test, read_state, validate
from candlecast.server.registry.test_vectors import parse_pair_vectors
from candlecast.server.reporting import report_errors
from candlecast.server.session import Session

_VERSIONS = "select id, model_type, symbol, feature_hash from public.model_versions where id in ($1, $2)"
_CREATE = """
insert into public.active_ensembles (
    symbol, mamba_version_id, lgbm_version_id, mamba_weight, calibration_sha256, feature_hash, calibration, golden
)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id"""
_SAME = """
select id from public.active_ensembles
where symbol = $1 and mamba_version_id = $2 and lgbm_version_id = $3 and mamba_weight is not distinct from $4
    and calibration_sha256 is not distinct from $5"""
# Restores a damaged text; the equal sha256 proves that it is the original one.
_RESTORE = "update public.active_ensembles set calibration = $2 where id = $1 and calibration <> $2"
_EARLIER = """
select id from public.active_ensembles
where symbol = $1 and not is_active and deactivated_at is not null and rolled_back_at is null
order by deactivated_at desc, id desc
limit 1"""


@report_errors
def create_ensemble(
    plpy: Any, cache: dict, mamba_id: int, lgbm_id: int, weight: Any, is_test: bool, symbol: str | None,
    calibration: str | None, vectors: str | None,
) -> int:  # fmt: skip
    """Create an ensemble; the same pair, weight and calibration return the same id. ``is_test`` validates it first."""
    session = Session.of(plpy, cache)
    symbol, feature_hash = _join_versions(session, mamba_id, lgbm_id, symbol)
    if weight is not None:
        if not 0.0 <= weight <= 1.0:
            raise RegistrationRefused(what="the ensemble", reason=f"mamba_weight {weight} is not in [0, 1]")
        weight = round(weight, 4)
    key = [symbol, mamba_id, lgbm_id, weight, _hash_calibration(calibration, vectors, weight)]
    types = ["text", "bigint", "bigint", "numeric", "text"]
    # Lock before the insert: two sessions that lock after it would deadlock.
    lock_ensembles(session)
    created = session.rows(_CREATE, [*types, "text", "text", "jsonb"], [*key, feature_hash, calibration, vectors])
    if len(created):
        ensemble_id = created[0]["id"]
    else:
        ensemble_id = session.rows(_SAME, types, key)[0]["id"]
        session.rows(_RESTORE, ["bigint", "text"], [ensemble_id, calibration])
    if is_test:
        try:
            put_on_test(session, ensemble_id)
        except TestsFull as full:
            detail = f"{full.detail} The ensemble was not created. To create it without a test, omit is_test."
            raise TestsFull(detail, **full.facts | {"what": "the new ensemble"}) if len(created) else full from None
    return ensemble_id


def _join_versions(session: Session, mamba_id: int, lgbm_id: int, symbol: str | None) -> tuple[str, str]:
    """The symbol (None: that of the versions) and the feature_hash of a pair. Raises RegistrationRefused."""
    found = {row["id"]: row for row in session.rows(_VERSIONS, ["bigint", "bigint"], [mamba_id, lgbm_id])}
    for version_id, model_type in ((mamba_id, "mamba"), (lgbm_id, "lgbm")):
        if version_id not in found or found[version_id]["model_type"] != model_type:
            raise RegistrationRefused(what="the ensemble", reason=f"there is no {model_type} version id {version_id}")
    mamba, lgbm = found[mamba_id], found[lgbm_id]
    if symbol is None and mamba["symbol"] != lgbm["symbol"]:
        raise RegistrationRefused(
            what="the ensemble", reason=f"its versions are of {mamba['symbol']} and {lgbm['symbol']}: pass a symbol"
        )
    if mamba["feature_hash"] != lgbm["feature_hash"]:
        raise RegistrationRefused(what="the ensemble", reason="its versions were trained on different features")
    return symbol or mamba["symbol"], mamba["feature_hash"]


def _hash_calibration(calibration: str | None, vectors: str | None, weight: float | None) -> str | None:
    """The sha256 of a calibration, whose weight and test vectors are checked; None where there is neither."""
    if (calibration is None) != (vectors is None):
        raise RegistrationRefused(what="the ensemble", reason="pass both a calibration and test vectors, or neither")
    if calibration is None or vectors is None:
        return None
    check_weight(parse_calibration(calibration), weight)
    parse_pair_vectors(vectors, "the test vectors of the ensemble")
    return sha256(calibration.encode()).hexdigest()


@report_errors
def test_ensemble(plpy: Any, cache: dict, ensemble_id: int) -> bool:
    """Validate an ensemble and put it on test; returns whether it is on test."""
    return put_on_test(Session.of(plpy, cache), ensemble_id)


@report_errors
def withdraw_ensemble(plpy: Any, cache: dict, ensemble_id: int) -> bool:
    """Take an ensemble off test; returns whether it was on test."""
    session = Session.of(plpy, cache)
    lock_ensembles(session)
    if read_state(session, ensemble_id)[1] != "test":
        return False
    Change(session, "withdrawn by hand").move(ensemble_id, "retired", "withdrawn")
    return True


@report_errors
def activate_ensemble(plpy: Any, cache: dict, ensemble_id: int) -> None:
    """Validate an ensemble, then make it the active one of its symbol."""
    session = Session.of(plpy, cache)
    symbol = validate(session, ensemble_id)
    lock_ensembles(session)
    change = Change(session, f"ensemble {ensemble_id} was activated by hand")
    change.replace(symbol, ensemble_id, "activated", leaves_as="retired", leaving_event="replaced")


@report_errors
def rollback_ensemble(plpy: Any, cache: dict, symbol: str) -> int:
    """Roll back to the ensemble that was active before; returns its id."""
    session = Session.of(plpy, cache)
    lock_ensembles(session)
    earlier = session.rows(_EARLIER, ["text"], [symbol])
    if not len(earlier):
        raise NothingToRollBackTo(symbol=symbol)
    ensemble_id = earlier[0]["id"]
    validate(session, ensemble_id)
    change = Change(session, f"rolled back by hand to ensemble {ensemble_id}")
    change.replace(symbol, ensemble_id, "restored", leaves_as="retired", leaving_event="rolled_back")
    return ensemble_id
