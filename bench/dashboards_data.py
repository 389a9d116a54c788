"""The database for docs/how-to/query.md: two weeks of BTCUSDT, as if they had been predicted live.

It is built from the exchange's files of March and April 2026, at the times of the candles. Models of 16 April are
active, models of 23 April are on test. The last 28 hours are real run_inference() calls, one session each, as in
pg_cron. Earlier days are predict_range(), stored two seconds after the end of their candles. Four minutes of candles
are missing, and inference is switched off for five minutes, to show gaps. ``present`` copies the database and shifts
all times, so that its last minute is now.
"""

import re
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from bench.database import address, scratch_database
from bench.figures import progress
from bench.processes import CANDLECAST, migrate, run
from candlecast.client.database import connect

PREPARED, PRESENT = "candlecast_fortnight", "candlecast_dashboards"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIVE_FROM, TEST_FROM, END = (datetime(2026, *day, tzinfo=UTC) for day in ((4, 16), (4, 23), (5, 1)))
RUNS_FROM = END - 28 * HOUR
#: These candles are deleted. They prevent predictions for 209 minutes after the first one.
GAP = (END - 27 * HOUR, END - 27 * HOUR + 4 * MINUTE)
SWITCHED_OFF = (END - 9 * HOUR, END - 9 * HOUR + 5 * MINUTE)

_COLUMNS = """symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
    mamba_close, lgbm_close, confidence, probability_up, lower_price, upper_price, abstained, out_of_distribution,
    furthest_feature"""
_BACKTEST = f"""
insert into predictions ({_COLUMNS}, created_at)
select {_COLUMNS}, candle_time + interval '62 seconds'
from predict_range('BTCUSDT', %s, %s, %s)
order by candle_time, horizon"""
#: Shift each run to the end of its candle. Its duration does not change.
_REPLAYED = """
update predictions as made
set created_at = made.candle_time + interval '1 minute' + (run.finished_at - run.started_at)
from inference_runs as run
where run.started_at > %(since)s and run.symbol = made.symbol and run.ensemble_id = made.ensemble_id
    and run.candle_time = made.candle_time and run.status = 'predicted';
update inference_runs
set started_at = candle_time + interval '1 minute',
    finished_at = candle_time + interval '1 minute' + (finished_at - started_at)
where started_at > %(since)s"""
_DEPLOYED = """
update active_ensembles
set created_at = %(at)s, changed_at = %(at)s, activated_at = case when is_active then %(at)s end
where id = %(id)s;
update ensemble_events set at_time = %(at)s, recorded_at = %(at)s where ensemble_id = %(id)s;
update model_versions set trained_at = %(at)s, created_at = %(at)s
from active_ensembles as ensemble
where ensemble.id = %(id)s and model_versions.id in (mamba_version_id, lgbm_version_id);
update training_runs set finished_at = %(at)s, started_at = %(at)s + (started_at - finished_at)
where ensemble_id = %(id)s"""
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?=\+00)")
_TIMES = """
select columns.table_name, array_agg(columns.column_name::text)
from information_schema.columns
inner join information_schema.tables using (table_schema, table_name)
where table_schema = 'public' and table_type = 'BASE TABLE' and data_type = 'timestamp with time zone'
group by columns.table_name"""


def present(files: Sequence[Path]) -> str:
    """The URL of a copy whose newest candle has just closed, with hourly sums. With files, everything is rebuilt."""
    if files:
        with scratch_database(PREPARED, keep=True) as prepared:
            prepare(prepared, files)
    with connect() as admin:
        admin.execute(f"drop database if exists {PRESENT} with (force)")
        admin.execute(f"create database {PRESENT} template {PREPARED}")
        url = address(admin, PRESENT)
    migrate(url)
    with superuser(url) as db:
        # The copy takes seconds. The newest minute closes at the end of the next full minute.
        ends_at = (datetime.now(UTC) + timedelta(seconds=45)).replace(second=0, microsecond=0) + MINUTE
        later = ends_at - END
        for table, columns in db.execute(_TIMES).fetchall():
            moved = sql.SQL(", ").join(
                sql.SQL("{0} = {0} + {1}").format(sql.Identifier(column), sql.Literal(later)) for column in columns
            )
            db.execute(sql.SQL("update {} set {}").format(sql.Identifier(table), moved))
        for (error,) in db.execute("select distinct error from inference_runs where error is not null").fetchall():
            shifted = _TIME.sub(lambda found: str(datetime.fromisoformat(found[0]) + later), error)
            db.execute("update inference_runs set error = %s where error = %s", [shifted, error])
        db.execute("vacuum (full, analyze)")
        db.execute("call aggregate_hours()")
        db.execute("analyze")
        time.sleep(max(0.0, (ends_at - datetime.now(UTC)).total_seconds()) + 5)
    return url


