"""The chat that the zoo ships, as a Space of somebody's own on a running hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from building import models
from building.hub import Hub, Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SITE = Path(__file__).parents[2] / "zoo" / "chat" / "site"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of its own: the Space has another host than the hub, which it asks."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def model(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> str:
    repo: str = owner.api.create_repo(f"{owner.name}/talker").repo_id
    owner.api.upload_folder(repo_id=repo, folder_path=models.make("chat", tmp_path_factory.mktemp("chat") / "model"))
    return repo


@pytest.fixture(scope="module")
def space(owner: Person) -> str:
    repo = owner.api.create_repo(f"{owner.name}/chat", repo_type="space", space_sdk="static").repo_id
    owner.api.upload_folder(repo_id=repo, repo_type="space", folder_path=SITE)
    host = owner.api.space_info(repo, expand=["subdomain"]).subdomain
    return owner.url.replace("127.0.0.1", f"{host}.localhost")


def test_a_conversation_is_held_kept_and_rated(page: Page, owner: Person, model: str, space: str) -> None:
    page.goto(space)
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Longest answer, in tokens").fill("12")
    page.get_by_label("Access token").fill(owner.token)
    page.get_by_role("button", name="Done").click()
    page.get_by_label("Message").fill("Hello there")
    page.keyboard.press("Enter")
    expect(page.get_by_text(" s on ")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Say that this answer is good").click()
    expect(page.get_by_text("the model's owner sees it")).to_be_visible()
    [opinion] = httpx.get(f"{owner.url}/api/models/{model}/feedback", headers=owner.headers).json()
    assert opinion["input"] == {"messages": [{"role": "user", "content": "Hello there"}]}
    assert (opinion["rating"], opinion["source"]) == ("up", "chat")
    page.reload()
    page.get_by_role("button", name="Hello there", exact=True).click()
    expect(page.get_by_text(" s on ")).to_be_visible()


def test_what_a_model_writes_runs_nothing(page: Page, space: str) -> None:
    page.goto(space)
    written = "<img src=x onerror=alert(1)> **bold** `<b>`\n\n```html\n<script>1</script>\n```"
    shown = page.evaluate(
        """async (written) => {
            const { rendered } = await import('./render.js');
            const box = document.createElement('div');
            box.append(...rendered(written));
            return [box.querySelectorAll('img, script, b').length, box.querySelectorAll('strong, code, pre').length];
        }""",
        written,
    )
    assert shown == [0, 3]
