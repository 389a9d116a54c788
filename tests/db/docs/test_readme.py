"""The README, held to what is there: its SQL runs, its names exist, its error is the real one."""

import re

import psycopg
import pytest
from typer.main import get_command

from candlecast.cli.app import app
from tests.support.deployment import MINUTE, NEWEST
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of that language."""
    fenced = re.split(r"^```", README, flags=re.MULTILINE)[1::2]
    return [text for first, _, text in (block.partition("\n") for block in fenced) if first == language]


def test_its_sql_runs(live):
    live.execute("select predict_now('DEMO')")
    found = blocks("sql")
    assert found
    for sql in found:
        live.execute(sql)


def test_every_name_of_the_sql_surface_is_there(live):
    table = README.split("## The SQL surface")[1].split("\n\n")[1]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    names = [name for cell in cells for name in re.findall(r"`(?:call )?(\w+)", cell)]
    assert len(names) >= 15
    for name in names:
        there = live.execute(
            "select exists (select from pg_proc where proname = %(name)s and pronamespace = 'public'::regnamespace)"
            " or to_regclass('public.' || %(name)s) is not null",
            {"name": name},
        ).fetchone()[0]
        assert there, name


def test_the_columns_of_a_forecast_are_the_ones_it_lists(live):
    listed = re.search(r"A forecast's row has `(.*?)`", README)[1].split(", ")
    there = live.execute(
        "select array_agg(attname::text order by attnum) from pg_attribute"
        " where attrelid = 'forecast'::regclass and attnum > 0"
    ).fetchone()[0]
    assert listed == there


def test_a_gap_says_what_it_shows(live):
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 109 * MINUTE,))
    with pytest.raises(psycopg.Error) as error:
        live.execute("select predict_now('DEMO')")
    shown = next(block for block in blocks("") if "has no candle at" in block)
    expected = f"ERROR:  {error.value.diag.message_primary}\nHINT:  {error.value.diag.message_hint}\n"
    times = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00"
    assert re.sub(times, "TIME", shown).replace("BTCUSDT", "DEMO") == re.sub(times, "TIME", expected)


def test_its_roles_and_make_targets_and_folders_are_there(live):
    for role in re.findall(r"`(candlecast_\w+)`", README):
        assert live.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone(), role
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for folder in re.findall(r"^([a-z]+(?:/\w+)*)/ ", README, flags=re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)#?([^)]*)\)", README)
    assert links
    for link, anchor in links:
        assert (ROOT / link).exists(), link
        headings = re.findall(r"^#+ (.*)$", (ROOT / link).read_text(), flags=re.MULTILINE) if anchor else []
        assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], anchor


def test_its_commands_have_the_options_that_it_gives_them():
    commands = get_command(app).commands
    shown = [line for block in blocks("") for line in block.splitlines() if line.startswith("candlecast ")]
    shown += re.findall(r"`(candlecast [a-z].*?)`", README)
    assert {line.split()[1] for line in shown} >= {"backfill", "train", "feed", "load", "status", "repair"}
    for line in shown:
        name, *words = line.partition("#")[0].split()[1:]
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, line
