"""``candlecast publish``: publishes two versions and their ensemble from disk to the database, in one transaction.

    publish_ensemble(Path("models/ensemble/20260430T235900Z"), "test")    # fails if the A/B test has no free place
    publish_on_test_or_waiting(folder, connection)                        # waits instead; for retraining

Publishing is idempotent.
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

#: States of active_ensembles as shown to users. An ensemble can be published in the first three.
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
    """A published ensemble, as stored in the database."""

    id: int
    mamba_weight: Decimal | None  #: four decimals; None: from ml_settings
    state: str  #: 'active', 'on test' or 'waiting'; another state, with the reason, if it was already published

    def __str__(self) -> str:
        weight = "from ml_settings" if self.mamba_weight is None else self.mamba_weight
        return f"Ensemble {self.id} is {self.state}; Mamba's weight: {weight}"


def publish_ensemble(
    folder: Path,
    publish_as: str = "active",
    database_url: str | None = None,
    connection: psycopg.Connection | None = None,
) -> Published:
    """Publish ``models/ensemble/<version>`` and its two versions from the same models folder.

    Weight and calibration come from the folder. See ``publish`` for everything else.
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
    """Register both versions and create their ensemble as 'active', 'test' or 'waiting'.

    The test vectors of a waiting ensemble have not run yet: test_ensemble() and activate_ensemble() run them.

    ``calibrated``: calibration.json and the ensemble's test vectors with this weight. Without them there are no
    probabilities and no intervals. Files are checksum-verified first. Everything happens in one transaction, which is
    part of the transaction of ``connection`` if one is given. Raises CandlecastUserError, with the database's message
    and hint if the database rejects the ensemble.
    """
    if publish_as not in ("active", "test", "waiting"):
        raise CandlecastUserError(f"an ensemble is published as active, test or waiting, not as {publish_as!r}")
    versions = [
        (folder, *read_version(folder), model_type)
        for folder, model_type in ((mamba_folder, "mamba"), (lgbm_folder, "lgbm"))
    ]
    for folder, facts, _, model_type in versions:
        if facts["model_type"] != model_type:
            raise CandlecastUserError(
                f"{folder} holds a version of type {facts['model_type']!r}, not {model_type!r}",
                "Pass --mamba a folder under models/mamba, and --lgbm a folder under models/lgbm.",
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
    """Publish an ensemble on test. If no place is free, it waits, and the returned text gives the reason and remedy.

    Its test vectors run in both cases: the database counts places after running them, and under its lock, so two
    clients cannot take the same place. See ``publish_ensemble`` for everything else.
    """
    published = publish_ensemble(folder, "waiting", connection=connection)
    try:
        with connection.transaction():
            connection.execute("select test_ensemble(%s)", (published.id,))
    except psycopg.Error as error:
        if error.sqlstate != TestsFull.sqlstate:
            raise explain(error) from error
        reason = f"{explain(error).message}. {error.diag.message_detail}"
        return published, f"{reason} When a place is free, run: select test_ensemble({published.id});"
    return _describe_published(connection, published.id, "test"), None


def _describe_published(connection: psycopg.Connection, ensemble: int, publish_as: str) -> Published:
    """The ensemble as it is stored now."""
    weight, state = connection.execute(_STORED, (ensemble,)).fetchone() or (None, publish_as)
    shown = _STATES[state]
    if state != publish_as:
        shown += f" already (not changed to {_STATES[publish_as]})"
    return Published(ensemble, weight, shown)


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
