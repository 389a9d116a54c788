"""register_model(): validates a version's files and facts and stores them in model_versions and model_artifacts."""

import json
from datetime import datetime
from hashlib import sha256
from typing import Any

from candlecast.core import distribution
from candlecast.core.errors import RegistrationRefused, VersionConflict
from candlecast.core.feature_names import FEATURE_HASH, FEATURES
from candlecast.core.model import LGBM_FILES, NORMALIZATION, build_output_mapping
from candlecast.core.normalization import parse_normalization
from candlecast.server.reporting import report_errors
from candlecast.server.runtimes import check_artifact
from candlecast.server.session import Session

_REQUIRED = {"mamba": (NORMALIZATION,), "lgbm": (NORMALIZATION, *LGBM_FILES)}
_ALLOWED = {
    "mamba": {NORMALIZATION, "mamba.onnx", "mamba.pt", "facts.json"},
    "lgbm": {NORMALIZATION, *LGBM_FILES, "facts.json"},
}
_INSERT_VERSION = """
insert into public.model_versions (
    model_type, version, symbol, model_path, accuracy_1m, rmse, trained_at, training_from, training_to,
    features, feature_hash, params, metrics, facts, git_commit
)
select
    $1, $2, $3, $4, (facts ->> 'accuracy_1m')::numeric, (facts ->> 'rmse')::numeric,
    (facts ->> 'trained_at')::timestamptz, (facts ->> 'training_from')::timestamptz,
    (facts ->> 'training_to')::timestamptz, $5, $6,
    coalesce(facts -> 'params', '{}'), coalesce(facts -> 'metrics', '{}'), facts, facts ->> 'git_commit'
from (values ($7::jsonb)) as given (facts)
on conflict (model_type, symbol, version) do nothing
returning id"""
_INSERT_ARTIFACT = (
    "insert into public.model_artifacts (model_version_id, name, sha256, content) values ($1, $2, $3, $4)"
)
_REGISTERED = """
select id, (
    select string_agg(name || '=' || sha256, ' ' order by name) from public.model_artifacts
    where model_version_id = id
) as files
from public.model_versions where model_type = $1 and version = $2 and symbol = $3"""
# Restores damaged bytes from the same files.
_RESTORE = """
update public.model_artifacts set content = $3
where model_version_id = $1 and name = $2 and sha256(content) <> sha256($3)"""


@report_errors
def register_model(
    plpy: Any, cache: dict, model_type: str, version: str, symbol: str, model_path: str,
    facts: str, names: list[str], contents: list[bytes],
) -> int:  # fmt: skip
    """Store a version and its files; the same files return the same id."""
    session = Session.of(plpy, cache)
    if None in (model_type, version, symbol, model_path, facts, names, contents, *(names or ()), *(contents or ())):
        raise RegistrationRefused(what="the version", reason="an argument is null")
    what = f"{model_type} version {version}"
    files = dict(zip(names, contents, strict=False))
    try:
        document = json.loads(facts)
    except RecursionError:
        raise RegistrationRefused(what=what, reason="its facts are nested too deeply") from None
    if reason := _find_fault(model_type, version, symbol, document, names, contents, files):
        raise RegistrationRefused(what=what, reason=reason)
    for name, content in files.items():
        check_artifact(name, content)
    parse_normalization(files[NORMALIZATION])
    if model_type == "lgbm":
        build_output_mapping(document)
    if distribution.FIELD in document:
        distribution.parse_distribution(document[distribution.FIELD])
    values = [model_type, version, symbol, model_path, list(FEATURES), FEATURE_HASH, facts]
    types = ["text", "text", "text", "text", "text[]", "text", "jsonb"]
    inserted = session.rows(_INSERT_VERSION, types, values)
    if not len(inserted):
        known = session.rows(_REGISTERED, ["text", "text", "text"], [model_type, version, symbol])[0]
        if known["files"] == " ".join(f"{name}={sha256(files[name]).hexdigest()}" for name in sorted(files)):
            for name, content in files.items():
                session.rows(_RESTORE, ["bigint", "text", "bytea"], [known["id"], name, content])
            return known["id"]
        raise VersionConflict(model_type=model_type, version=version, symbol=symbol)
    version_id = inserted[0]["id"]
    for name, content in files.items():
        artifact = [version_id, name, sha256(content).hexdigest(), content]
        session.rows(_INSERT_ARTIFACT, ["bigint", "text", "text", "bytea"], artifact)
    return version_id


def _find_fault(
    model_type: str, version: str, symbol: str, facts: Any, names: list[str], contents: list[bytes], files: dict
) -> str | None:
    """Why these files and facts are not a valid version; None: they are."""
    if model_type not in _ALLOWED:
        return f"model_type {model_type!r} is neither mamba nor lgbm"
    if len(names) != len(contents) or len(files) != len(names):
        return f"{len(names)} names ({len(files)} different) do not match {len(contents)} contents"
    if missing := [name for name in _REQUIRED[model_type] if name not in files]:
        return f"{missing[0]} is missing"
    if model_type == "mamba" and not files.keys() & {"mamba.onnx", "mamba.pt"}:
        return "it has neither mamba.onnx nor mamba.pt"
    if unknown := sorted(files.keys() - _ALLOWED[model_type]):
        return f"{unknown[0]} is not a file of a {model_type} version"
    if not isinstance(facts, dict) or facts.get("feature_hash") != FEATURE_HASH:
        return "its facts name different features than this database computes"
    vectors = facts.get("golden")
    if not isinstance(vectors, dict) or not vectors.get("windows") or not vectors.get("scaled_returns"):
        return "its facts have no test vectors, which are needed to validate it"
    if not version or not symbol or facts.get("symbol") != symbol:
        return f"its facts are of symbol {facts.get('symbol')!r}, not {symbol!r}, or its version has no name"
    hashes = facts.get("files")
    for name, content in files.items():
        if name != "facts.json" and (not isinstance(hashes, dict) or hashes.get(name) != sha256(content).hexdigest()):
            return f"{name} does not match the sha256 in its facts"
    for key in ("trained_at", "training_from", "training_to"):
        if not _is_time(facts.get(key)):
            return f"its facts have no {key} in ISO format"
    for key, largest in (("accuracy_1m", 1.0), ("rmse", 1e9)):
        value = facts.get(key)
        if value is not None and not (isinstance(value, int | float) and 0.0 <= value <= largest):
            return f"its facts have {key} {value!r}, not a number from 0 to {largest:g}"
    return None


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False
