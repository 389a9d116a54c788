"""docs/how-to: the commands, options, SQL and files that the pages name exist."""

import re

import psycopg
import pytest
from typer.main import get_command

from candlecast.cli.app import app
from tests.support.deployment import MINUTE, NEWEST
from tests.support.documents import HOW_TO, block, blocks, commands, page, paths
from tests.support.paths import ROOT

#: Evaluation and features have tests of their own.
PAGES = [path for path in sorted(HOW_TO.glob("*.md")) if path.stem not in ("evaluate", "add-a-feature")]
NAMES = [path.stem for path in PAGES]


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert len(NAMES) == 10
    for name in NAMES:
        assert f"how-to/{name}.md" in navigation


@pytest.mark.parametrize("name", NAMES)
def test_a_page_begins_with_when_it_is_needed(name):
    assert re.match(r"# \S.*\n\nRead this when .*", page(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_option_exists(name):
    existing = get_command(app).commands
    for line in commands(page(name)):
        command, *words = line.split()[1:]
        options = {option for parameter in existing[command].params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_the_pages_use_every_command_that_they_explain():
    used = {line.split()[1] for name in NAMES for line in commands(page(name))}
    assert used >= {"backfill", "feed", "repair", "load", "status", "train", "retrain", "card", "predict"}


@pytest.mark.parametrize("name", ["operate", "query", "retrain"])
def test_the_sql_of_a_page_runs(live, name):
    live.execute("call run_inference(%s)", (NEWEST,))
    found = blocks(page(name), "sql")
    assert found
    for text in found:
        for statement in text.split(";\n"):
            if statement.strip():
                live.execute(statement.replace("BTCUSDT", "DEMO"))


def test_the_output_of_a_setting_is_real(live):
    change, read = blocks(page("operate"), "sql")[-1].strip().splitlines()
    live.execute(change)
    (value,) = live.execute(read).fetchone()
    assert f" {value}\n" in blocks(page("operate"), "")[-1]


def test_the_error_of_a_gap_is_real(live):
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 109 * MINUTE,))
    with pytest.raises(psycopg.Error) as error:
        live.execute("select predict_now('DEMO')")
    shown = block(page("troubleshoot"), "", "ERROR:").replace("BTCUSDT", "DEMO")
    expected = f"ERROR:  {error.value.diag.message_primary}\nHINT:  {error.value.diag.message_hint}\n"
    times = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00"
    assert re.sub(times, "TIME", shown) == re.sub(times, "TIME", expected)


def test_the_functions_of_the_retraining_page_exist(live):
    names = set(re.findall(r"select (\w+)\(", page("retrain"))) - {"max", "count"}
    assert names == {"withdraw_ensemble", "test_ensemble", "activate_ensemble", "rollback_ensemble"}
    for name in names:
        assert live.execute("select from pg_proc where proname = %s", (name,)).fetchone() is not None, name


def test_every_path_of_the_repository_exists():
    found = paths(PAGES)
    assert len(found) >= 20
    for path in found:
        assert list(ROOT.glob(path)) or list(ROOT.glob(f"{path}*")), path
