"""Databases for benchmarks, the models trained there, and copies of their ensembles."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import conninfo

from bench.figures import progress
from bench.processes import migrate
from candlecast.client.database import connect
from candlecast.trainer.models.training import TrainingOptions
from candlecast.trainer.train import train

_STOP_JOBS = "select cron.alter_job(jobid, active := false) from cron.job"
#: If DEMO stays active, run_inference() waits for candles that do not arrive.
_RETIRE = "update active_ensembles set is_active = false where symbol = 'DEMO'"
_NEWEST = """
select mamba_version_id, lgbm_version_id, coalesce(mamba_weight, 0.5)::float8, calibration, golden::text, symbol
from active_ensembles
where symbol <> %s order by is_active desc, id desc limit 1"""
_COPY = """
select register_model(
    model_type, %(version)s, %(symbol)s, model_path, facts || jsonb_build_object('symbol', %(symbol)s::text),
    (select array_agg(name order by name) from model_artifacts where model_version_id = measured.id),
    (select array_agg(content order by name) from model_artifacts where model_version_id = measured.id)
)
from model_versions as measured where id = %(id)s"""


class Ensemble(NamedTuple):
    """The measured models, their weight, calibration and test vectors."""

    mamba: int
    lgbm: int
    weight: float
    calibration: str | None
    golden: str | None
    trained_on: str

    @classmethod
    def newest(cls, db: psycopg.Connection, but: str = "") -> "Ensemble":
        """The active ensemble, else the newest one, of any symbol except ``but``."""
        found = db.execute(_NEWEST, [but]).fetchone()
        if found is None:
            raise SystemExit("there is no ensemble to measure. Run candlecast train --publish active")
        return cls(*found)

    def copied(self, db: psycopg.Connection, symbol: str, version: str) -> "Ensemble":
        """The same models as new versions, which share nothing in a session's cache."""
        names = {"version": version, "symbol": symbol}
        mamba, lgbm = (db.execute(_COPY, names | {"id": one}).fetchone()[0] for one in (self.mamba, self.lgbm))
        return self._replace(mamba=mamba, lgbm=lgbm)

    def create(self, db: psycopg.Connection, symbol: str, *, is_test: bool = False) -> int:
        """Create an inactive ensemble of these models for a symbol. Returns its id."""
        values = [self.mamba, self.lgbm, self.weight, is_test, symbol, self.calibration, self.golden]
        return db.execute("select create_ensemble(%s, %s, %s, %s, %s, %s, %s)", values).fetchone()[0]


def fill_and_train(url: str | None, minutes: float, seed: int, days: int = 60) -> None:
    """Stop the schema's jobs, generate DEMO candles, and train an ensemble on them unless one exists."""
    with connect(url) as db:
        if db.execute("select to_regclass('cron.job')").fetchone() != (None,):
            db.execute(_STOP_JOBS)
        with progress("Generated candles"):
            db.execute("select generate_demo_candles(now(), %s)", [days])
        if not db.execute("select 1 from active_ensembles where symbol = 'DEMO'").fetchone():
            with tempfile.TemporaryDirectory(prefix="candlecast-bench-models-") as folder:
                train(
                    symbol="DEMO", from_time=None, to_time=None, test_from=None, time_budget_minutes=minutes, seed=seed,
                    mamba_seeds=TrainingOptions().mamba_seeds, threads=2, publish_as="active", models=Path(folder),
                    database_url=url,
                )  # fmt: skip
        db.execute(_RETIRE)


def address(db: psycopg.Connection, name: str) -> str:
    """The URL of another database of the same server, for psql too."""
    known = conninfo.conninfo_to_dict(db.info.dsn)
    known.pop("sslcertmode", None)  # psycopg's libpq is newer than psql's, which would reject it
    return conninfo.make_conninfo(**known | {"password": db.info.password or None, "dbname": name})


@contextmanager
def scratch_database(name: str, *, keep: bool = False) -> Iterator[str]:
    """A new, migrated database on the same server, dropped afterwards. DATABASE_URL must be a superuser's."""
    with connect() as admin:
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name}")
        try:
            migrate(address(admin, name))
            yield address(admin, name)
        finally:
            if not keep:
                admin.execute(f"drop database if exists {name} with (force)")
