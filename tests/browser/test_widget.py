"""A model is tried on its page: each kind of form, from a model that is not loaded yet to its answer."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from building import models
from building.hub import Person
from building.pages import overflow

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Page]
#: milliseconds that a model may take to be loaded on a busy machine
LOADING = 240_000


@pytest.fixture(scope="module")
def model(alice: Person, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Uploads a tiny model of a kind (`building.models`) once; its id."""
    pytest.importorskip("torch", reason="Models run with torch: install corral[ml].")

    def upload(kind: str, card: str) -> str:
        repo = f"alice/widget-{kind}"
        if not alice.api.repo_exists(repo):
            alice.api.create_repo(repo)
            folder = models.make(kind, tmp_path_factory.mktemp("model") / kind)
            (folder / "README.md").write_text(f"---\n{card}---\n# A tiny model\n")
            alice.api.upload_folder(repo_id=repo, folder_path=folder)
        return repo

    return upload


def opened(page: Page, repo: str) -> Locator:
    page.goto(f"/{repo}")
    return page.get_by_role("region", name="Try it")


def answered(widget: Locator) -> None:
    expect(widget.get_by_role("status")).to_contain_text("s on this hub", timeout=LOADING)


SENTENCES = """\
pipeline_tag: sentence-similarity
library_name: sentence-transformers
widget:
- source_sentence: A horse grazes
  sentences: [A mare eats grass, "<img src=x onerror=alert(1)>"]
"""


def test_sentences_are_compared(visit: Visit, model: Callable[[str, str], str]) -> None:
    page = visit()
    widget = opened(page, model("embedding", SENTENCES))
    expect(widget.get_by_label("Source sentence")).to_have_value("A horse grazes")
    widget.get_by_role("button", name="Add a sentence").click()
    page.keyboard.type("A horse grazes")
    widget.get_by_role("button", name="Run").click()
    answered(widget)
    expect(widget.locator(".bars .label")).to_have_text(
        ["A mare eats grass", "<img src=x onerror=alert(1)>", "A horse grazes"]
    )
    assert widget.locator(".bars .n").last.inner_text() == "1.000"
    # what is wrong is said in words
    widget.get_by_label("Source sentence").fill("")
    widget.get_by_role("button", name="Run").click()
    expect(widget.get_by_role("status")).to_contain_text("Write a sentence")


def test_the_widget_fits_a_phone(visit: Visit, model: Callable[[str, str], str]) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    widget = opened(page, model("embedding", SENTENCES))
    widget.get_by_role("button", name="Run").click()
    answered(widget)
    assert not overflow(page)
    # it stands before the card there
    form, card = widget.bounding_box(), page.locator(".main-card").bounding_box()
    assert form is not None
    assert card is not None
    assert form["y"] < card["y"]


def test_a_conversation(visit: Visit, model: Callable[[str, str], str]) -> None:
    page = visit()
    repo = model("chat", "pipeline_tag: text-generation\nlibrary_name: transformers\n")
    widget = opened(page, repo)
    widget.get_by_text("Parameters").click()
    widget.get_by_label("Longest answer, in tokens").fill("8")
    field = widget.get_by_label("Say something")
    for number in (1, 2):
        field.fill("Hello")
        field.press("Enter")
        answered(widget)
        expect(widget.locator(".said")).to_have_count(2 * number)
    widget.get_by_role("button", name="Begin again").click()
    expect(widget.locator(".said")).to_have_count(0)


def test_a_picture_is_classified(visit: Visit, model: Callable[[str, str], str], tmp_path: Path) -> None:
    page = visit()
    widget = opened(page, model("classifier", "pipeline_tag: image-classification\nlibrary_name: transformers\n"))
    picture = tmp_path / "picture.png"
    picture.write_bytes(_png(48, 48))
    widget.locator("input[type=file]").set_input_files(picture)
    expect(widget.get_by_role("img", name="The picture to classify")).to_be_visible()
    answered(widget)
    assert sorted(widget.locator(".bars .label").all_inner_texts()) == ["a boat", "a cat", "a dog"]
    # what is no picture is refused with a sentence
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    widget.locator("input[type=file]").set_input_files(wrong)
    expect(widget.locator(".status.bad")).to_contain_text("picture")


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + bytes((x * 5, y * 5, 120)[c] for x in range(width) for c in range(3)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