def prepare(url: str, files: Sequence[Path]) -> None:
    """Fill the migrated, empty database at this URL."""
    load = ("load", *map(str, files), "--symbol", "BTCUSDT")
    run(url, *CANDLECAST, *load)
    with tempfile.TemporaryDirectory(prefix="candlecast-fortnight-") as models, superuser(url) as db:
        training = ("--symbol", "BTCUSDT", "--threads", "1", "--time-budget-minutes", "1", "--models-dir", models)
        run(url, *CANDLECAST, "train", *training, "--to", str(LIVE_FROM.date()), "--publish", "active")
        db.execute("delete from candles_1m where open_time >= %s", [TEST_FROM])
        run(url, *CANDLECAST, "retrain", *training, "--max-candle-age-hours", "1000000")
        run(url, *CANDLECAST, *load)
        db.execute("delete from candles_1m where open_time >= %s and open_time < %s", GAP)
        ensembles = [row[0] for row in db.execute("select id from active_ensembles order by id")]
        for ensemble, since in zip(ensembles, (LIVE_FROM, TEST_FROM), strict=True):
            with psycopg.ClientCursor(db) as cursor:  # it allows several statements with parameters
                cursor.execute(_DEPLOYED, {"id": ensemble, "at": since})
            db.execute(_BACKTEST, [since, RUNS_FROM, ensemble])
        db.execute("analyze")
        for night in range((RUNS_FROM - TEST_FROM).days):
            evaluate(db, TEST_FROM + (night + 1) * DAY)
        last_midnight = END - DAY
        replay(url, db, RUNS_FROM, last_midnight + 10 * MINUTE)
        evaluate(db, last_midnight)
        replay(url, db, last_midnight + 10 * MINUTE, END)


def superuser(url: str) -> psycopg.Connection:
    """A connection without triggers, so that it may change times."""
    return psycopg.connect(url, autocommit=True, options="-c session_replication_role=replica")


def evaluate(db: psycopg.Connection, midnight: datetime) -> None:
    """The daily comparison that pg_cron calls at 00:10."""
    at = midnight + 10 * MINUTE
    with psycopg.connect(db.info.dsn, autocommit=True) as session:
        session.execute("select from evaluate_ab(%s)", [at])
    db.execute("update ab_evaluations set evaluated_at = %(at)s where at_time = %(at)s", {"at": at})
    db.execute("update ensemble_events set recorded_at = %(at)s where at_time = %(at)s", {"at": at})


def replay(url: str, db: psycopg.Connection, start: datetime, end: datetime) -> None:
    """Call run_inference() for every minute from ``start`` to ``end``, each in a new session."""
    since = datetime.now(UTC)
    minutes = [start + number * MINUTE for number in range((end - start) // MINUTE)]
    with progress("Runs") as on_step:
        for number, candle_time in enumerate(minutes):
            off = SWITCHED_OFF[0] <= candle_time < SWITCHED_OFF[1]
            with psycopg.connect(url, autocommit=True) as session:
                session.execute("update ml_settings set value = %s where name = 'enabled'", ["false" if off else None])
                session.execute("call run_inference(%s)", [candle_time])
            on_step(number + 1, len(minutes), "")
    with psycopg.ClientCursor(db) as cursor:
        cursor.execute(_REPLAYED, {"since": since})
