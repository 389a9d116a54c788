"""The page is honest: what is late, absent, unread or of another symbol is said to be."""

import re
from datetime import UTC, datetime

import psycopg
from playwright.sync_api import expect

from tests.support.dashboard_page import assert_live, serious, shot
from tests.support.deployment import load_demo
from tests.support.serving import next_minute, serving


def test_an_unknown_symbol_is_reported_and_the_first_one_shown(open_page, db):
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
        of_all = ["run_inference() last started 00:02:00 ago", "OTHER: no prediction for 00:05:00"]
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
        expect(page.locator("#banner")).to_contain_text("does not give health(): it takes too long", timeout=12_000)


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
