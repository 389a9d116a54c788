"""``candlecast publish``: two versions from disk into the database, joined and live, in one transaction."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from trainer.database import connect, explain
from trainer.errors import CandlecastUserError
from trainer.models.artifacts import CALIBRATION, read_ensemble, read_version


@dataclass(frozen=True)
class Published:
    """An ensemble as the database has it."""

    id: int
    mamba_weight: Decimal | None  #: four decimals; None: as ml_settings says
    state: str  #: 'active' or 'on test'

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
    """Register both versions, create their ensemble, make it 'active' or put it on 'test'.

    ``calibrated``: calibration.json and the golden rows of the pair with this weight; without them there are no
    probabilities and no intervals. Files are held to the sha256s of their facts first. Either all of it happens or
    nothing, within the transaction that a given ``connection`` is in; doing it again changes nothing. Raises
    CandlecastUserError, with the database's reason and hint where it refuses.
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
                stored = "select mamba_weight, is_active from active_ensembles where id = %s"
                weight, is_active = opened.execute(stored, (ensemble,)).fetchone() or (None, False)
        except psycopg.Error as error:
            raise explain(error) from error
    state = "active" if publish_as == "active" else "active already, so not on test" if is_active else "on test"
    return Published(ensemble, weight, state)


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
