"""The page in headless Chromium with a live database."""

import os
import shutil

import psycopg
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.dashboard_page import DESKTOP
from tests.support.deployment import deploy_calibrated
from tests.support.serving import bring_up_to_now, next_minute, serving


@pytest.fixture(scope="module")  # not longer: Playwright keeps an event loop running until it ends
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed: scripts/packages.sh --tests, which make test runs, could not get it")
    # Chromium's sandbox does not work for root. The browser loads only local pages.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=options)
        yield started
        started.close()


@pytest.fixture(scope="session")
def database(make_session_database, template, artifacts):
    """Two days of DEMO until now, predicted since yesterday by a calibrated ensemble."""
    url = make_session_database(template)
    with psycopg.connect(url, autocommit=True) as db:
        deploy_calibrated(db, artifacts)
        bring_up_to_now(db, minutes=26 * 60)
        db.execute("select count(*) from measure_drift(), check_consistency()")
    return url


@pytest.fixture(scope="session")
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
    """A symbol with candles and without an ensemble, listed by the service."""
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
    """open_page(viewport=...) -> the page after its first update; console errors are in page.trouble."""
    contexts = []

    def visit(path: str = "/", url: str = service.url, **options) -> Page:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        page = context.new_page()
        page.trouble, page.requested = [], []
        page.on("console", lambda line: page.trouble.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("request", lambda request: page.requested.append(request.url))
        page.goto(url + path)
        expect(page.locator("#pill-text")).not_to_have_text("connecting")
        return page

    yield visit
    for context in contexts:
        context.close()
