"""Fills a throw-away database: the schema's own jobs stopped, 60 days of generated candles, a trained pair."""

import tempfile
from pathlib import Path

from rich.console import Console

from candlecast.client.database import connect
from candlecast.client.progress import shown
from candlecast.trainer.models.training import TrainingOptions
from candlecast.trainer.operation.train import train

DAYS = 60
_STOP_JOBS = "select cron.alter_job(jobid, active := false) from cron.job"
#: Left active, it would make run_inference() wait for candles that do not come.
_RETIRE = "update active_ensembles set is_active = false where symbol = 'DEMO'"


def fill_and_train(url: str | None, minutes: float, seed: int, console: Console) -> None:
    """DEMO candles and a pair trained on them as `candlecast train` does; what is there already stays."""
    with connect(url) as db:
        if db.execute("select to_regclass('cron.job')").fetchone() != (None,):
            db.execute(_STOP_JOBS)
        with shown(console, "Generated candles"):
            db.execute("select generate_demo_candles(now(), %s)", [DAYS])
        if db.execute("select 1 from active_ensembles where symbol = 'DEMO'").fetchone():
            db.execute(_RETIRE)
            return
    with tempfile.TemporaryDirectory(prefix="candlecast-bench-models-") as folder:
        train(
            symbol="DEMO",
            from_time=None,
            to_time=None,
            test_from=None,
            time_budget_minutes=minutes,
            seed=seed,
            mamba_seeds=TrainingOptions().mamba_seeds,
            threads=2,
            publish_as="active",
            models=Path(folder),
            database_url=url,
        )
    with connect(url) as db:
        db.execute(_RETIRE)
