"""``candlecast publish``: two versions from disk into the database, joined and live, in one transaction.

    publish_ensemble(Path("models/ensemble/20260430T235900Z"), "test")    # refused where no place on test is free
    publish_on_test_or_waiting(folder, connection)                        # there it waits: what retraining asks for

Doing it again changes nothing.
"""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from candlecast.client.database import connect, explain
from candlecast.core.errors import CandlecastUserError, TestsFull
from candlecast.trainer.models.artifacts import CALIBRATION, read_ensemble, read_version

#: How a state of active_ensembles is told; the first three are what one can publish as.
_STATES = {
    "active": "active",
    "test": "on test",
    "waiting": "waiting",
    "shadow": "in shadow",
    "retired": "retired",
}
_STORED = "select mamba_weight, state from active_ensembles where id = %s"


@dataclass(frozen=True)
class Published:
    """An ensemble as the database has it."""

    id: int
    mamba_weight: Decimal | None  #: four decimals; None: as ml_settings says
    state: str  #: 'active', 'on test' or 'waiting'; another, with the reason, where it was published before

    def __str__(self) -> str:
        weight = "from ml_settings" if self.mamba_weight is None else self.mamba_weight
        return f"Ensemble {self.id} is {self.state}; Mamba's weight: {weight}"


def publish_ensemble(
    folder: Path,
    publish_as: str = "active",
    database_url: str | None = None,
    connection: psycopg.Connection | None = None,
) -> Published:
    """Publish ``models/ensemble/<version>`` with the two versions that it joins, which lie beside it.

    Weight and calibration are the folder's. Else as ``publish``, whose ``connection`` it takes too.
    """
    facts, files, mamba, lgbm = read_ensemble(folder)
    calibrated = files[CALIBRATION].decode(), facts["golden"]
    return publish(mamba, lgbm, publish_as, facts["mamba_weight"], database_url, calibrated, connection)


def publish(
    mamba_folder: Path,
    lgbm_folder: Path,
    publish_as: str = "active",
    mamba_weight: float | None = None,
    database_url: str | None = None,
    calibrated: tuple[str, dict[str, Any]] | None = None,
    connection: psycopg.Connection | None = None,
) -> Published:
    """Register both versions, create their ensemble, make it 'active', put it on 'test', or leave it 'waiting'.

    What waits was not proved by its test vectors: test_ensemble() and activate_ensemble() do that.

    ``calibrated``: calibration.json and the test vectors of the pair with this weight; without them there are no
    probabilities and no intervals. Files are held to the sha256s of their facts first. Either all of it happens or
    nothing, within the transaction that a given ``connection`` is in. Raises CandlecastUserError, with the database's
    reason and hint where it refuses.
    """
    if publish_as not in ("active", "test", "waiting"):
        raise CandlecastUserError(f"a version is published as active, test or waiting, not {publish_as!r}")
    versions = [
        (folder, *read_version(folder), model_type)
        for folder, model_type in ((mamba_folder, "mamba"), (lgbm_folder, "lgbm"))
    ]
    for folder, facts, _, model_type in versions:
        if facts["model_type"] != model_type:
            raise CandlecastUserError(
                f"{folder} holds a version of type {facts['model_type']!r}, not {model_type!r}",
                "Give --mamba a folder under models/mamba, --lgbm one under models/lgbm.",
            )
    calibration, golden = calibrated or (None, None)
    with connect(database_url) if connection is None else nullcontext(connection) as opened:
        try:
            with opened.transaction():
                ids = [_register(opened, *version) for version in versions]
                ensemble = _value(
                    opened,
                    "select create_ensemble(%s, %s, %s, is_test => %s, calibration => %s, golden => %s::jsonb)",
                    (*ids, mamba_weight, publish_as == "test", calibration, golden and json.dumps(golden)),
                )
                if publish_as == "active":
                    opened.execute("select activate_ensemble(%s)", (ensemble,))
                return _describe_published(opened, ensemble, publish_as)
        except psycopg.Error as error:
            raise explain(error) from error


def publish_on_test_or_waiting(folder: Path, connection: psycopg.Connection) -> tuple[Published, str | None]:
    """Publish an ensemble on test; where no place is free it waits, and the second says why and what to do.

    Its test vectors are proved either way: the database counts places after it has proved them. Whoever takes the last
    place meanwhile is seen, for it counts under its lock. Else as ``publish_ensemble`` in the connection's transaction.
    """
    published = publish_ensemble(folder, "waiting", connection=connection)
    try:
        with connection.transaction():
            connection.execute("select test_ensemble(%s)", (published.id,))
    except psycopg.Error as error:
        if error.sqlstate != TestsFull.sqlstate:
            raise explain(error) from error
        why = f"{explain(error).message}. {error.diag.message_detail}"
        return published, f"{why} When a place is free: select test_ensemble({published.id});"
    return _describe_published(connection, published.id, "test"), None


def _describe_published(connection: psycopg.Connection, ensemble: int, publish_as: str) -> Published:
    """As the database has it now."""
    weight, state = connection.execute(_STORED, (ensemble,)).fetchone() or (None, publish_as)
    told = _STATES[state] if state == publish_as else f"{_STATES[state]} already, so not {_STATES[publish_as]}"
    return Published(ensemble, weight, told)


def _register(
    connection: psycopg.Connection,
    folder: Path,
    facts: dict[str, Any],
    files: dict[str, bytes],
    model_type: str,
) -> int:
    return _value(
        connection,
        "select register_model(%s, %s, %s, %s, %s::jsonb, %s::text[], %s::bytea[])",
        (
            model_type,
            facts["version"],
            facts["symbol"],
            str(folder),
            files["facts.json"].decode(),
            list(files),
            list(files.values()),
        ),
    )


def _value(connection: psycopg.Connection, query: str, parameters: tuple[object, ...]) -> int:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return int(row[0])
