"""Health, metrics, the page and every documented query beside 20 million predictions: ``python -m bench.scale``.

    python -m bench.scale                    20 million predictions, three years of candles of three symbols: 10 GB
    python -m bench.scale --rows 1000000     a minute or two: to see that it works
    python -m bench.scale --keep             leaves the database candlecast_scale there, to look into
    python -m bench.scale --filled           measures what --keep left

It needs a superuser's URL of a throw-away server (--database-url, else DATABASE_URL), makes a database of its own there
and drops it. Exit status 1: a limit was missed. bench/scale_fill.py says what is in it.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from monitor import queries
from psycopg import conninfo, sql
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from bench.dashboards import PAGE, asked
from bench.first_paint import chromium, painting
from bench.report import Figure, Limit, machine
from bench.scale_fill import SYMBOLS, fill
from candlecast.client.progress import shown

DATABASE = "candlecast_scale"
SYMBOL = SYMBOLS[0]
HEALTH, QUERY = (Limit("p99", 100.0),), (Limit("max", 1_000.0),)
PREDICTION = (Limit("median", 6.0), Limit("p99", 15.0))
#: What docs/drift.md asks of its two tables.
MEASURED = re.compile(r"^(select .* from (feature_drift|consistency_checks) .*);$", flags=re.MULTILINE)
#: The newest candles, taken out and given back one by one.
PREDICTED = 150


def main(
    database_url: Annotated[str, typer.Option(envvar="DATABASE_URL", help="A superuser's, of a throw-away server.")],
    rows: Annotated[int, typer.Option(min=500_000, help="Predictions.")] = 20_000_000,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the database there.")] = False,
    filled: Annotated[bool, typer.Option("--filled", help="It is there already: measure.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure and sample there.")] = None,
) -> None:
    """Fill a database, and measure what is read from it every day."""
    chromium()  # before all that work, not after it
    err = Console(stderr=True)
    url = conninfo.make_conninfo(database_url, dbname=DATABASE)
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(DATABASE))
    figures: list[Figure] = []
    with psycopg.connect(database_url, autocommit=True) as admin:
        if not filled:
            admin.execute(drop)
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            with shown(err, "Filling") as on_step:
                fill(url, rows, on_step)
        try:
            with psycopg.connect(url, autocommit=True) as db:
                if not filled:
                    figures.append(
                        timed("aggregate_hours(), the first time", lambda: db.execute("call aggregate_hours()"))
                    )
                    db.execute("analyze predictions_hourly, runs_hourly")
                facts = machine(db, tables=sizes(db))
            for title, measure in (("Reading", reading), ("Loading the page", painting), ("Writing", writing)):
                with shown(err, title) as on_step:
                    figures += measure(url, on_step)
        finally:
            if not keep and not filled:
                admin.execute(drop)
    report(figures, facts, json_file)
    if any(figure.missed() for figure in figures):
        raise typer.Exit(1)


def reading(url: str, on_step: Callable[[int, int, str], None]) -> list[Figure]:
    """What a reader asks: the service, the page, the documented queries."""
    documented = asked(PAGE.read_text(encoding="utf-8"))
    measured = MEASURED.findall(PAGE.with_name("drift.md").read_text(encoding="utf-8"))
    if {table for _, table in measured} != {"feature_drift", "consistency_checks"}:
        raise ValueError("docs/drift.md has no query, in one line, of each of its tables")
    page = [(name, query) for name, query in vars(queries).items() if name.isupper() and isinstance(query, str)]
    reads: list[tuple[str, str, int, Sequence[Limit]]] = [
        ("health()", "select health()", 200, HEALTH),
        ("metrics()", "select * from metrics()", 50, QUERY),
        ("monitoring_metrics()", "select * from monitoring_metrics()", 50, QUERY),
        *((f"page: {name.lower()}", query, 20, QUERY) for name, query in page),
        *((f"dashboards.md: {one.title}", one.query, 10, QUERY) for one in documented),
        *((f"drift.md: {table}", query, 10, QUERY) for query, table in measured),
    ]
    figures = []
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set session authorization candlecast_reader")
        about = {"symbol": SYMBOL}
        with db.cursor(row_factory=dict_row) as cursor:
            about |= cursor.execute(queries.NEWEST, about).fetchone()
        for number, (what, query, runs, limits) in enumerate(reads):
            samples = [milliseconds(db, query, about) for _ in range(runs)]
            figures.append(Figure(what, "ms", samples, limits))
            on_step(number + 1, len(reads), what)
    return figures


def writing(url: str, on_step: Callable[[int, int, str], None]) -> list[Figure]:
    """A prediction in a warm session, the hourly sums, a day's pruning."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "create temp table later as select * from candles_1m where symbol = %s order by open_time desc limit %s",
            [SYMBOL, PREDICTED],
        )
        db.execute("alter table later drop column taker_buy_ratio")
        db.execute(
            "delete from predictions where symbol = %s and candle_time >= (select min(open_time) from later)", [SYMBOL]
        )
        db.execute(
            "delete from candles_1m where symbol = %s and open_time >= (select min(open_time) from later)", [SYMBOL]
        )
        columns = ", ".join(
            name
            for (name,) in db.execute(
                "select attname from pg_attribute where attrelid = 'later'::regclass"
                " and attnum > 0 and not attisdropped order by attnum"
            )
        )
        samples = []
        for (candle_time,) in db.execute("select open_time from later order by open_time").fetchall():
            db.execute(
                f"insert into candles_1m ({columns}) select {columns} from later where open_time = %s", [candle_time]
            )
            samples.append(milliseconds(db, "select * from predict_now(%(symbol)s)", {"symbol": SYMBOL}))
            on_step(len(samples), PREDICTED + 2, "predict_now()")
        figures = [Figure("predict_now() on a new candle, warm session", "ms", samples[20:], PREDICTION)]
        figures.append(timed("aggregate_hours(), hourly", lambda: db.execute("call aggregate_hours()")))
        (oldest,) = db.execute(
            "select extract(epoch from now() - min(candle_time)) / 86400 from predictions"
        ).fetchone()
        db.execute("update ml_settings set value = %s where name = 'keep_predictions'", [f"{float(oldest) - 1:.3f} d"])
        (before,) = db.execute("select count(*) from predictions").fetchone()
        figures.append(timed("prune_history(), a day's rows", lambda: db.execute("call prune_history()")))
        (after,) = db.execute("select count(*) from predictions").fetchone()
        figures[-1].note = f"{before - after:,} predictions"
    return figures


