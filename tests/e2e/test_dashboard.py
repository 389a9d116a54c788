"""The page in headless Chromium over a live database: it moves by itself, is honest, and can be used by everyone."""

import io
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from live import MINUTE, deploy_calibrated, load_demo
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from serving import bring_up_to_now, next_minute, serving

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
#: For who wants to look at them: SCREENSHOTS=folder.
SCREENSHOTS = os.environ.get("SCREENSHOTS")


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium here: scripts/packages.sh --tests, that make test runs, could not get it")
    # Nobody is root in a sandbox of Chromium's; it reads nothing but this machine's page.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=options)
        yield started
        started.close()


@pytest.fixture(scope="module")
def database(make_shared_database, template, artifacts):
    """Two days of DEMO until now, forecast since yesterday by a calibrated ensemble."""
    url = make_shared_database(template)
    with psycopg.connect(url, autocommit=True) as db:
        deploy_calibrated(db, artifacts)
        bring_up_to_now(db, minutes=26 * 60)
        db.execute("select count(*) from measure_drift(), check_consistency()")
    return url


@pytest.fixture(scope="module")
def service(database):
    with serving(database) as running:
        yield running


@pytest.fixture
def db(database):
    with psycopg.connect(database, autocommit=True) as connection:
        next_minute(connection)
        yield connection


@pytest.fixture
def second_symbol(db, service):
    """ETHUSDT has candles, no ensemble; the service knows of it."""
    columns = "open_time, open, high, low, close, volume, quote_asset_volume, taker_buy_base_asset_volume,"
    columns += " taker_buy_quote_asset_volume, number_of_trades"
    db.execute(
        f"insert into candles_1m (symbol, {columns}) select 'ETHUSDT', {columns} from candles_1m"
        " where symbol = 'DEMO' and open_time > now() - interval '2 hours' on conflict do nothing"
    )
    service.wait_for("/api/symbols", lambda answer: "ETHUSDT" in answer.text)
    yield "ETHUSDT"
    db.execute("delete from candles_1m where symbol = 'ETHUSDT'")


