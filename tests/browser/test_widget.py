"""A model is tried on its page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from building.hub import Person
from building.models import minilm

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="session")
def sentences(alice: Person) -> str:
    """A model that embeds sentences, with its real weights."""
    pytest.importorskip("torch", reason="Models run with torch: install corral[ml].")
    repo = alice.api.create_repo("alice/widget-minilm").repo_id
    alice.api.upload_folder(repo_id=repo, folder_path=minilm())
    card = b"---\npipeline_tag: sentence-similarity\nlibrary_name: sentence-transformers\n---\n# MiniLM\n"
    alice.api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=repo)
    return repo


def test_the_widget_answers(visit: Callable[..., Page], sentences: str) -> None:
    page = visit()
    page.goto(f"/{sentences}")
    widget = page.get_by_role("region", name="Try it")
    widget.get_by_label("Source sentence").fill("A cat is sleeping on the sofa")
    widget.get_by_role("textbox", name="Sentence 1").fill("A kitten naps on the couch")
    widget.get_by_role("button", name="Run").click()
    # at first the model is loaded, and the page says so
    expect(widget.get_by_role("status")).to_contain_text("s on this hub", timeout=240_000)
    scores = [float(text) for text in widget.locator(".bars .n").all_inner_texts()]
    assert len(scores) == 3
    assert scores[0] > 0.4 > max(scores[1:])
    # what is wrong is said in words
    widget.get_by_label("Source sentence").fill("")
    widget.get_by_role("button", name="Run").click()
    expect(widget.get_by_role("status")).to_contain_text("Write a sentence")


def test_the_widget_fits_a_phone(visit: Callable[..., Page], sentences: str) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    page.goto(f"/{sentences}")
    widget = page.get_by_role("region", name="Try it")
    widget.get_by_role("button", name="Run").click()
    expect(widget.get_by_role("status")).to_contain_text("s on this hub", timeout=240_000)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # it stands before the card there
    assert widget.bounding_box()["y"] < page.locator(".main-card").bounding_box()["y"]  # type: ignore[index]
