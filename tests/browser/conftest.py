"""A real browser, without a window, on a running hub. What it saw at the end of each test is in build/screenshots."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from building.hub import Hub

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
DESKTOP = {"width": 1280, "height": 860}

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("There is no Chromium: install it (Debian: apt install chromium) to run the browser tests.")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield found
        found.close()


@pytest.fixture
def visit(browser: Browser, hub: Hub, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Opens a browser window (options as of `new_context`). A page may ask no other host for anything."""
    contexts = []
    elsewhere: list[str] = []

    def open_window(**options: object) -> Page:
        options.setdefault("viewport", DESKTOP)
        context = browser.new_context(base_url=hub.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: r.url.startswith((hub.url, "data:", "blob:")) or elsewhere.append(r.url))
        return page

    yield open_window
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for number, context in enumerate(contexts):
        for page in context.pages:
            name = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
            page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png", full_page=True)
        context.close()
    assert not elsewhere
