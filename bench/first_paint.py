"""How soon the dashboard is on the screen: headless Chromium, each time with an empty cache and a service just started.

    python -m bench.first_paint                 the database of .env
    python -m bench.first_paint --loads 40

`candlecast serve` runs as its users run it; no answer is cached when the page comes. Three moments, counted from the
navigation's start: the browser's first contentful paint, the price and its forecast drawn, and every section filled.
bench.scale measures the same beside 20 million predictions.
"""

import os
import shutil
from collections.abc import Callable
from typing import Annotated

import typer
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from bench.report import DatabaseUrl, Figure, JsonFile, Limit, tell
from bench.serve_load import served
from candlecast.client.database import database_url as url_of
from candlecast.client.progress import shown

_DESKTOP = {"width": 1440, "height": 900}
#: Conditions in the page, and what each is called.
MOMENTS = {
    "the page's first contentful paint": "performance.getEntriesByName('first-contentful-paint').length",
    "price, candles and forecast drawn": (
        "/UTC/.test(document.querySelector('#candle-time').textContent) && document.querySelector('#chart canvas')"
    ),
    "every section filled": (
        "[...document.querySelectorAll('#forecast, #horizons, #coverage, #board, #drift')]"
        ".every((one) => one.querySelector('tbody tr') && !one.textContent.includes('Not read yet.'))"
        " && document.querySelector('#latency dd') && document.querySelector('#health-facts dd')"
    ),
}
#: Milliseconds since the navigation's start when a condition is first met; of the first paint, as the browser has it.
_WHEN = """async () => {
  while (!(%s)) {
    if (performance.now() > 30_000) throw new Error("not so after 30 s");
    await new Promise(requestAnimationFrame);
  }
  return %s;
}"""
_NOW, _PAINTED = "performance.now()", "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_LIMITS = ((Limit("max", 1_000.0),), (), ())


def main(
    database_url: DatabaseUrl = None,
    symbol: Annotated[str | None, typer.Option(help="Default: the leading one.")] = None,
    loads: Annotated[int, typer.Option(min=1, help="Each starts the service anew.")] = 20,
    json_file: JsonFile = None,
) -> None:
    """Load the page again and again."""
    url = url_of(database_url)
    with shown(Console(stderr=True), "Loading") as on_step:
        figures = painting(url, on_step, loads, symbol)
    tell("the page in headless Chromium", url, figures, json_file)


def chromium() -> str:
    """The browser; raises typer.BadParameter where it is not here."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        raise typer.BadParameter("chromium is not here: scripts/packages.sh --tests installs it")
    return found


def painting(
    url: str, on_step: Callable[[int, int, str], None], loads: int = 20, symbol: str | None = None
) -> list[Figure]:
    """Milliseconds of each moment; raises typer.BadParameter where Chromium is not here."""
    samples: dict[str, list[float]] = {moment: [] for moment in MOMENTS}
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium(), args=options)
        for load in range(loads):
            for moment, milliseconds in _load(browser, url, symbol).items():
                samples[moment].append(milliseconds)
            on_step(load + 1, loads, "")
        browser.close()
    return [Figure(moment, "ms", each, limits) for (moment, each), limits in zip(samples.items(), _LIMITS, strict=True)]


def _load(browser: Browser, url: str, symbol: str | None) -> dict[str, float]:
    with served(url) as (address, _), browser.new_context(viewport=_DESKTOP) as context:
        page = context.new_page()
        page.goto(address + (f"?symbol={symbol}" if symbol else ""), wait_until="commit")
        return {
            moment: page.evaluate(_WHEN % (condition, _PAINTED if "first-contentful-paint" in condition else _NOW))
            for moment, condition in MOMENTS.items()
        }


if __name__ == "__main__":
    typer.run(main)
