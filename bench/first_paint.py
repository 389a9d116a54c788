"""Load time of the dashboard in headless Chromium, each time with an empty cache and a newly started service.

    python -m bench first-paint
    python -m bench first-paint --loads 40

`candlecast serve` has no cached answer when the page is loaded. Three times are measured from the start of the
navigation: the browser's first contentful paint, the price and its forecast drawn, and every section filled.
`scale` measures the same with 20 million predictions.
"""

import os
import shutil
from typing import Annotated

import typer
from playwright.sync_api import Browser, sync_playwright

from bench.figures import Figure, Limit, OnStep, progress
from bench.processes import served
from candlecast.client.database import database_url

_PAINTED = "performance.getEntriesByName('first-contentful-paint')"
_DRAWN = "/UTC/.test(document.querySelector('#candle-time').textContent) && document.querySelector('#chart canvas')"
_FILLED = """
[...document.querySelectorAll('#forecast, #horizons, #coverage, #board, #drift')]
.every((one) => one.querySelector('tbody tr') && !one.textContent.includes('Loading.'))
&& document.querySelector('#latency dd') && document.querySelector('#health-facts dd')"""
#: For each moment its name, its condition in the page, its time, its limits.
_MOMENTS = (
    ("the page's first contentful paint", f"{_PAINTED}.length", f"{_PAINTED}[0].startTime", (Limit("max", 1_000.0),)),
    ("price, candles and forecast drawn", _DRAWN, "performance.now()", ()),
    ("every section filled", _FILLED, "performance.now()", ()),
)
#: Milliseconds since the navigation's start when a condition is first met.
_WHEN = """async () => {
  while (!(%s)) {
    if (performance.now() > 30_000) throw new Error("condition not met after 30 s");
    await new Promise(requestAnimationFrame);
  }
  return %s;
}"""


def main(
    symbol: Annotated[str | None, typer.Option(help="Symbol of the page; default: its first one.")] = None,
    loads: Annotated[int, typer.Option(min=1, help="Number of loads. Each starts a new service.")] = 20,
) -> list[Figure]:
    """Load the page repeatedly and measure."""
    with progress("Loading") as on_step:
        return painting(database_url(), on_step, loads, symbol)


def chromium() -> str:
    """Path of the browser. Raises typer.BadParameter if it is not installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        raise typer.BadParameter("chromium is not installed. Run scripts/packages.sh --tests")
    return found


def painting(url: str, on_step: OnStep, loads: int = 20, symbol: str | None = None) -> list[Figure]:
    """Milliseconds of each moment. Raises typer.BadParameter if Chromium is not installed."""
    samples = []
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=options) as browser,
    ):
        for load in range(loads):
            samples.append(_load(browser, url, symbol))
            on_step(load + 1, loads, "")
    return [
        Figure(what, "ms", each, limits)
        for (what, _, _, limits), each in zip(_MOMENTS, zip(*samples, strict=True), strict=True)
    ]


def _load(browser: Browser, url: str, symbol: str | None) -> list[float]:
    with served(url) as (address, _), browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.goto(address + (f"?symbol={symbol}" if symbol else ""), wait_until="commit")
        return [page.evaluate(_WHEN % (condition, at)) for _, condition, at, _ in _MOMENTS]
