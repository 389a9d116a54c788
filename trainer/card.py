"""``candlecast card``: describes a version from its facts, as markdown that is readable in a terminal.

    candlecast card 20261122T170312Z           an ensemble and its two versions, or all versions of that name
    candlecast card lgbm/20261122T170312Z      one version
    candlecast card 17                         one version, by its id in model_versions

The source is ``model_versions.facts`` and, for a pair, ``active_ensembles``. If the database is unreachable or does not
have the version, the source is facts.json in the folders under models/.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg

from candlecast.client.database import connect, explain
from candlecast.client.display import print_error
from candlecast.core.errors import CandlecastUserError
from candlecast.trainer.card_text import Card, Joined, render
from candlecast.trainer.models.artifacts import CALIBRATION, FACTS, MODEL_TYPES

_VERSIONS = """
select id, model_type, symbol, version, facts from model_versions
where (version = %(name)s or id::text = %(name)s) and (%(type)s::text is null or model_type = %(type)s)
order by symbol, model_type desc"""
_ENSEMBLES = """
select
    ensemble.id, ensemble.mamba_weight::float8, ensemble.calibration, jsonb_array_length(ensemble.golden -> 'windows'),
    case state when 'test' then 'on test' when 'shadow' then 'in shadow' else state end
from active_ensembles as ensemble
where mamba_version_id = %s and lgbm_version_id = %s
order by ensemble.id"""
_KNOWN = "select model_type || '/' || version from model_versions order by trained_at desc, model_type limit 20"


def describe_version(version: str, models: Path = Path("models"), url: str | None = None) -> str:
    """The cards of a version, found by name, type/name or id, as markdown. Raises CandlecastUserError."""
    model_type, _, name = version.rpartition("/")
    if model_type and model_type not in MODEL_TYPES:
        raise CandlecastUserError(
            f"{model_type!r} is not a model type",
            f"Use one of {', '.join(MODEL_TYPES)}, for example lgbm/20261122T170312Z.",
        )
    known: list[str] = []
    cards: list[Card] = []
    try:
        with connect(url) as connection:
            try:
                cards = from_database(connection, name, model_type or None)
                known = [row[0] for row in connection.execute(_KNOWN)]
            except psycopg.Error as error:
                raise explain(error) from error
    except CandlecastUserError as error:
        print_error(CandlecastUserError(f"{error.message}: searching only under {models}"))
    cards = cards or from_disk(models, name, model_type or None)
    if not cards:
        names = list(dict.fromkeys([*known, *_folders(models)]))
        raise CandlecastUserError(
            f"there is no version {version!r} in the database or under {models}",
            f"Choose one of: {', '.join(names)}." if names else "There are no versions. Run candlecast train.",
        )
    return "\n\n".join(render(one) for one in cards)


def from_database(connection: psycopg.Connection, name: str, model_type: str | None) -> list[Card]:
    """Cards of the rows of model_versions with that name or id. A pair and its ensembles are one card."""
    wanted = {"name": name, "type": None if model_type == "ensemble" else model_type}
    rows = connection.execute(_VERSIONS, wanted).fetchall()
    named = [row for row in rows if row[3] == name] or rows  # a name takes precedence over an id
    cards = []
    for symbol in dict.fromkeys(row[2] for row in named):
        found = {row[1]: row for row in named if row[2] == symbol}
        source = "model_versions " + ", ".join(f"{row[1]} id {row[0]}" for row in found.values())
        joined = []
        if len(found) == 2 and model_type in (None, "ensemble"):
            ids = (found["mamba"][0], found["lgbm"][0])
            joined = [_build_joined(row) for row in connection.execute(_ENSEMBLES, ids)]
        facts = {key: row[4] for key, row in found.items()}
        if joined:
            cards.append(Card(f"ensemble {found['mamba'][3]} of {symbol}", source, facts, joined))
        elif model_type != "ensemble":
            cards += [Card(f"{key} {row[3]} of {symbol}", source, {key: row[4]}) for key, row in found.items()]
    return cards


def from_disk(models: Path, name: str, model_type: str | None) -> list[Card]:
    """Cards of the folders models/<type>/<name>, from their facts.json. Unreadable files are skipped."""
    if not name or Path(name).name != name:
        return []
    folders = {key: models / key / name for key in MODEL_TYPES if model_type in (None, key)}
    facts = {key: found for key, folder in folders.items() if (found := _facts(folder))}
    if "ensemble" in facts:
        own, folder = facts["ensemble"], folders["ensemble"]
        parts = {key: _facts(models / key / own[key]["version"]) for key in ("mamba", "lgbm")}
        vectors = len(own["golden"]["windows"])
        joined = Joined(own["mamba_weight"], _calibration(folder), vectors, "from disk", own)
        versions = {key: part for key, part in parts.items() if part}
        return [Card(f"ensemble {name} of {own['symbol']}", str(folder), versions, [joined])]
    return [Card(f"{key} {name} of {one['symbol']}", str(folders[key]), {key: one}) for key, one in facts.items()]


def _build_joined(row: Sequence[Any]) -> Joined:
    number, weight, calibration, vectors, state = row
    return Joined(weight, calibration and json.loads(calibration), vectors, f"id {number}, {state}")


def _facts(folder: Path) -> dict[str, Any] | None:
    return _json(folder / FACTS)


def _calibration(folder: Path) -> dict[str, Any] | None:
    return _json(folder / CALIBRATION)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _folders(models: Path) -> Iterable[str]:
    folders = [path.parent for path in models.glob(f"*/[!.]*/{FACTS}") if path.parent.parent.name in MODEL_TYPES]
    newest = sorted(folders, key=lambda folder: (folder.name, folder.parent.name), reverse=True)[:20]
    return [f"{folder.parent.name}/{folder.name}" for folder in newest]
