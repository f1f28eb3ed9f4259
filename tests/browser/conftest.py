"""A real browser, without a window, on a running hub. What it saw at the end of each test is in build/screenshots."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from building import models, models_audio, models_diffusion, models_text, models_vision
from building.hub import Hub, Person

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
DESKTOP = {"width": 1280, "height": 860}

#: one that beeps, and that every page may use
_MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("There is no Chromium: install it (Debian: apt install chromium) to run the browser tests.")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", *_MICROPHONE],
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


@pytest.fixture(scope="session")
def tiny(alice: Person, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Uploads a tiny model of alice's once: `tiny(kind, card)` -> its id; another `name`, another one."""
    pytest.importorskip("torch", reason="Models run with torch: install corral[ml].")
    folders: dict[str, Path] = {}

    def made(kind: str) -> Path:
        if kind not in folders:
            into = tmp_path_factory.mktemp("models")
            if kind in models.KINDS:
                folders[kind] = models.make(kind, into / kind)
            elif kind in models_vision.KINDS:
                folders[kind] = models_vision.make(kind, into / kind)
            elif kind in models_diffusion.KINDS:
                folders.update(models_diffusion.make(kind, into=into))
            elif kind in models_text.KINDS:
                folders.update(models_text.make_all(into, kind))
            else:
                folders.update(models_audio.make(into))
        return folders[kind]

    def upload(kind: str, card: str, name: str = "") -> str:
        repo = f"alice/tiny-{name or kind}"
        if not alice.api.repo_exists(repo):
            alice.api.create_repo(repo)
            (made(kind) / "README.md").write_text(f"---\n{card}---\n# A tiny model\n")
            alice.api.upload_folder(repo_id=repo, folder_path=made(kind))
        return repo

    return upload