def milliseconds(db: psycopg.Connection, query: str, about: dict[str, Any]) -> float:
    """One call, from its sending to its last row."""
    started = time.perf_counter()
    db.execute(query, about if "%(" in query else None).fetchall()
    return 1_000 * (time.perf_counter() - started)


def timed(what: str, work: Callable[[], object]) -> Figure:
    """A figure of one sample, in seconds."""
    started = time.perf_counter()
    work()
    return Figure(what, "s", [time.perf_counter() - started])


def sizes(db: psycopg.Connection) -> dict[str, str]:
    """Rows and bytes of the tables."""
    names = (
        "predictions", "candles_1m", "inference_runs", "predictions_hourly", "runs_hourly", "active_ensembles",
        "feature_drift", "consistency_checks",
    )  # fmt: skip
    query = "select format('%s rows, %s', (select count(*) from {0}), pg_size_pretty(pg_total_relation_size('{0}')))"
    return {name: db.execute(query.format(name)).fetchone()[0] for name in names}


def report(figures: Sequence[Figure], facts: dict, json_file: Path | None) -> None:
    """A row a figure."""
    output = Console()
    if not output.is_terminal:
        output = Console(width=150)
    table = Table(title="; ".join(f"{name}: {size}" for name, size in facts["tables"].items()))
    for title in ("what", "unit", "runs", "median", "p99", "max", "at most", "verdict", "note"):
        table.add_column(title, justify="left" if title in ("what", "verdict", "note") else "right")
    for figure in figures:
        statistics = [f"{figure.statistic(name):.1f}" for name in ("median", "p99", "max")]
        limits = ", ".join(f"{limit.statistic} {limit.at_most:.0f}" for limit in figure.limits)
        verdict = figure.verdict()
        table.add_row(figure.what, figure.unit, str(len(figure.samples)), *statistics, limits, verdict, figure.note)
    output.print(table, highlight=False)
    settings = ", ".join(f"{name} {value}" for name, value in facts["postgresql"].items())
    output.print(f"{facts['cores']} cores, {facts['processor']}, load {facts['load_average']}; PostgreSQL: {settings}")
    if json_file:
        document = {"machine": facts, "figures": [figure.document() for figure in figures]}
        json_file.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    typer.run(main)
