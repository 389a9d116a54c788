"""Accessibility of the page: both themes, phones, keyboard, screen readers."""

import pytest
from playwright.sync_api import expect

from tests.support.dashboard_page import DESKTOP, LAPTOP, NARROW, PHONE, assert_live, serious, shot


@pytest.mark.parametrize(
    ("name", "viewport", "scheme"),
    [
        ("light", DESKTOP, "light"),
        ("dark", DESKTOP, "dark"),
        ("laptop", LAPTOP, "light"),
        ("narrow", NARROW, "dark"),
        ("phone", PHONE, "light"),
    ],
)
def test_page_is_accessible(open_page, db, name, viewport, scheme):
    page = open_page(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    assert_live(page)
    expect(page.locator("#horizons tbody tr")).to_have_count(5)
    expect(page.locator("#health-facts dt")).not_to_have_count(0)
    shot(page, name)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    if viewport is not PHONE:
        table = "document.querySelector('#forecast').parentElement"
        assert page.evaluate(f"{table}.scrollWidth <= {table}.clientWidth"), "the forecast is cut"
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 300) == (scheme == "dark")
    assert page.trouble == []


def test_keyboard_reaches_every_control(open_page, db):
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
    controls = ["symbol", "theme", "range", "past-horizon", "window", "coverage-horizon", "board-horizon"]
    assert [one for one in reached if one in controls] == controls

    page.locator("#range input:checked").focus()
    chart = page.locator("#chart").screenshot()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#range input:checked")).to_have_value("120")
    page.wait_for_timeout(100)
    assert page.locator("#chart").screenshot() != chart


def test_theme_survives_a_reload(open_page, db):
    page = open_page(color_scheme="light")
    color = "getComputedStyle(document.body).color"
    light = page.evaluate(color)
    page.locator("#theme input[value=dark]").check()
    dark = page.evaluate(color)
    assert dark != light
    page.reload()
    assert page.evaluate(color) == dark
    page.locator("#theme input[value=auto]").check()
    assert page.evaluate(color) == light
