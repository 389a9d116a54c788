"""The page reports late, missing and unreadable data, and never shows data of another symbol."""

import re
from datetime import UTC, datetime

import psycopg
from playwright.sync_api import expect

from tests.support.dashboard_page import assert_live, serious, shot
from tests.support.deployment import load_demo
from tests.support.serving import next_minute, serving


def test_unknown_symbol_is_reported_and_the_default_is_shown(open_page, db):
    page = open_page("/?symbol=NOPE%3Cb%3E")
    assert_live(page)
    expect(page.locator("#notice")).to_have_text("Unknown symbol NOPE<b>. Showing DEMO.")
    assert (page.locator("#symbol").input_value(), page.trouble) == ("DEMO", [])
    page = open_page("/?symbol=DEMO")
    assert_live(page)
    expect(page.locator("#notice")).to_be_hidden()


def test_reasons_of_another_symbol_are_not_shown(open_page, db):
    """health() is down with a general reason and one of another symbol, but DEMO is ok."""
    page = open_page()
    assert_live(page)

    def down(route):
        answer = route.fetch()
        of_all = ["run_inference() last started 00:02:00 ago", "OTHER: no prediction for 00:05:00"]
        route.fulfill(response=answer, status=503, json=answer.json() | {"status": "down", "reasons": of_all})

    page.route("**/health", down)
    for _ in range(2):  # the first one is certainly shown when the second one arrives
        page.wait_for_event("response", lambda answer: answer.url.endswith("/health") and answer.status == 503)
    assert_live(page)
    expect(page.locator("#banner")).to_be_hidden()


def test_late_data_is_not_shown_as_live(open_page, db):
    page = open_page()
    assert_live(page)
    recent = "> now() - interval '6 minutes'"
    db.execute(f"delete from predictions where candle_time {recent}")  # as if pg_cron had stopped
    expect(page.locator("#banner")).to_contain_text("no prediction for", ignore_case=True, timeout=12_000)
    expect(page.locator("#candle-age")).to_contain_text(" s ago")
    expect(page.locator("#forecast-state")).to_have_text("expired")
    db.execute(f"delete from candles_1m where open_time {recent}")
    expect(page.locator("#banner")).to_contain_text("no candle for", ignore_case=True, timeout=12_000)
    expect(page.locator("#pill-text")).to_have_text("down")
    expect(page.locator("#banner")).to_have_text(
        re.compile(r"The last candle closed at \d\d:\d\d UTC, \d+ min[^.]* ago\.\s*$")
    )
    expect(page.locator("#forecast-state")).to_have_text("expired")
    expect(page.locator("#forecast tbody")).to_have_text("No live forecast.")
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
        db.execute("lock table inference_runs in access exclusive mode")  # only health() reads it, not /api/live
        expect(page.locator("#banner")).to_contain_text("health() failed: the query timed out", timeout=12_000)


def test_unreadable_sections_are_reported_and_read_later(open_page, database, db):
    with serving(database) as own:
        with db.transaction():
            db.execute(
                "lock table predictions, inference_runs, feature_drift, consistency_checks in access exclusive mode"
            )
            page = open_page(url=own.url)
            expect(page.locator("#banner")).to_have_text("No current data. The query timed out; a table may be locked.")
            why = "Could not be read: the query timed out; a table may be locked."
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


def test_page_survives_a_restart_of_the_service(open_page, database, db):
    with serving(database) as first:
        port = first.url.rpartition(":")[2]
        page = open_page(url=first.url)
        assert_live(page)
        first.end()
        expect(page.locator("#banner")).to_contain_text(
            "The service does not answer. This page shows data from", timeout=8_000
        )
        expect(page.locator("#forecast-state")).to_have_text("late")
    with serving(database, "--port", port):
        expect(page.locator("#pill-text")).to_have_text("live", timeout=12_000)
        expect(page.locator("#banner")).to_be_hidden()


def test_switching_to_a_symbol_without_forecasts(open_page, second_symbol):
    page = open_page()
    assert_live(page)
    expect(page.locator("#symbol option")).to_have_text(["DEMO", second_symbol])
    page.locator("#symbol").select_option(second_symbol)
    expect(page.locator("#synthetic")).to_be_hidden()
    expect(page.locator("#banner")).to_contain_text("No forecasts for ETHUSDT.")
    expect(page.locator("#forecast tbody")).to_have_text("No forecast yet.")
    assert page.url.endswith("?symbol=ETHUSDT")
    page.reload()
    expect(page.locator("#symbol")).to_have_value(second_symbol)
    expect(page.locator("#banner")).to_contain_text("No forecasts for ETHUSDT.")
    assert page.trouble == []


def test_data_of_another_symbol_is_never_shown(open_page, second_symbol):
    """While the documents of the selected symbol are delayed, and when they fail."""
    page = open_page()
    assert_live(page)
    expect(page.locator("#horizons tbody tr")).to_have_count(5)
    expect(page.locator("#runs-strip")).to_contain_text("UTC")
    second_url, held = re.compile(r"/api/\w+\?symbol=ETHUSDT"), []

    def hold(route):
        held.append(route)

    page.route(second_url, hold)
    page.locator("#symbol").select_option(second_symbol)
    parts = "#forecast-caption", "#hits", "#runs-strip", "#trouble", "#horizons tbody", "#board tbody", "#drift tbody"
    for part in parts:
        expect(page.locator(part)).to_have_text("Loading.")
    for part in "#last-close", "#ahead", "#candle-age":
        expect(page.locator(part)).to_have_text("–")
    for part in "#ahead-change", "#forecast tbody":
        expect(page.locator(part)).to_be_empty()
    expect(page.locator("#chart")).to_have_attribute("aria-label", "No candles.")

    def refuse(route):
        route.fulfill(status=503, json={"error": "the disk is full", "hint": None})

    page.route(second_url, refuse)  # takes precedence over the first route
    for route in held:
        refuse(route)
    for part in parts:
        expect(page.locator(part)).to_have_text("Could not be read: the disk is full.")
    expect(page.locator("#banner")).to_have_text("No current data. The disk is full.")
    page.unroute(second_url)
    expect(page.locator("#banner")).to_contain_text("No forecasts for ETHUSDT.")
    expect(page.locator("#board tbody")).to_have_text("No ensemble is active.")


def test_page_reports_an_empty_database(open_page, database_url):
    with serving(database_url) as service:
        page = open_page(url=service.url)
        expect(page.locator("#banner")).to_contain_text("No candles yet.")
        expect(page.locator("#horizons")).to_contain_text("No prediction")
        assert serious(page) == []
        # The browser logs that /health answers 503. Nothing else is logged.
        assert all("503" in line for line in page.trouble), page.trouble
        with psycopg.connect(database_url, autocommit=True) as db:
            load_demo(db, datetime.now(UTC))
        expect(page.locator("#symbol")).to_have_value("DEMO", timeout=40_000)
