"""Content of the page, and its updates without a reload."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.dashboard_page import assert_live, closing_time, drawn_ranges, shot
from tests.support.deployment import MINUTE
from tests.support.serving import next_minute


def test_new_candle_and_forecast_appear_without_a_reload(open_page, db, service):
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
    assert page.evaluate("window.same"), "the page was reloaded"
    assert page.trouble == []
    assert page.requested
    assert all(url.startswith(f"{service.url}/") for url in page.requested), "a request went to another host"


def test_page_shows_the_values_of_the_database(open_page, db, service):
    page = open_page()
    assert_live(page)
    expect(page.locator("#synthetic")).to_be_visible()
    hits, total = db.execute(
        "select count(*) filter (where direction_hit), count(direction_hit) from prediction_outcomes where horizon = 2"
        " and candle_time > (select max(open_time) from candles_1m) - interval '1 hour'"
    ).fetchone()
    strip = page.locator("#hits .cells").nth(1)
    expect(strip).to_have_attribute("aria-label", f"2 min ahead: {hits} hits of {total}")
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
    expect(page.locator("#history")).to_contain_text("now")
    expect(page.locator("#latency")).to_contain_text("ms")
    expect(page.locator("#health-facts")).to_contain_text("ok")
    expect(page.locator("#tests")).to_contain_text("None.")
    drifted, features = db.execute(
        "select count(distinct feature) filter (where drifted), count(distinct feature) from feature_drift"
    ).fetchone()
    expect(page.locator("#drift-day")).to_contain_text(f": {drifted} of {features} drifted")
    expect(page.locator("#drift tbody tr")).to_have_count(8)
    expect(page.locator("#consistency")).to_contain_text("minutes recomputed, no difference.")


def test_a_repeated_failure_is_listed_once_with_its_count(open_page, db):
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


def test_missing_forecasts_are_gaps_and_an_isolated_one_is_a_dot(open_page, db):
    """A line of 18 minutes, a gap of 18, a dot, a gap, a line: 3 % above the candles, which would hide parts of it."""
    (newest,) = db.execute("select max(candle_time) from predictions").fetchone()
    # Older than the predictions that the other tests of this file write.
    kept = [newest - age * MINUTE for age in (*range(41, 60), 77, *range(95, 114))]
    past = "horizon = 3 and candle_time > now() - interval '3 hours'"
    db.execute(f"delete from predictions where {past} and candle_time <> all(%s)", ([newest, *kept],))
    db.execute(
        "update predictions set predicted_price = 1.03 * predicted_price, lower_price = 1.03 * lower_price,"
        f" upper_price = 1.03 * upper_price where {past} and candle_time = any(%s)",
        (kept,),
    )
    page = open_page(color_scheme="light")
    assert_live(page)
    expect(page.locator("#hits .cells").nth(2).locator(".gap")).to_have_count(40)
    page.locator("#past-horizon").select_option("3")
    page.locator("#range input[value='120']").check()
    for _ in range(20):  # the chart draws some frames later
        page.wait_for_timeout(250)
        if len(ranges := drawn_ranges(page)) == 3:
            break
    shot(page, "gaps")
    (line_start, line_end), (dot_start, dot_end), (second_start, second_end) = ranges
    length = line_end - line_start
    assert second_end - second_start == pytest.approx(length, abs=3)
    assert 2 <= dot_end - dot_start <= 8
    assert dot_start - line_end == pytest.approx(length, abs=6)
    assert second_start - dot_end == pytest.approx(length, abs=6)
