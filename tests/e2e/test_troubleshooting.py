"""docs/operations.md, troubleshooting: what it says to ask can be asked, and what it says to do is there."""

import re
import time
from pathlib import Path

import pytest

from candlecast.core.errors import CandlecastError
from tests.support.clusters import LAUNCHER, section, wait_for

pytestmark = pytest.mark.cron


def test_an_ended_scheduler_comes_back_as_the_runbook_says(restored):
    wait_for(restored, LAUNCHER, seconds=20)
    ((ended,),) = restored.ask(LAUNCHER)
    restored.ask("select pg_terminate_backend(%s, 5000)", ended)
    ((version,),) = restored.ask("select extversion from pg_extension where extname = 'pg_cron'")
    row = next(line for line in section("Troubleshooting by symptom").splitlines() if 'id="scheduler"' in line)
    assert "before pg_cron 1.6.1" in row
    assert "from 1.6.1 on" in row
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", version).groups())  # 1.4.2's is 1.4-1
    if (major, minor) >= (1, 6):  # the extension's 1.6 came with pg_cron 1.6.1
        wait_for(restored, f"{LAUNCHER} and pid <> {ended}", seconds=20)
    else:
        time.sleep(3)  # a background worker that is to come back does so within a second
        assert restored.ask(LAUNCHER) == []
    assert restored.ask("select 1 from cron.job where jobname = 'candlecast-inference' and active")
    restored.run(re.search(r"`(sudo pg_ctlcluster .*?)`", row)[1], Path("/"))
    wait_for(restored, LAUNCHER, seconds=20)


def rows_of_troubleshooting() -> list[list[str]]:
    lines = [line for line in section("Troubleshooting by symptom").splitlines() if line.startswith("| ")]
    return [re.split(r" \| ", line.strip("| ")) for line in lines[1:]]


def test_every_way_to_see_a_symptom_can_be_asked(primary):
    rows = rows_of_troubleshooting()
    assert all(len(row) == 4 for row in rows), [row for row in rows if len(row) != 4]
    queries = [query for row in rows for query in re.findall(r"`(select .*?)`", row[1])]
    assert len(queries) >= 20
    with primary.connect() as db:
        for query in queries:
            db.execute(query)


def test_what_the_remedies_call_is_there(primary):
    text = " ".join(row[3] for row in rows_of_troubleshooting())
    names = set(re.findall(r"\b(\w+)\((?:'BTCUSDT'|id|minute|symbol|\))", text))
    assert len(names) >= 4
    for name in names:
        assert primary.ask("select 1 from pg_proc where proname = %s", name), name
    for update in re.findall(r"`(update .*?)`", text):
        primary.ask(f"with changed as ({update} returning value) select value from changed")
    primary.ask("with changed as (update ml_settings set value = null returning 1) select count(*) from changed")


def test_every_code_of_the_errors_is_in_the_table():
    there, classes = set(), [CandlecastError]
    while classes:
        there.add((found := classes.pop()).sqlstate)
        classes += found.__subclasses__()
    text = section("Troubleshooting by symptom")
    named = set(re.findall(r"CC\d{3}", text))
    for first, last in re.findall(r"CC(\d{3}) to CC(\d{3})", text):
        named |= {f"CC{number:03}" for number in range(int(first), int(last) + 1)}
    assert named == {code for code in there if code.startswith("CC")} - {"CC000"}
