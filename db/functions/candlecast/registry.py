"""create_ensemble(), activate_ensemble(), rollback_ensemble(), withdraw_ensemble(): which models are live.

An ensemble goes live only after this database has loaded it, by every road that it allows, and its golden
rows gave the outputs that they must.
"""

from hashlib import sha256
from typing import Any

from candlecast.calibration import parse
from candlecast.ensembles import ENSEMBLE_COLUMNS, check_weight
from candlecast.errors import EnsembleUnknown, NothingToRollBackTo, RegistrationRefused
from candlecast.golden import check_golden_rows, pair_rows
from candlecast.lineage import check_features
from candlecast.reporting import reported
from candlecast.session import Session
from candlecast.settings import STORED_SETTINGS, resolve

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
# What was damaged since gets its text back: the sha256 says that it is the same.
_MEND = "update public.active_ensembles set calibration = $2 where id = $1 and calibration <> $2"


@reported
def create_ensemble(
    plpy: Any, cache: dict, mamba_id: int, lgbm_id: int, weight: Any, is_test: bool, symbol: str | None,
    calibration: str | None, golden: str | None,
) -> int:  # fmt: skip
    """Join two versions; the same pair, weight and calibration again give the same id. On test: proved first."""
    session = Session.of(plpy, cache)
    found = {row["id"]: row for row in session.rows(_VERSIONS, ["bigint", "bigint"], [mamba_id, lgbm_id])}
    for version_id, model_type in ((mamba_id, "mamba"), (lgbm_id, "lgbm")):
        if version_id not in found or found[version_id]["model_type"] != model_type:
            raise RegistrationRefused(what="the ensemble", reason=f"there is no {model_type} version id {version_id}")
    mamba, lgbm = found[mamba_id], found[lgbm_id]
    if symbol is None and mamba["symbol"] != lgbm["symbol"]:
        raise RegistrationRefused(
            what="the ensemble", reason=f"name its symbol: its versions are of {mamba['symbol']} and {lgbm['symbol']}"
        )
    if mamba["feature_hash"] != lgbm["feature_hash"]:
        raise RegistrationRefused(what="the ensemble", reason="its versions were trained on different features")
    symbol = symbol or mamba["symbol"]
    if weight is not None:
        if not 0.0 <= weight <= 1.0:
            raise RegistrationRefused(what="the ensemble", reason=f"mamba_weight {weight} is not from 0 to 1")
        weight = round(weight, 4)
    key = [symbol, mamba_id, lgbm_id, weight, _calibration_hash(calibration, golden, weight)]
    types = ["text", "bigint", "bigint", "numeric", "text"]
    created = session.rows(
        _CREATE, [*types, "text", "text", "jsonb"], [*key, mamba["feature_hash"], calibration, golden]
    )
    if len(created):
        ensemble_id = created[0]["id"]
    else:
        ensemble_id = session.rows(_SAME, types, key)[0]["id"]
        session.rows(_MEND, ["bigint", "text"], [ensemble_id, calibration])
    if is_test:
        _prove(session, ensemble_id)
        query = "update public.active_ensembles set is_test = true where id = $1 and not is_active"
        session.rows(query, ["bigint"], [ensemble_id])
    return ensemble_id


def _calibration_hash(calibration: str | None, golden: str | None, weight: float | None) -> str | None:
    """The sha256 of a calibration that fits the weight and has golden rows; None where there is neither."""
    if (calibration is None) != (golden is None):
        raise RegistrationRefused(what="the ensemble", reason="a calibration needs golden rows, and they need it")
    if calibration is None or golden is None:
        return None
    check_weight(parse(calibration), weight)
    pair_rows(golden, "the golden rows of the ensemble")
    return sha256(calibration.encode()).hexdigest()


@reported
def withdraw_ensemble(plpy: Any, cache: dict, ensemble_id: int) -> bool:
    """Take an ensemble off test; returns whether it was there."""
    session = Session.of(plpy, cache)
    if not len(session.rows(_KNOWN, ["bigint"], [ensemble_id])):
        raise EnsembleUnknown(ensemble_id=ensemble_id, symbol="any symbol")
    return len(session.rows(_WITHDRAW, ["bigint"], [ensemble_id])) > 0


_KNOWN = "select from public.active_ensembles where id = $1"
_WITHDRAW = "update public.active_ensembles set is_test = false where id = $1 and is_test returning id"
_SWAP_OUT = """
update public.active_ensembles
set is_active = false, deactivated_at = clock_timestamp(),
    rolled_back_at = case when $3 then clock_timestamp() end
where symbol = $1 and is_active and id <> $2"""
_SWAP_IN = """
update public.active_ensembles
set is_active = true, is_test = false, activated_at = clock_timestamp(), deactivated_at = null, rolled_back_at = null
where id = $1 and not is_active"""
_EARLIER = """
select id from public.active_ensembles
where symbol = $1 and not is_active and deactivated_at is not null and rolled_back_at is null
order by deactivated_at desc, id desc
limit 1"""


@reported
def activate_ensemble(plpy: Any, cache: dict, ensemble_id: int) -> None:
    """Prove an ensemble by its golden rows, then make it its symbol's active one."""
    _activate(Session.of(plpy, cache), ensemble_id, rolling_back=False)


@reported
def rollback_ensemble(plpy: Any, cache: dict, symbol: str) -> int:
    """Go back to the ensemble that was active before; returns its id."""
    session = Session.of(plpy, cache)
    _lock(session)
    earlier = session.rows(_EARLIER, ["text"], [symbol])
    if not len(earlier):
        raise NothingToRollBackTo(symbol=symbol)
    _activate(session, earlier[0]["id"], rolling_back=True)
    return earlier[0]["id"]


def _activate(session: Session, ensemble_id: int, *, rolling_back: bool) -> None:
    symbol = _prove(session, ensemble_id)
    _lock(session)
    session.rows(_SWAP_OUT, ["text", "bigint", "boolean"], [symbol, ensemble_id, rolling_back])
    session.rows(_SWAP_IN, ["bigint"], [ensemble_id])


def _lock(session: Session) -> None:
    """Let one transaction at a time change what is live. A lock that readers, who may not write, cannot take."""
    session.rows("lock table public.active_ensembles in share row exclusive mode")


def _prove(session: Session, ensemble_id: int) -> str:
    query = f"""
    select {ENSEMBLE_COLUMNS}, {STORED_SETTINGS}
    from public.active_ensembles as ensemble where ensemble.id = $1"""
    rows = session.rows(query, ["bigint"], [ensemble_id])
    if not len(rows):
        raise EnsembleUnknown(ensemble_id=ensemble_id, symbol="any symbol")
    check_features(session, rows[0])
    check_golden_rows(session, rows[0], resolve(rows[0]["settings"]))
    return rows[0]["ensemble_symbol"]
