"""docs/how-to/troubleshoot.md: its checks run, its fixes exist, it covers every error code."""

import re
import time
from pathlib import Path

import pytest

from candlecast.core.errors import CandlecastError
from tests.support.clusters import LAUNCHER, wait_for
from tests.support.documents import blocks, page

pytestmark = pytest.mark.cron
PAGE = page("troubleshoot")
#: Anchor or heading of each symptom -> its text.
SYMPTOMS = {
    re.sub(r'<a id="(.*?)">.*', r"\1", title): text
    for title, text in re.findall(r"^### ([^\n]*)\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
}


def test_an_ended_scheduler_restarts_as_documented(restored):
    wait_for(restored, LAUNCHER, seconds=20)
    ((ended,),) = restored.ask(LAUNCHER)
    restored.ask("select pg_terminate_backend(%s, 5000)", ended)
    ((version,),) = restored.ask("select extversion from pg_extension where extname = 'pg_cron'")
    symptom = SYMPTOMS["scheduler"]
    assert "before pg_cron 1.6.1" in symptom
    assert "from 1.6.1 on" in symptom
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", version).groups())  # 1.4.2 has 1.4-1
    if (major, minor) >= (1, 6):  # the extension 1.6 came with pg_cron 1.6.1
        wait_for(restored, f"{LAUNCHER} and pid <> {ended}", seconds=20)
    else:
        time.sleep(3)  # a background worker that restarts does so within a second
        assert restored.ask(LAUNCHER) == []
    assert restored.ask("select 1 from cron.job where jobname = 'candlecast-inference' and active")
    (restart,) = blocks(symptom, "bash")
    restored.run(restart, Path("/"))
    wait_for(restored, LAUNCHER, seconds=20)


def test_each_symptom_has_check_cause_and_fix():
    assert len(SYMPTOMS) >= 28
    for title, text in SYMPTOMS.items():
        assert text.count("**Check**") == 1, title
        assert "**Fix**" in text or "**Cause and fix**" in text, title
        assert "**Cause" in text, title
        assert blocks(text, "sql") or blocks(text, "bash"), title


def test_every_check_runs(primary):
    checks = [query for block in blocks(PAGE, "sql") for query in block.split(";\n") if query.strip()]
    assert len(checks) >= 28
    with primary.connect() as db:
        for query in checks:
            db.execute(query)


def test_every_fix_exists(primary):
    fixes = [re.split(r"\*\*(?:Cause and fix|Fix)\*\*", text)[-1] for text in SYMPTOMS.values()]
    statements = [statement for fix in fixes for statement in re.findall(r"`((?:select|update|alter) .*?)`", fix)]
    with primary.connect() as db:
        for block in [block for fix in fixes for block in blocks(fix, "")]:
            db.execute(block)
    names = set(re.findall(r"\b(\w+)\(", " ".join(statements)))
    assert len(names) >= 6
    for name in names:
        assert primary.ask("select 1 from pg_proc where proname = %s", name), name
    for update in (statement for statement in statements if statement.startswith("update ")):
        primary.ask(f"with changed as ({update} returning value) select value from changed")
    primary.ask("with changed as (update ml_settings set value = null returning 1) select count(*) from changed")


def test_the_page_covers_every_error_code():
    codes, classes = set(), [CandlecastError]
    while classes:
        codes.add((found := classes.pop()).sqlstate)
        classes += found.__subclasses__()
    documented = set(re.findall(r"CC\d{3}", PAGE))
    for first, last in re.findall(r"CC(\d{3}) to CC(\d{3})", PAGE):
        documented |= {f"CC{number:03}" for number in range(int(first), int(last) + 1)}
    assert documented == {code for code in codes if code.startswith("CC")} - {"CC000"}
