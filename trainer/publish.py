"""``candlecast publish``: two versions from disk into the database, joined and live, in one transaction."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from trainer.artifacts import read_version
from trainer.database import connect, explain
from trainer.errors import CandlecastUserError


@dataclass(frozen=True)
class Published:
    """An ensemble as the database has it."""

    id: int
    mamba_weight: Decimal | None  #: four decimals; None: as ml_settings says
    state: str  #: 'active' or 'on test'

    def __str__(self) -> str:
        weight = "from ml_settings" if self.mamba_weight is None else self.mamba_weight
        return f"Ensemble {self.id} is {self.state}; Mamba's weight: {weight}"


def publish(
    mamba_folder: Path,
    lgbm_folder: Path,
    publish_as: str = "active",
    mamba_weight: float | None = None,
    database_url: str | None = None,
) -> Published:
    """Register both versions, create their ensemble, make it 'active' or put it on 'test'.

    Files are held to the sha256s of their facts first. Either all of it happens or nothing; doing
    it again changes nothing. Raises CandlecastUserError, with the database's reason and hint where it refuses.
    """
    if publish_as not in ("active", "test"):
        raise CandlecastUserError(f"a version is published as active or test, not {publish_as!r}")
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
    with connect(database_url) as connection:
        try:
            with connection.transaction():
                ids = [_register(connection, *version) for version in versions]
                ensemble = _value(
                    connection,
                    "select create_ensemble(%s, %s, %s::numeric, is_test => %s)",
                    (*ids, mamba_weight, publish_as == "test"),
                )
                if publish_as == "active":
                    connection.execute("select activate_ensemble(%s)", (ensemble,))
                stored = "select mamba_weight from active_ensembles where id = %s"
                (weight,) = connection.execute(stored, (ensemble,)).fetchone() or (None,)
        except psycopg.Error as error:
            raise explain(error) from error
    return Published(ensemble, weight, "active" if publish_as == "active" else "on test")


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
