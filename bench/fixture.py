"""The data of a benchmark: the symbol BENCH, its ensemble and candles, and the baseline's files and table.

Nothing else in the database is changed, and ``close()`` removes everything.
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
#: Age of the newest candles in minutes. run_inference() skips symbols that are stale for over an hour, so pg_cron's job
#: of an installation skips BENCH.
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
_REMOVE_MINUTE = (
    "delete from predictions where symbol = %s and candle_time = to_timestamp(%s)",
    "delete from bench_predictions where symbol = %s and candle_time = to_timestamp(%s)",
    "delete from candles_1m where symbol = %s and open_time = to_timestamp(%s)",
)
_REMOVE = (
    "delete from predictions where symbol = %(symbol)s",
    "delete from inference_runs where symbol = %(symbol)s",
    "delete from ensemble_events where symbol = %(symbol)s",
    # The two tables have foreign keys to each other. Keys are checked at the end of a statement.
    """
    with evaluated as (delete from ab_evaluations where symbol = %(symbol)s)
    delete from active_ensembles where symbol = %(symbol)s""",
    "delete from model_versions where symbol = %(symbol)s",
    "delete from candles_1m where symbol = %(symbol)s",
    "drop table if exists bench_predictions",
)


class Fixture:
    """The benchmark's symbol. ``db`` is the feeder: a separate connection in autocommit mode."""

    def __init__(self, history: int = OVER_AN_HOUR, url: str | None = None) -> None:
        """Start with 1,500 candles that end ``history`` minutes before now. Later candles are fed one by one."""
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
        """Add ``count`` ensembles on test. Each has its own versions, which are copies of the measured ones."""
        copies = [self.measured.copied(self.db, SYMBOL, f"copy {number + 1}") for number in range(count)]
        made = [copy.create(self.db, SYMBOL, is_test=True) for copy in copies]
        yield
        for ensemble in made:
            self.db.execute("select withdraw_ensemble(%s)", [ensemble])

    def feed(self, until: int) -> int:
        """Commit the candles before minute ``until``. Returns the newest open_time in epoch seconds."""
        if until > self.minute:
            made = generate(self.minute, until, self._close)
            columns = [made["minute"].tolist(), *(made[name].tolist() for name in _COLUMNS)]
            self.db.execute(_INSERT, columns)
            self._closes = [self._close, *columns[4]][-2:]
            self.minute, self._close = until, self._closes[-1]
        return (self.minute - 1) * MINUTE

    def next_candle(self) -> int:
        """Commit the next candle. Returns its open_time in epoch seconds."""
        return self.feed(self.minute + 1)

    def remove_newest(self) -> None:
        """Remove the newest candle and its predictions. The next candle will be the same."""
        newest = (self.minute - 1) * MINUTE
        for statement in _REMOVE_MINUTE:
            self.db.execute(statement, [SYMBOL, newest])
        self.minute, self._close = self.minute - 1, self._closes[0]

    def connect(self) -> psycopg.Connection:
        """A new session in autocommit mode."""
        return psycopg.connect(self.url, autocommit=True)

    @contextmanager
    def baseline(self, runtime: str = "onnx") -> Iterator["Baseline"]:
        """The baseline as a new process with one thread, like the server. It ends when its input is closed."""
        command = [
            sys.executable, str(Path(__file__).with_name("baseline.py")), "--database-url", self.url, "--models",
            str(self.folder), "--symbol", SYMBOL, "--weight", str(self.measured.weight), "--runtime", runtime,
        ]  # fmt: skip
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with Baseline(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.answer()
            yield process

    def close(self) -> None:
        """Remove everything that the benchmark created."""
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
    """The baseline's process. It reads lines of text and answers with lines of JSON."""

    def request(self, command: str) -> dict[str, Any]:
        """Send a command and wait for its answer."""
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
            raise SystemExit(f"the baseline exited with status {self.wait()}. See its message above")
        return json.loads(line)


def remove(db: psycopg.Connection, symbol: str) -> None:
    """Remove all rows of a benchmark's symbol."""
    retire = "update active_ensembles set is_active = false where symbol = %s and is_active"
    if db.execute(retire, [symbol]).rowcount:
        time.sleep(1)  # wait for a run of pg_cron that started before, so that its row is removed too
    with db.transaction():
        for statement in _REMOVE:
            db.execute(statement, {"symbol": symbol} if "%" in statement else None)


@contextmanager
def with_runtime(connection: psycopg.Connection, runtime: str) -> Iterator[None]:
    """A transaction in which only this session uses ``runtime`` for Mamba. It is rolled back."""
    with connection.transaction(force_rollback=True):
        connection.execute("update ml_settings set value = %s where name = 'mamba_runtime'", [runtime])
        yield
