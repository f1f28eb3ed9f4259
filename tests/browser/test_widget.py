"""A model is tried on its page: forms, waiting, answers, and what goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from building.hub import PASSWORD
from building.pages import faint_texts, overflow, sign_in
from building.pictures import png

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Page]
Tiny = Callable[..., str]
#: milliseconds that a model may take to be loaded on a busy machine
LOADING = 240_000
SENTENCES = """\
pipeline_tag: sentence-similarity
library_name: sentence-transformers
widget:
- source_sentence: A horse grazes
  sentences: [A mare eats grass, "<img src=x onerror=alert(1)>"]
"""
CHAT = "pipeline_tag: text-generation\nlibrary_name: transformers\n"
PICTURES = "pipeline_tag: image-classification\nlibrary_name: transformers\n"


def opened(page: Page, repo: str) -> Locator:
    page.goto(f"/{repo}")
    return page.get_by_role("region", name="Try it")


def answered(widget: Locator) -> None:
    expect(widget.locator(".status").first).to_contain_text("CPU core", timeout=LOADING)


def test_sentences_are_compared(visit: Visit, tiny: Tiny) -> None:
    page = visit()
    widget = opened(page, tiny("embedding", SENTENCES))
    expect(widget.get_by_label("Source sentence")).to_have_value("A horse grazes")
    widget.get_by_role("button", name="Add a line").click()
    page.keyboard.type("A horse grazes")
    widget.get_by_role("button", name="Run").click()
    # whoever waits is told that it loads
    expect(widget.locator(".status").first).to_contain_text("loading", timeout=LOADING)
    answered(widget)
    expect(widget.locator(".bars .label")).to_have_text(
        ["A mare eats grass", "<img src=x onerror=alert(1)>", "A horse grazes"]
    )
    assert widget.locator(".bars .n").last.inner_text() == "1.000"
    widget.get_by_text("The answer as JSON").click()
    expect(widget.locator(".raw code")).to_contain_text("]")
    assert len(json.loads(widget.locator(".raw code").inner_text())) == 3
    widget.get_by_text("View request").click()
    request = widget.locator(".widget > .uses code")
    expect(request).to_contain_text("POST /inference/alice/tiny-embedding")
    assert json.loads(request.inner_text().partition("\n")[2])["inputs"]["source_sentence"] == "A horse grazes"
    # what is wrong is said in words
    widget.get_by_label("Source sentence").fill("")
    widget.get_by_role("button", name="Run").click()
    expect(widget.locator(".status.bad")).to_have_text("Fill in “Source sentence” first.")
    expect(widget.get_by_label("Source sentence")).to_be_focused()


def test_by_keyboard_on_a_phone_in_the_dark(visit: Visit, tiny: Tiny) -> None:
    page = visit(viewport={"width": 390, "height": 844}, color_scheme="dark")
    widget = opened(page, tiny("embedding", SENTENCES))
    widget.get_by_label("Source sentence").focus()
    page.keyboard.press("Control+Enter")
    answered(widget)
    assert not overflow(page)
    assert faint_texts(page) == []
    # it stands before the card there
    form, card = widget.bounding_box(), page.locator(".main-card").bounding_box()
    assert form is not None
    assert card is not None
    assert form["y"] < card["y"]


def test_a_conversation(visit: Visit, tiny: Tiny) -> None:
    page = visit()
    widget = opened(page, tiny("chat", CHAT))
    widget.get_by_text("Parameters", exact=True).click()
    longest = widget.get_by_label("Longest answer, in tokens")
    longest.fill("0")
    field = widget.get_by_label("Say something")
    field.fill("Hello")
    field.press("Enter")
    expect(widget.locator(".status.bad")).to_contain_text("must be a number from 1 to")
    longest.fill("8")
    for number in (1, 2):
        field.fill("Hello")
        field.press("Enter")
        answered(widget)
        expect(widget.locator(".said")).to_have_count(2 * number)
    widget.get_by_text("View request").click()
    expect(widget.locator(".widget > .uses code")).to_contain_text('"role": "assistant"')
    widget.get_by_role("button", name="Begin again").click()
    expect(widget.locator(".said")).to_have_count(0)


def test_who_waits_knows_his_place_and_may_leave(visit: Visit, tiny: Tiny) -> None:
    # nobody has loaded it yet
    repo = tiny("chat", CHAT, "crowded-chat")
    crowd, page = visit(), visit()
    widget = opened(page, repo)
    crowd.goto("/")
    body = {"model": repo, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    crowd.evaluate(
        "body => { for (let i = 0; i < 12; i++) fetch('/v1/chat/completions', { method: 'POST', body }) }",
        json.dumps(body),
    )
    field = widget.get_by_label("Say something")
    field.fill("Is it my turn?")
    field.press("Enter")
    expect(widget.locator(".status").first).to_have_text(re.compile("place [0-9]+ of [0-9]+", re.I), timeout=LOADING)
    expect(widget.get_by_label("How far it is")).to_be_visible()
    widget.get_by_role("button", name="Stop").click()
    expect(widget.locator(".status").first).to_have_text("Stopped.")
    # what got no answer is there to be sent again
    expect(widget.locator(".said")).to_have_count(0)
    expect(field).to_have_value("Is it my turn?")
    crowd.close()


def test_a_picture_is_classified(visit: Visit, tiny: Tiny, tmp_path: Path) -> None:
    page = visit()
    widget = opened(page, tiny("classifier", PICTURES))
    picture, wrong = tmp_path / "picture.png", tmp_path / "wrong.png"
    picture.write_bytes(png(48, 48))
    wrong.write_bytes(b"no picture")
    widget.get_by_role("button", name="Run").click()
    expect(widget.locator(".status.bad")).to_have_text("Choose a picture first.")
    widget.locator("input[type=file]").set_input_files(picture)
    expect(widget.get_by_role("img", name="Picture", exact=True)).to_be_visible()
    widget.get_by_role("button", name="Run").click()
    answered(widget)
    assert sorted(widget.locator(".bars .label").all_inner_texts()) == ["a boat", "a cat", "a dog"]
    widget.get_by_text("Parameters", exact=True).click()
    widget.get_by_label("How many answers").fill("1")
    # an example is a click
    widget.get_by_role("button", name="A cup of coffee").click()
    expect(widget.locator(".bars li")).to_have_count(1)
    # what is no picture is refused with a sentence, and the one before stays
    widget.locator("input[type=file]").set_input_files(wrong)
    expect(widget.locator(".status.bad")).to_contain_text("picture cannot be shown")
    expect(widget.get_by_role("img", name="Picture", exact=True)).to_be_visible()


def test_opinions_are_of_people_who_are_signed_in(visit: Visit, tiny: Tiny) -> None:
    page = visit()
    repo = tiny("classifier", PICTURES)
    widget = opened(page, repo)
    widget.get_by_role("button", name="A cat").click()
    answered(widget)
    expect(widget.get_by_role("button", name="A good answer")).to_have_count(0)
    sign_in(page, "alice", PASSWORD)
    widget = opened(page, repo)
    widget.get_by_role("button", name="A cat").click()
    answered(widget)
    widget.get_by_role("button", name="A bad answer").click()
    expect(widget.get_by_text("the model's owner will see it")).to_be_visible()
    widget.get_by_label("Why?").fill("It is no boat")
    with page.expect_response(f"**/{repo}/feedback") as told:
        widget.get_by_role("button", name="Send").click()
    assert told.value.ok
    page.goto(f"/{repo}/feedback")
    expect(page.get_by_text("It is no boat")).to_have_count(1)
    expect(page.get_by_text("/static/example-cat.jpg").first).to_be_visible()


def test_without_a_script_it_says_how_to_call_it(visit: Visit, tiny: Tiny) -> None:
    page = visit(java_script_enabled=False)
    widget = opened(page, tiny("classifier", PICTURES))
    expect(widget.get_by_text("needs JavaScript")).to_be_visible()
    widget.get_by_text("Call it from Python").click()
    expect(widget.get_by_text("client.image_classification")).to_be_visible()


def test_the_task_is_set_where_it_was_guessed(visit: Visit, tiny: Tiny) -> None:
    repo = tiny("classifier", "license: mit\n", "untold")
    page = visit()
    sign_in(page, "alice", PASSWORD)
    widget = opened(page, repo)
    expect(widget.get_by_text("names the architecture")).to_be_visible()
    widget.get_by_label("what it is for").select_option("Image Classification")
    widget.get_by_role("button", name="Set the task").click()
    expect(page.get_by_role("status").first).to_contain_text("committed")
    widget = page.get_by_role("region", name="Try it")
    expect(widget.get_by_text("its card says pipeline_tag")).to_be_visible()
    expect(widget.get_by_role("button", name="Set the task")).to_have_count(0)
