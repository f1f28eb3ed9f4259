"""Models of one task side by side, and an address that brings somebody else to the same comparison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from building.pages import faint_texts, overflow
from building.pictures import png

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Page]
Tiny = Callable[..., str]
#: milliseconds that a model may take to be loaded on a busy machine
LOADING = 240_000
PICTURES = "pipeline_tag: image-classification\nlibrary_name: transformers\n"
CHAT = "pipeline_tag: text-generation\nlibrary_name: transformers\n"


@pytest.fixture
def two(tiny: Tiny) -> list[str]:
    return [tiny("classifier", PICTURES), tiny("classifier", PICTURES, "other-classifier")]


def answered(page: Page, *repos: str) -> None:
    for repo in repos:
        status = page.get_by_role("region", name=repo, exact=True).locator(".status")
        expect(status).to_contain_text("CPU core", timeout=LOADING)


def picked(page: Page, words: str) -> Locator:
    field = page.get_by_role("combobox", name="Add a model")
    field.fill(words)
    return page.get_by_role("option", name=words)


def test_one_picture_for_two_models(visit: Visit, two: list[str], tiny: Tiny) -> None:
    page = visit()
    page.goto(f"/{two[0]}")
    page.get_by_role("link", name="Compare it with other models").click()
    # by keyboard: only models of this task that run are offered
    expect(picked(page, two[1])).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name=two[1])).to_be_visible()
    picked(page, tiny("chat", CHAT))
    expect(page.get_by_text("No other model for this task runs here.")).to_be_visible()
    page.get_by_role("button", name="A cat").click()
    answered(page, *two)
    for repo in two:
        expect(page.get_by_role("region", name=repo).locator(".bars li")).to_have_count(3)
        expect(page.get_by_role("region", name=repo)).to_contain_text("of weights")
    # two that took the same time are both not
    assert page.locator(".compare-seats .badge:visible").count() <= 1
    # the address is the comparison
    other = visit()
    other.goto(page.url)
    expect(other.get_by_role("img", name="Picture", exact=True)).to_be_visible()
    other.get_by_role("button", name="Run").click()
    answered(other, *two)
    bars = ".bars li"
    first, again = (p.get_by_role("region", name=two[0]).locator(bars).all_inner_texts() for p in (page, other))
    assert first == again
    assert faint_texts(other) == []


def test_what_no_address_holds_is_said(visit: Visit, two: list[str], tiny: Tiny, tmp_path: Path) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    chat = tiny("chat", CHAT)
    page.goto(f"/compare?models={two[0]},{chat},alice/absent")
    expect(page.get_by_role("region", name=chat)).to_contain_text(
        "It is for text generation, because its card says pipeline_tag: text-generation;"
        " this comparison is of models for image classification."
    )
    expect(page.get_by_role("region", name="alice/absent")).to_contain_text("no such model here, or it is private")
    picture = tmp_path / "picture.png"
    picture.write_bytes(png(48, 48))
    page.locator("input[type=file]").set_input_files(picture)
    page.get_by_role("button", name="Remove alice/absent").click()
    expect(page.get_by_text("Your file is only on this computer")).to_be_visible()
    # it is still there when a model is added
    picked(page, two[1]).click()
    page.get_by_role("button", name="Run").click()
    answered(page, *two)
    assert "src" not in page.url
    assert not overflow(page)


def test_one_question_for_models_that_chat(visit: Visit, tiny: Tiny) -> None:
    page = visit()
    both = [tiny("chat", CHAT), tiny("chat", CHAT, "other-chat")]
    query = "parameters=%7B%22max_new_tokens%22%3A8%7D&inputs=What%20is%20a%20horse%3F"
    page.goto(f"/compare?models={','.join(both)}&{query}")
    expect(page.get_by_label("What to ask")).to_have_value("What is a horse?")
    page.get_by_role("checkbox", name="at the same time").check()
    page.get_by_role("button", name="Run").click()
    answered(page, *both)
    for repo in both:
        expect(page.get_by_role("region", name=repo).locator(".said")).not_to_be_empty()


def test_without_a_script_it_is_a_table(visit: Visit, two: list[str]) -> None:
    page = visit(java_script_enabled=False)
    page.goto(f"/compare?models={two[0]}")
    page.get_by_label("Add a model").fill(two[1])
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("row", name=two[0]).get_by_role("link", name="Remove").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_text("needs JavaScript")).to_be_visible()
