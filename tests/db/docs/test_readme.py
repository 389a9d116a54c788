"""README, tutorials, the home page and CONTRIBUTING: limits, links, commands and queries are checked or run."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from candlecast.cli.app import app
from tests.support.backfilling import market_of
from tests.support.deployment import MINUTE, NEWEST, load_demo
from tests.support.documents import fenced
from tests.support.paths import ROOT

README = ROOT / "README.md"
TUTORIALS = sorted((ROOT / "docs/tutorial").glob("*.md"))
PAGES = [README, ROOT / "docs/index.md", *TUTORIALS]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "docs/how-to/add-a-feature.md"]
MAX_LINES = 150
MAX_WORDS = 900
MAX_COLUMNS = 100
#: The same commands on less data: a later option replaces an earlier one.
SMALLER = {
    "backfill": ["--days", "5"],
    "train": ["--threads", "1", "--time-budget-minutes", "0.05"],
    "retrain": [
        *("--window-days", "5", "--test-days", "1", "--max-candle-age-hours", "1000000"),
        *("--threads", "1", "--time-budget-minutes", "0.05"),
    ],
}
#: They run until they are stopped; their own tests start them.
ENDLESS = {"feed", "serve"}

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
by_linked = pytest.mark.parametrize("page", LINKED, ids=lambda page: page.stem)


def commands(page: Path) -> list[list[str]]:
    """The words of each `candlecast` command in the page's blocks and text, prompt and comment removed."""
    lines = [
        line.removeprefix("$ ")
        for language, text in fenced(page.read_text())
        if language != "sql"
        for line in text.splitlines()
    ]
    lines += re.findall(r"`(candlecast [a-z].*?)`", page.read_text())
    return [shlex.split(line, comments=True) for line in lines if re.match(r"candlecast [a-z]", line)]


def test_the_readme_keeps_its_limits():
    text = README.read_text()
    lines = text.splitlines()
    assert len(lines) <= MAX_LINES
    breakable = [line for line in lines if not re.match(r"\||.*<picture|  <", line)]
    assert [line for line in breakable if len(line) > MAX_COLUMNS] == []
    prose = re.sub(r"^```.*?^```$|^\|.*?$|<picture>.*?</picture>|\]\(.*?\)", "", text, flags=re.MULTILINE | re.DOTALL)
    assert 300 < len(prose.split()) <= MAX_WORDS


@by_page
def test_its_queries_run_and_have_the_columns_shown(calibrated, page):
    calibrated.execute("select predict_now('DEMO')")
    found = fenced(page.read_text())
    for (language, sql), (_, output) in zip(found, [*found[1:], ("", "")], strict=True):
        if language != "sql":
            continue
        names = [column.name for column in calibrated.execute(sql).description]
        if re.match(r" \w+ +\|", output):
            assert [name.strip() for name in output.splitlines()[0].split("|")] == names


@by_linked
def test_its_commands_and_make_targets_exist(page):
    known = get_command(app).commands
    for _, name, *words in commands(page):
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, (name, words)
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^|&& )make ([a-z]+)", page.read_text(), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_its_commands_succeed_in_their_order(calibrated, calibrated_url, run_cli, tmp_path, page):
    calibrated.execute("truncate candles_1m")
    load_demo(calibrated, days=5)
    with market_of(5) as exchange:
        addresses = {"REST": exchange.rest_url, "ARCHIVE": exchange.archive_url, "STREAM": exchange.stream_url}
        env = {f"CANDLECAST_BINANCE_{name}_URL": address for name, address in addresses.items()}
        found = [words for _, *words in commands(page) if words[0] not in ENDLESS]
        assert found
        for name, *words in found:
            done = run_cli(calibrated_url, name, *words, *SMALLER.get(name, []), env=env, cwd=tmp_path)
            assert done.returncode == 0, (name, done.stdout, done.stderr)


@by_linked
def test_its_links_lead_to_files_and_headings(page):
    links = re.findall(r"(?:\]\(|(?:src|srcset)=\")(?!https?:)([^)#\"]*)#?([^)\"]*)[)\"]", page.read_text())
    for link, anchor in links:
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], anchor


def closing_screen(url: str, symbol: str, folder: Path) -> list[str]:
    """The lines that `make up` prints at its end."""
    script = f"""
        set -- && source scripts/up.sh
        fetched={shlex.quote(str(folder / "fetched"))} DATABASE_URL={shlex.quote(url)}
        show_forecast {symbol}
        say_next_steps
    """
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.rstrip() for line in done.stdout.splitlines()]


def test_make_up_ends_with_a_forecast_and_next_steps(calibrated, calibrated_url, tmp_path):
    screen = closing_screen(calibrated_url, "DEMO", tmp_path)
    heading = "horizon | closes UTC | price now | forecast | direction | probability | 90 % interval"
    assert [name.strip() for name in screen[1].split("|")] == heading.split(" | ")
    assert [line.split()[0] for line in screen[3:8]] == list("12345")
    for line in screen[3:8]:
        assert re.fullmatch(
            r" \d min +\| \d\d:\d\d +\| +\d+\.\d\d \| \d+\.\d\d \| (up|down) +\| \d\d\.\d % +\| \d+\.\d\d to \d+\.\d\d",
            line,
        ), line
    assert screen[3].split()[3] == "12:01"  # the candle named 12:00, one minute after the newest one, closes then
    assert "Candles: DEMO, synthetic (generated). The newest one closed at 2026-05-02 12:00 UTC." in screen
    for step in ("make psql", "make serve", "docs/tutorial/first-dashboard.md, step 4"):
        assert any(step in line for line in screen[-4:]), step
    assert max(map(len, screen)) <= MAX_COLUMNS


def test_make_up_ends_with_the_next_steps_despite_a_gap(live, live_url, tmp_path):
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - MINUTE,))
    screen = closing_screen(live_url, "DEMO", tmp_path)
    assert "No forecast of DEMO yet: the error above has the reason and the remedy." in screen
    assert any("make serve" in line for line in screen)


def test_make_up_shows_small_prices_with_more_decimals(calibrated, calibrated_url, tmp_path):
    calibrated.execute(
        "update candles_1m set open = open / 4e9, high = high / 4e9, low = low / 4e9, close = close / 4e9"
    )
    row = closing_screen(calibrated_url, "DEMO", tmp_path)[3]
    assert re.search(r" 0\.00001\d{5} ", row), row