@pytest.fixture
def open_page(browser, service):
    """open_page(viewport=...) -> the page, once it shows something; what went wrong is in page.trouble."""
    contexts = []

    def visit(path: str = "/", url: str = service.url, **options) -> Page:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        page = context.new_page()
        page.trouble, page.asked = [], []
        page.on("console", lambda said: page.trouble.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(url + path)
        expect(page.locator("#pill-text")).not_to_have_text("connecting")
        return page

    yield visit
    for context in contexts:
        context.close()


def shot(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def assert_live(page: Page) -> None:
    expect(page.locator("#pill-text")).to_have_text("live")
    expect(page.locator("#forecast-state")).to_have_text("live")
    expect(page.locator("#forecast tbody tr")).to_have_count(5)


def closing_time(candle_time: datetime) -> str:
    return (candle_time + MINUTE).strftime("%H:%M")


def test_a_new_candle_and_its_forecast_appear_without_a_reload(open_page, db, service):
    db.execute("delete from predictions where candle_time >= (select max(open_time) from candles_1m)")
    db.execute("delete from candles_1m where open_time = (select max(open_time) from candles_1m)")
    page = open_page()
    page.evaluate("window.same = true")
    expect(page.locator("#forecast-caption")).to_contain_text("UTC")
    before, chart = page.locator("#candle-time").text_content(), page.locator("#chart").screenshot()

    newest = next_minute(db)
    expect(page.locator("#candle-time")).to_have_text(f"{closing_time(newest)}:00 UTC")
    expect(page.locator("#forecast-caption")).to_have_text(
        f"From the candle that closed at {closing_time(newest)} UTC."
    )
    assert_live(page)
    assert page.locator("#candle-time").text_content() != before
    close, ahead = db.execute(
        "select reference_close, predicted_price from latest_predictions where horizon = 5"
    ).fetchone()
    expect(page.locator("#last-close")).to_have_text(f"{close:,.2f}")
    expect(page.locator("#ahead")).to_have_text(f"{ahead:,.2f}")
    label = page.locator("#chart").get_attribute("aria-label")
    assert f"Forecast for {closing_time(newest + 5 * MINUTE)} UTC: {ahead:,.2f}." in label
    assert page.locator("#chart").screenshot() != chart
    expect(page.locator("#announcement")).to_have_text("Forecasts are live.")
    expect(page).to_have_title(f"{close:,.2f} · DEMO · candlecast")
    assert page.evaluate("window.same"), "it was loaded again"
    assert page.trouble == []
    assert page.asked
    assert all(url.startswith(f"{service.url}/") for url in page.asked), "a request left for another host"


def test_it_shows_what_the_database_holds(open_page, db, service):
    page = open_page()
    assert_live(page)
    hits, total = db.execute(
        "select count(*) filter (where direction_hit), count(direction_hit) from prediction_outcomes where horizon = 2"
        " and candle_time > (select max(open_time) from candles_1m) - interval '1 hour'"
    ).fetchone()
    strip = page.locator("#hits .cells").nth(1)
    expect(strip).to_have_attribute("aria-label", f"2 min ahead: {hits} of {total} directions right")
    expect(strip.locator(".hit")).to_have_count(hits)
    scores = service.get("/api/record?symbol=DEMO").json()["leaderboard"]["rows"]
    accuracy, low, high = next(
        (one["accuracy"], one["low"], one["high"])
        for one in scores
        if one["horizon"] == 1 and one["time_window"] == "24 h"
    )
    row = page.locator("#horizons tbody tr").first
    expect(row).to_contain_text(f"{100 * accuracy:.1f} %")
    expect(row).to_contain_text(f"{100 * low:.1f} – {100 * high:.1f}")
    expect(page.locator("#coverage tbody tr")).to_have_count(5)
    expect(page.locator("#board")).to_contain_text("active")
    expect(page.locator("#history")).to_contain_text("live")
    expect(page.locator("#latency")).to_contain_text("ms")
    expect(page.locator("#health-facts")).to_contain_text("ok")
    expect(page.locator("#tests")).to_contain_text("None.")
    drifted, features = db.execute(
        "select count(distinct feature) filter (where drifted), count(distinct feature) from feature_drift"
    ).fetchone()
    expect(page.locator("#drift-day")).to_contain_text(f": {drifted} of {features} drifted")
    expect(page.locator("#drift tbody tr")).to_have_count(8)
    expect(page.locator("#consistency")).to_contain_text("all as they were served")


def test_a_symbol_that_is_not_there_is_told_and_the_leading_one_shown(open_page, db):
    page = open_page("/?symbol=NOPE%3Cb%3E")
    assert_live(page)
    expect(page.locator("#notice")).to_have_text("Nothing is known of NOPE<b> here. This is DEMO.")
    assert (page.locator("#symbol").input_value(), page.trouble) == ("DEMO", [])
    page = open_page("/?symbol=DEMO")
    assert_live(page)
    expect(page.locator("#notice")).to_be_hidden()


def test_another_symbols_trouble_is_not_this_ones(open_page, db):
    """health() is down, with a reason that is of all, and DEMO is well."""
    page = open_page()
    assert_live(page)

    def down(route):
        answer = route.fetch()
        of_all = ["run_inference() is not called: it began last 00:02:00 ago", "OTHER: no prediction for 00:05:00"]
        route.fulfill(response=answer, status=503, json=answer.json() | {"status": "down", "reasons": of_all})

    page.route("**/health", down)
    for _ in range(2):  # the first one is shown when the second one comes
        page.wait_for_event("response", lambda answer: answer.url.endswith("/health") and answer.status == 503)
    assert_live(page)
    expect(page.locator("#banner")).to_be_hidden()


def test_what_is_late_is_not_shown_as_live(open_page, db):
    page = open_page()
    assert_live(page)
    recent = "> now() - interval '6 minutes'"
    db.execute(f"delete from predictions where candle_time {recent}")  # as where pg_cron stands still
    expect(page.locator("#banner")).to_contain_text("no prediction for", ignore_case=True, timeout=12_000)
    expect(page.locator("#candle-age")).to_contain_text(" s ago")
    expect(page.locator("#forecast-state")).to_have_text("gone")
    db.execute(f"delete from candles_1m where open_time {recent}")
    expect(page.locator("#banner")).to_contain_text("no candle for", ignore_case=True, timeout=12_000)
    expect(page.locator("#pill-text")).to_have_text("down")
    expect(page.locator("#banner")).to_have_text(
        re.compile(r"The last candle closed at \d\d:\d\d UTC, \d+ min[^.]* ago\.\s*$")
    )
    expect(page.locator("#forecast-state")).to_have_text("gone")
    expect(page.locator("#forecast tbody")).to_have_text("Nothing that is live.")
    expect(page.locator("#ahead")).to_have_text("–")
    expect(page.locator("#announcement")).to_have_text(re.compile(r"^Not live\. .* UTC\.$"))
    assert "No live forecast." in page.locator("#chart").get_attribute("aria-label")
    shot(page, "stale")
    assert serious(page) == []
    next_minute(db)
    expect(page.locator("#pill-text")).to_have_text("live", timeout=12_000)
    expect(page.locator("#banner")).to_be_hidden()
    assert_live(page)

    db.execute("update ml_settings set value = 'false' where name = 'enabled'")
    try:
        expect(page.locator("#banner")).to_contain_text("Inference is switched off", timeout=12_000)
        expect(page.locator("#forecast")).to_have_class("old")
        assert serious(page) == []
    finally:
        db.execute("update ml_settings set value = 'true' where name = 'enabled'")
    expect(page.locator("#banner")).to_be_hidden(timeout=12_000)

    with db.transaction():
        db.execute("lock table inference_runs in access exclusive mode")  # the page's own figures do not need it
        expect(page.locator("#banner")).to_contain_text("refuses health(): it takes too long", timeout=12_000)


def test_what_could_not_be_read_is_said_and_is_read_later(open_page, database, db):
    with serving(database) as own:
        with db.transaction():
            db.execute(
                "lock table predictions, inference_runs, feature_drift, consistency_checks in access exclusive mode"
            )
            page = open_page(url=own.url)
            expect(page.locator("#banner")).to_have_text(
                "No figures. The database takes too long; a table may be locked."
            )
            why = "Could not be read: the database takes too long; a table may be locked."
            for part in "#forecast-caption", "#hits", "#runs-strip", "#trouble", "#horizons tbody", "#drift tbody":
                expect(page.locator(part)).to_have_text(why, timeout=25_000)
            expect(page.locator("#latency")).to_contain_text("Predicted–")
            shot(page, "locked")
            assert serious(page) == []
        next_minute(db)
        assert_live(page)
        expect(page.locator("#horizons tbody tr")).to_have_count(5, timeout=25_000)
        expect(page.locator("#drift tbody tr")).to_have_count(8, timeout=25_000)
        expect(page.locator("#latency")).not_to_contain_text("Predicted–", timeout=25_000)
        shot(page, "unlocked")


def test_a_failure_that_repeats_stands_there_once(open_page, db):
    db.execute(
        "insert into inference_runs (symbol, candle_time, status, started_at, error)"
        " select 'DEMO', now(), 'failed', now() - interval '3 hours', unnest(%s::text[])",
        (["disk full", "disk full", "disk full", "no such column"],),
    )
    try:
        failures = open_page().locator("#trouble li", has_text=re.compile("disk|column"))
        expect(failures).to_have_text(
            [re.compile(" failed no such column$"), re.compile(" failed 3 times: disk full$")], timeout=17_000
        )
    finally:
        db.execute("delete from inference_runs where error in ('disk full', 'no such column')")


def test_minutes_without_forecasts_are_a_hole_and_one_between_holes_is_a_dot(open_page, db):
    """Three minutes ahead, far above the candles: 18 minutes' line, 18 without, a dot, 18 without, 18 minutes' line."""
    (newest,) = db.execute("select max(candle_time) from predictions").fetchone()
    kept = [newest - age * MINUTE for age in (*range(41, 60), 77, *range(95, 114))]  # older than this file's tests
    past = "horizon = 3 and candle_time > now() - interval '3 hours'"
    db.execute(f"delete from predictions where {past} and candle_time <> all(%s)", ([newest, *kept],))
    db.execute(
        "update predictions set predicted_price = 1.005 * predicted_price, lower_price = 1.005 * lower_price,"
        f" upper_price = 1.005 * upper_price where {past} and candle_time = any(%s)",
        (kept,),
    )
    page = open_page(color_scheme="light")
    assert_live(page)
    expect(page.locator("#hits .cells").nth(2).locator(".gap")).to_have_count(40)
    page.locator("#past-horizon").select_option("3")
    page.locator("#range input[value='120']").check()
    for _ in range(20):  # it is drawn some frames later
        page.wait_for_timeout(250)
        if len(stretches := drawn_stretches(page)) == 3:
            break
    shot(page, "holes")
    (one, other), (dot, end), (again, last) = stretches
    line = other - one
    assert last - again == pytest.approx(line, abs=3)
    assert 2 <= end - dot <= 8
    assert dot - other == pytest.approx(line, abs=6)
    assert again - end == pytest.approx(line, abs=6)


def drawn_stretches(page: Page) -> list[tuple[int, int]]:
    """From where to where, in pixels from the left, the chart shows the colour of past forecasts, a brown."""
    image = Image.open(io.BytesIO(page.locator("#chart").screenshot())).convert("RGB")
    red, green, blue = np.asarray(image).astype(int).transpose(2, 0, 1)
    columns = np.flatnonzero(((red - green > 10) & (green - blue > 25)).any(axis=0))
    return [(int(run[0]), int(run[-1])) for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)]


def test_the_service_goes_away_and_returns(open_page, database, db):
    with serving(database) as first:
        port = first.url.rpartition(":")[2]
        page = open_page(url=first.url)
        assert_live(page)
        first.end()
        expect(page.locator("#banner")).to_contain_text(
            "The service does not answer. What you see is of", timeout=8_000
        )
        expect(page.locator("#forecast-state")).to_have_text("late")
    with serving(database, "--port", port):
        expect(page.locator("#pill-text")).to_have_text("live", timeout=12_000)
        expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "viewport", "scheme"), [("light", DESKTOP, "light"), ("dark", DESKTOP, "dark"), ("phone", PHONE, "light")]
)
def test_everyone_can_use_it(open_page, db, name, viewport, scheme):
    page = open_page(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    assert_live(page)
    expect(page.locator("#horizons tbody tr")).to_have_count(5)
    expect(page.locator("#health-facts dt")).not_to_have_count(0)
    shot(page, name)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 300) == (scheme == "dark")
    assert page.trouble == []


