"""Health, metrics, the page and every documented query with 20 million predictions.

    python -m bench scale                    20 million predictions, three years of candles of three symbols: 10 GB
    python -m bench scale --rows 1000000     a small run of a minute or two
    python -m bench scale --keep             keeps the database candlecast_scale
    python -m bench scale --filled           measures the database of --keep

It needs a superuser's URL of a throw-away cluster. It creates a database there and drops it afterwards.
bench/scale_data.py describes the data.
"""

import re
from contextlib import nullcontext
from typing import Annotated, Any

import psycopg
import typer
from psycopg.rows import dict_row

from bench.dashboards import PAGE, parse_questions
from bench.database import address, scratch_database
from bench.figures import Figure, Limit, OnStep, milliseconds, progress
from bench.first_paint import chromium, painting
from bench.processes import ROOT
from bench.scale_data import SYMBOLS, fill
from candlecast.client.database import connect
from candlecast.web import page_queries

DATABASE = "candlecast_scale"
HEALTH, QUERY = (Limit("p99", 100.0),), (Limit("max", 1_000.0),)
PREDICTION = (Limit("median", 6.0), Limit("p99", 15.0))
#: The queries of docs/explanation/drift.md.
MEASURED = re.compile(r"^(select .* from (feature_drift|consistency_checks) .*);$", flags=re.MULTILINE)
#: Number of newest candles that are removed, then inserted again one by one.
PREDICTED = 150
_TABLES = ("predictions", "candles_1m", "inference_runs", "predictions_hourly", "runs_hourly", "active_ensembles")
_SIZE = "select format('%s rows, %s', count(*), pg_size_pretty(pg_total_relation_size('{0}'))) from {0}"
_TAKE_OUT = f"""
create temp table later as
select * from candles_1m where symbol = '{SYMBOLS[0]}' order by open_time desc limit {PREDICTED};
alter table later drop column taker_buy_ratio;
delete from predictions where symbol = '{SYMBOLS[0]}' and candle_time >= (select min(open_time) from later);
delete from candles_1m where symbol = '{SYMBOLS[0]}' and open_time >= (select min(open_time) from later)"""
_COLUMNS = """
select string_agg(attname, ', ' order by attnum) from pg_attribute
where attrelid = 'later'::regclass and attnum > 0 and not attisdropped"""
#: Shorten the retention, so that one day of the stored predictions expires.
_KEEP_A_DAY_LESS = """
update ml_settings
set value = (select format('%s d', round(extract(epoch from now() - min(candle_time)) / 86400 - 1, 3)) from predictions)
where name = 'keep_predictions'"""


def main(
    rows: Annotated[int, typer.Option(min=500_000, help="Number of predictions.")] = 20_000_000,
    keep: Annotated[bool, typer.Option("--keep", help="Do not drop the database.")] = False,
    filled: Annotated[bool, typer.Option("--filled", help="Measure the existing database of --keep.")] = False,
) -> list[Figure]:
    """Fill a database, and measure the queries that read it every day."""
    chromium()  # fail before the long work, not after it
    with connect() as admin:
        database = nullcontext(address(admin, DATABASE)) if filled else scratch_database(DATABASE, keep=keep)
    figures: list[Figure] = []
    with database as url, psycopg.connect(url, autocommit=True) as db:
        if not filled:
            with progress("Filling") as on_step:
                fill(url, rows, on_step)
            figures.append(_seconds(db, "aggregate_hours(), the first time", "call aggregate_hours()"))
            db.execute("analyze predictions_hourly, runs_hourly")
        sizes = [f"{name}: {db.execute(_SIZE.format(name)).fetchone()[0]}" for name in _TABLES]
        for title, measure in (("Reading", reading), ("Loading the page", painting), ("Writing", writing)):
            with progress(title) as on_step:
                figures += measure(url, on_step)
    figures[0].note = "; ".join(sizes)
    return figures


def reading(url: str, on_step: OnStep) -> list[Figure]:
    """The queries of a reader: the service, the page, the documented queries."""
    documented = parse_questions(PAGE.read_text(encoding="utf-8"))
    measured = MEASURED.findall((ROOT / "docs" / "explanation" / "drift.md").read_text(encoding="utf-8"))
    if {table for _, table in measured} != {"feature_drift", "consistency_checks"}:
        raise ValueError(
            "docs/explanation/drift.md needs a one-line query of feature_drift and one of consistency_checks"
        )
    page = [(name, query) for name, query in vars(page_queries).items() if name.isupper() and isinstance(query, str)]
    reads = [
        ("health()", "select health()", 200, HEALTH),
        ("metrics()", "select * from metrics()", 50, QUERY),
        ("monitoring_metrics()", "select * from monitoring_metrics()", 50, QUERY),
        *((f"page: {name.lower()}", query, 20, QUERY) for name, query in page),
        *((f"dashboards.md: {one.title}", one.query, 10, QUERY) for one in documented),
        *((f"drift.md: {table}", query, 10, QUERY) for query, table in measured),
    ]
    figures = []
    about: dict[str, Any] = {"symbol": SYMBOLS[0]}
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set session authorization candlecast_reader")
        with db.cursor(row_factory=dict_row) as cursor:
            about |= cursor.execute(page_queries.NEWEST, about).fetchone()
        for number, (what, query, runs, limits) in enumerate(reads):
            values = about if "%(" in query else None
            samples = [milliseconds(lambda: db.execute(query, values).fetchall()) for _ in range(runs)]  # noqa: B023
            figures.append(Figure(what, "ms", samples, limits))
            on_step(number + 1, len(reads), what)
    return figures


def writing(url: str, on_step: OnStep) -> list[Figure]:
    """A prediction in a warm session, the hourly sums, and pruning of one day."""
    samples = []
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_TAKE_OUT)
        columns = db.execute(_COLUMNS).fetchone()[0]
        insert = f"insert into candles_1m ({columns}) select {columns} from later where open_time = %s"
        predict = f"select * from predict_now('{SYMBOLS[0]}')"
        for candle_time in db.execute("select open_time from later order by open_time").fetchall():
            db.execute(insert, candle_time)
            samples.append(milliseconds(lambda: db.execute(predict).fetchall()))
            on_step(len(samples), PREDICTED, "predict_now()")
        hourly = _seconds(db, "aggregate_hours(), hourly", "call aggregate_hours()")
        db.execute(_KEEP_A_DAY_LESS)
        (before,) = db.execute("select count(*) from predictions").fetchone()
        pruning = _seconds(db, "prune_history(), rows of one day", "call prune_history()")
        (after,) = db.execute("select count(*) from predictions").fetchone()
        pruning.note = f"{before - after:,} predictions"
    return [Figure("predict_now() on a new candle, warm session", "ms", samples[20:], PREDICTION), hourly, pruning]


def _seconds(db: psycopg.Connection, what: str, statement: str) -> Figure:
    """A figure with one sample."""
    return Figure(what, "s", [milliseconds(lambda: db.execute(statement)) / 1000])
