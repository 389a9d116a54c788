"""What is measured on: a symbol of the benchmark's own, its ensemble, its candles, and the baseline's files and table.

Nothing else in the database is written, and ``close()`` removes all of it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench.database import Ensemble
from candlecast.client.database import connect
from candlecast.core.candle_columns import NUMBERS
from candlecast.server.demo.candles import generate

SYMBOL = "BENCH"
MINUTE = 60
#: Minutes that the newest candles stay behind the clock: run_inference() skips symbols that are over an hour old,
#: so a pg_cron job of an installation leaves BENCH alone.
OVER_AN_HOUR = 120
PREDICT_NOW = f"select * from predict_now('{SYMBOL}')"
_COLUMNS = (*NUMBERS, "number_of_trades")
_INSERT = f"""
insert into candles_1m (symbol, open_time, {", ".join(_COLUMNS)})
select '{SYMBOL}', to_timestamp(minute * 60), {", ".join(_COLUMNS)}
from unnest(%s::bigint[], {"%s::float8[], " * 8}%s::bigint[]) as made (minute, {", ".join(_COLUMNS)})"""
_BASELINE_TABLE = """
create table bench_predictions (
    symbol text, candle_time timestamptz, horizon int, reference_close float8, predicted_close float8,
    predicted_price float8, mamba_close float8, lgbm_close float8, confidence float8,
    probability_up float8, lower_price float8, upper_price float8, furthest_feature text,
    created_at timestamptz default now(),
    primary key (symbol, candle_time, horizon)
)"""
_TAKE_BACK = (
    "delete from predictions where symbol = %s and candle_time = to_timestamp(%s)",
    "delete from bench_predictions where symbol = %s and candle_time = to_timestamp(%s)",
    "delete from candles_1m where symbol = %s and open_time = to_timestamp(%s)",
)
_REMOVE = (
    "delete from predictions where symbol = %(symbol)s",
    "delete from inference_runs where symbol = %(symbol)s",
    "delete from ensemble_events where symbol = %(symbol)s",
    # These name each other, and a statement's keys are checked at its end.
    """
    with evaluated as (delete from ab_evaluations where symbol = %(symbol)s)
    delete from active_ensembles where symbol = %(symbol)s""",
    "delete from model_versions where symbol = %(symbol)s",
    "delete from candles_1m where symbol = %(symbol)s",
    "drop table if exists bench_predictions",
)


class Fixture:
    """The benchmark's symbol. ``db`` is the feeder: a connection of its own, in autocommit mode."""

    def __init__(self, history: int = OVER_AN_HOUR, url: str | None = None) -> None:
        """Candles up to ``history`` minutes before now are still to come; 1,500 minutes lie before them."""
        self.db = connect(url)
        self.url = self.db.info.dsn
        self.folder = Path(tempfile.mkdtemp(prefix="candlecast-bench-"))
        self.measured = Ensemble.newest(self.db, SYMBOL)
        remove(self.db, SYMBOL)
        self.db.execute(_BASELINE_TABLE)
        self.ensemble = self.measured.create(self.db, SYMBOL)
        self.db.execute("select activate_ensemble(%s)", [self.ensemble])
        self._write_models()
        self.minute = int(time.time()) // MINUTE - history - 1_500
        self._close: float | None = None
        self._closes: list[float | None] = []
        self.feed(self.minute + 1_500)

    @contextmanager
    def tests(self, count: int) -> Iterator[None]:
        """So many test ensembles beside the active one, each of versions of its own that cost what the measured do."""
        copies = [self.measured.copied(self.db, SYMBOL, f"copy {number + 1}") for number in range(count)]
        made = [copy.create(self.db, SYMBOL, is_test=True) for copy in copies]
        yield
        for ensemble in made:
            self.db.execute("select withdraw_ensemble(%s)", [ensemble])

    def feed(self, until: int) -> int:
        """Commit the candles before minute ``until``; returns the newest open_time in epoch seconds."""
        if until > self.minute:
            made = generate(self.minute, until, self._close)
            columns = [made["minute"].tolist(), *(made[name].tolist() for name in _COLUMNS)]
            self.db.execute(_INSERT, columns)
            self._closes = [self._close, *columns[4]][-2:]
            self.minute, self._close = until, self._closes[-1]
        return (self.minute - 1) * MINUTE

    def next_candle(self) -> int:
        """Commit one candle more; returns its open_time in epoch seconds."""
        return self.feed(self.minute + 1)

    def take_back(self) -> None:
        """Remove the newest candle and what was predicted from it; the next candle is the same again."""
        newest = (self.minute - 1) * MINUTE
        for statement in _TAKE_BACK:
            self.db.execute(statement, [SYMBOL, newest])
        self.minute, self._close = self.minute - 1, self._closes[0]

    def connect(self) -> psycopg.Connection:
        """A new session in autocommit mode."""
        return psycopg.connect(self.url, autocommit=True)

    @contextmanager
    def baseline(self, runtime: str = "onnx") -> Iterator["Baseline"]:
        """The baseline as a new process that is ready, one thread like the server's own; it ends with its input."""
        command = [
            sys.executable, str(Path(__file__).with_name("baseline.py")), "--database-url", self.url, "--models",
            str(self.folder), "--symbol", SYMBOL, "--weight", str(self.measured.weight), "--runtime", runtime,
        ]  # fmt: skip
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with Baseline(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.answer()
            yield process

    def close(self) -> None:
        """Remove everything that the benchmark made."""
        remove(self.db, SYMBOL)
        self.db.close()
        shutil.rmtree(self.folder)

    def _write_models(self) -> None:
        if self.measured.calibration is not None:
            (self.folder / "calibration.json").write_text(self.measured.calibration)
        for model_type, version_id in (("mamba", self.measured.mamba), ("lgbm", self.measured.lgbm)):
            folder = self.folder / model_type
            folder.mkdir()
            files = "select name, content from model_artifacts where model_version_id = %s"
            for name, content in self.db.execute(files, [version_id]):
                (folder / name).write_bytes(content)
            facts = self.db.execute("select facts from model_versions where id = %s", [version_id]).fetchone()[0]
            (folder / "facts.json").write_text(json.dumps(facts))


class Baseline(subprocess.Popen):
    """The baseline's process: lines of JSON for lines of text."""

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command, wait for its answer."""
        self.send(command)
        return self.answer()

    def send(self, command: str) -> None:
        """Send a command."""
        self.stdin.write(f"{command}\n")
        self.stdin.flush()

    def answer(self) -> Any:
        """The next answer."""
        line = self.stdout.readline()
        if not line:
            raise SystemExit(f"the baseline ended with status {self.wait()}: its message is above")
        return json.loads(line)


def remove(db: psycopg.Connection, symbol: str) -> None:
    """Take away all that the database has of a benchmark's symbol."""
    retire = "update active_ensembles set is_active = false where symbol = %s and is_active"
    if db.execute(retire, [symbol]).rowcount:
        time.sleep(1)  # a run of pg_cron's that still saw it has written its row by then
    with db.transaction():
        for statement in _REMOVE:
            db.execute(statement, {"symbol": symbol} if "%" in statement else None)


@contextmanager
def with_runtime(connection: psycopg.Connection, runtime: str) -> Iterator[None]:
    """A transaction in which this session alone runs Mamba by ``runtime``; it is rolled back."""
    with connection.transaction(force_rollback=True):
        connection.execute("update ml_settings set value = %s where name = 'mamba_runtime'", [runtime])
        yield
