"""Every query of Grafana's SQL dashboard runs, as a reader, and gives what its panel draws."""

import json
import re

import psycopg
import pytest

from tests.support.deployment import MINUTE, NEWEST
from tests.support.paths import ROOT

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "candlecast-postgresql.json").read_text())
TARGETS = [
    (panel["title"], target["refId"], target["rawSql"], target["format"])
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
]
#: What this database has nothing of: no test, no failure, nothing measured, and its candles are of an earlier day.
EMPTY = {
    "A/B tests",
    "Failures",
    "Direction accuracy, last 24 hours",
    "Feature drift",
    "Consistency check",
}
#: Grafana's macros as its documentation has them: https://grafana.com/docs/grafana/latest/datasources/postgres/
MACROS = {r"\$__timeFilter\((\w+)\)": r"\1 BETWEEN '2026-04-25T12:00:00Z' AND '2026-05-02T12:00:00Z'"}


def expanded(query: str) -> str:
    query = query.replace("${symbol:sqlstring}", "'DEMO'")
    for macro, text in MACROS.items():
        query = re.sub(macro, text, query)
    assert "$" not in query
    return query


@pytest.fixture(scope="module")
def asked(make_shared_database, calibrated_template):
    """A connection as a reader that may not write, to a database where twenty minutes were predicted."""
    with psycopg.connect(make_shared_database(calibrated_template), autocommit=True) as db:
        for back in range(20, 0, -1):
            db.execute("call run_inference(%s)", (NEWEST - back * MINUTE,))
        # As if it had been then.
        db.execute("update inference_runs set started_at = candle_time - interval '1 hour'")
        db.execute("call aggregate_hours()")
        db.execute("set session authorization candlecast_reader; set default_transaction_read_only = on")
        yield db


@pytest.mark.parametrize(("title", "part", "query", "form"), TARGETS, ids=[f"{t[0]} {t[1]}" for t in TARGETS])
def test_a_query_gives_what_its_panel_draws(asked, title, part, query, form):
    found = asked.execute(expanded(query))
    names = [column.name for column in found.description]
    assert len(set(names)) == len(names)
    if form == "time_series":
        time = found.description[0]
        assert (time.name, time.type_display) == ("time", "timestamptz")
        drawn = [column for column in found.description[1:] if column.name != "metric"]
        assert drawn
        assert {column.type_display for column in drawn} <= {"float8", "int4", "int8", "numeric"}
    assert found.fetchall() or title in EMPTY, "nothing to draw, though twenty minutes were predicted"


def test_the_symbols_to_choose_from_are_those_with_ensembles(asked):
    (variable,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "symbol"]
    assert asked.execute(variable["query"]).fetchall() == [("DEMO",)]


def test_no_panel_reads_more_than_its_time_range():
    """Of tables that grow for ever. Views with a window of their own (24 hours, 7 days) need none."""
    growing = ("candles_1m", "prediction_outcomes", "accuracy_hourly", "inference_runs", "runs_hourly", "training_runs")
    for title, _, query, _ in TARGETS:
        for table in growing:
            for part in re.split(r"\bunion all\b", query):
                assert not re.search(rf"\bfrom {table}\b", part) or "$__timeFilter(" in part, (title, table)