def serious(page: Page) -> list[str]:
    """What axe-core finds serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_the_keyboard_reaches_everything(open_page, db):
    page = open_page()
    assert_live(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("(({ id, name, tagName, ariaLabel }) => id || name || tagName)(document.activeElement)")
        )
        if reached[-1] == "BODY":
            break
    wanted = ["symbol", "theme", "range", "past-horizon", "window", "coverage-horizon", "board-horizon"]
    assert [one for one in reached if one in wanted] == wanted

    page.locator("#range input:checked").focus()
    chart = page.locator("#chart").screenshot()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#range input:checked")).to_have_value("120")
    page.wait_for_timeout(100)
    assert page.locator("#chart").screenshot() != chart


def test_the_theme_is_kept(open_page, db):
    page = open_page(color_scheme="light")
    colour = "getComputedStyle(document.body).color"
    light = page.evaluate(colour)
    page.locator("#theme input[value=dark]").check()
    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    assert page.evaluate(colour) == dark
    page.locator("#theme input[value=auto]").check()
    assert page.evaluate(colour) == light


def test_another_symbol_and_one_without_forecasts(open_page, second_symbol):
    page = open_page()
    assert_live(page)
    expect(page.locator("#symbol option")).to_have_text(["DEMO", second_symbol])
    page.locator("#symbol").select_option(second_symbol)
    expect(page.locator("#banner")).to_contain_text("No forecasts of ETHUSDT.")
    expect(page.locator("#forecast tbody")).to_have_text("No forecast yet.")
    assert page.url.endswith("?symbol=ETHUSDT")
    page.reload()
    expect(page.locator("#symbol")).to_have_value(second_symbol)
    expect(page.locator("#banner")).to_contain_text("No forecasts of ETHUSDT.")
    assert page.trouble == []


def test_nothing_of_one_symbol_stands_under_the_name_of_another(open_page, second_symbol):
    """However long the other's documents take to come, and where they do not."""
    page = open_page()
    assert_live(page)
    expect(page.locator("#horizons tbody tr")).to_have_count(5)
    expect(page.locator("#runs-strip")).to_contain_text("UTC")
    of_other, held = re.compile(r"/api/\w+\?symbol=ETHUSDT"), []

    def hold(route):
        held.append(route)

    page.route(of_other, hold)
    page.locator("#symbol").select_option(second_symbol)
    parts = "#forecast-caption", "#hits", "#runs-strip", "#trouble", "#horizons tbody", "#board tbody", "#drift tbody"
    for part in parts:
        expect(page.locator(part)).to_have_text("Not read yet.")
    for part in "#last-close", "#ahead", "#candle-age":
        expect(page.locator(part)).to_have_text("–")
    for part in "#ahead-change", "#forecast tbody":
        expect(page.locator(part)).to_be_empty()
    expect(page.locator("#chart")).to_have_attribute("aria-label", "No candles.")

    def refuse(route):
        route.fulfill(status=503, json={"error": "the disk is full", "hint": None})

    page.route(of_other, refuse)  # goes before the first
    for route in held:
        refuse(route)
    for part in parts:
        expect(page.locator(part)).to_have_text("Could not be read: the disk is full.")
    expect(page.locator("#banner")).to_have_text("No figures. The disk is full.")
    page.unroute(of_other)
    expect(page.locator("#banner")).to_contain_text("No forecasts of ETHUSDT.")
    expect(page.locator("#board tbody")).to_have_text("No ensemble is live.")


def test_an_empty_database_is_said_to_be(open_page, database_url):
    with serving(database_url) as service:
        page = open_page(url=service.url)
        expect(page.locator("#banner")).to_contain_text("No candles yet.")
        expect(page.locator("#horizons")).to_contain_text("No forecast")
        assert serious(page) == []
        # The browser notes that /health answers 503; nothing else is wrong.
        assert all("503" in said for said in page.trouble), page.trouble
        with psycopg.connect(database_url, autocommit=True) as db:
            load_demo(db, datetime.now(UTC))
        expect(page.locator("#symbol")).to_have_value("DEMO", timeout=40_000)
