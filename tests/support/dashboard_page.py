"""Checks of the dashboard in a browser: whether it is live, what its chart draws, what axe-core finds."""

import io
import os
from datetime import datetime
from pathlib import Path

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.deployment import MINUTE

DESKTOP = {"width": 1440, "height": 900}
LAPTOP = {"width": 1280, "height": 720}
NARROW = {"width": 1250, "height": 820}
PHONE = {"width": 390, "height": 844}
#: SCREENSHOTS=folder writes screenshots there.
SCREENSHOTS = os.environ.get("SCREENSHOTS")


def shot(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def assert_live(page: Page) -> None:
    expect(page.locator("#pill-text")).to_have_text("live")
    expect(page.locator("#forecast-state")).to_have_text("live")
    expect(page.locator("#forecast tbody tr")).to_have_count(5)


def closing_time(candle_time: datetime) -> str:
    return (candle_time + MINUTE).strftime("%H:%M")


def drawn_ranges(page: Page) -> list[tuple[int, int]]:
    """Pixel ranges, from the left, in which the chart shows brown, the color of past forecasts."""
    image = Image.open(io.BytesIO(page.locator("#chart").screenshot())).convert("RGB")
    red, green, blue = np.asarray(image).astype(int).transpose(2, 0, 1)
    columns = np.flatnonzero(((red - green > 10) & (green - blue > 25)).any(axis=0))
    return [(int(run[0]), int(run[-1])) for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)]


def serious(page: Page) -> list[str]:
    """The serious and critical violations that axe-core finds."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
