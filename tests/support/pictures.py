"""Takes the pictures of the dashboard in docs/images. The database of .env must have live predictions.

make up CANDLES=demo                                  and wait for an hour of predictions
python -m tests.support.pictures
python -m tests.support.pictures /tmp/pictures
"""

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from bench.first_paint import chromium
from bench.processes import served
from candlecast.client.database import database_url
from tests.support.dashboard_page import assert_live
from tests.support.paths import ROOT

SIZE = {"width": 1280, "height": 760}


def main(folder: Path) -> None:
    """Write dashboard-light.png and dashboard-dark.png."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        served(database_url()) as (address, _),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=options) as browser,
    ):
        for scheme in ("light", "dark"):
            take_picture(browser, address, scheme).save(folder / f"dashboard-{scheme}.png", optimize=True)


def take_picture(browser: Browser, address: str, scheme: str) -> Image.Image:
    """The page from its header to the accuracy panels, with 256 colors: a third of the size."""
    with browser.new_context(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(address)
        assert_live(page)
        expect(page.locator("#horizons tbody tr")).to_have_count(5)
        expect(page.locator("#latency dt")).not_to_have_count(0)
        page.wait_for_timeout(500)  # the chart draws some frames later
        last = page.locator("section.horizons").bounding_box()
        height = last["y"] + last["height"] + 12
        png = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": SIZE["width"], "height": height})
    return Image.open(io.BytesIO(png)).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
