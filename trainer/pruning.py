"""Removes old versions from the trainer's disk, by the same rule as ``prune_versions()`` in the database.

A folder models/<type>/<version> is removed if it was trained more than ``days`` ago, no ensemble in the database uses
it, and it is not among the newest ``keep`` of its symbol and type. Other symbols are not changed.
"""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from candlecast.trainer.models.artifacts import FACTS, MODEL_TYPES

#: Number of newest versions of a symbol and type to keep at any age.
KEEP = 3
#: Age in seconds at which a temporary folder is from a killed run: writing a version takes a second or two.
ABANDONED_SECONDS = 3600.0

_NAMED = """
select version.model_type, version.version
from model_versions as version
where exists (
    select from active_ensembles as ensemble
    where version.id in (ensemble.mamba_version_id, ensemble.lgbm_version_id)
)"""
_PRUNE = "select model_type || '/' || version from prune_versions(make_interval(secs => %s), %s, %s)"


@dataclass(frozen=True)
class _Version:
    folder: Path
    model_type: str
    trained_at: datetime
    joins: frozenset[tuple[str, str]]  #: (model_type, version) of an ensemble's two versions


def sweep(models: Path, abandoned: float = ABANDONED_SECONDS) -> list[Path]:
    """Remove partly written or partly removed folders of killed runs (hidden, never versions). Returns them."""
    swept = []
    for model_type in MODEL_TYPES:
        for folder in sorted((models / model_type).glob(".*-*")):
            if folder.is_dir() and time.time() - folder.stat().st_mtime > abandoned:
                shutil.rmtree(folder)
                swept.append(folder)
    return swept


def prune_database(connection: psycopg.Connection, symbol: str, days: float, keep: int = KEEP) -> list[str]:
    """Run prune_versions() for the symbol. Returns the deleted versions, like lgbm/20261122T170312Z."""
    return [row[0] for row in connection.execute(_PRUNE, (86_400 * days, keep, symbol))]


def read_named_versions(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """(model_type, version) of every version that an ensemble in the database uses."""
    return {(row[0], row[1]) for row in connection.execute(_NAMED)}


def prune_folders(
    models: Path, symbol: str, named: set[tuple[str, str]], days: float, keep: int = KEEP, now: datetime | None = None
) -> list[Path]:
    """Remove the symbol's folders by the rule above. Returns them.

    ``named``: versions that the database uses. An ensemble's folder is used if both of its versions are. The versions
    of an ensemble folder that is kept are kept too.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    named, removed = set(named), []
    for model_type in ("ensemble", "mamba", "lgbm"):  # ensembles first: their versions are kept with them
        versions = sorted(_versions(models, model_type, symbol), key=lambda one: one.trained_at, reverse=True)
        for place, version in enumerate(versions):
            is_named = version.joins <= named if version.joins else (model_type, version.folder.name) in named
            if place < keep or is_named or version.trained_at >= before:
                named |= version.joins
            else:
                _remove(version.folder)
                removed.append(version.folder)
    return removed


def _versions(models: Path, model_type: str, symbol: str) -> Iterator[_Version]:
    """The folders whose facts describe a version of the symbol. All other folders are ignored."""
    for path in (models / model_type).glob(f"[!.]*/{FACTS}"):
        try:
            facts = json.loads(path.read_bytes())
            if facts["symbol"] == symbol and facts["model_type"] == model_type:
                trained_at = datetime.fromisoformat(facts["trained_at"])
                yield _Version(path.parent, model_type, trained_at.astimezone(UTC), _joins(facts))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue


def _joins(facts: dict[str, Any]) -> frozenset[tuple[str, str]]:
    if facts["model_type"] != "ensemble":
        return frozenset()
    return frozenset((model_type, facts[model_type]["version"]) for model_type in ("mamba", "lgbm"))


def _remove(folder: Path) -> None:
    """Hide the folder, then remove it: a partly removed folder must not look like a version."""
    hidden = folder.with_name(f".{folder.name}-pruned")
    folder.rename(hidden)
    shutil.rmtree(hidden)
