"""Each kind of input and of answer in the widget: drawn, painted, recorded, marked."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from building.pages import faint_texts
from building.pictures import png

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visit = Callable[..., Page]
Tiny = Callable[..., str]
#: milliseconds that a model may take to be loaded on a busy machine
LOADING = 240_000


def opened(page: Page, repo: str) -> Locator:
    page.goto(f"/{repo}")
    return page.get_by_role("region", name="Try it")


def answered(widget: Locator) -> None:
    expect(widget.locator(".status").first).to_contain_text("CPU core", timeout=LOADING)


def test_boxes_are_drawn_and_counted(visit: Visit, tiny: Tiny) -> None:
    # colours that change slowly would be measured half way
    page = visit(reduced_motion="reduce")
    widget = opened(page, tiny("yolos", "pipeline_tag: object-detection\n"))
    widget.get_by_text("Parameters", exact=True).click()
    widget.get_by_label("How sure it must be").fill("0.01")
    widget.get_by_role("button", name="A cat").click()
    answered(widget)
    widget.get_by_text("The answer as JSON").click()
    expect(widget.locator(".raw code")).to_contain_text("]")
    found = json.loads(widget.locator(".raw code").inner_text())
    assert found
    expect(widget.locator(".drawn .tag")).to_have_count(len(found))
    labels = [one["label"] for one in found]
    counts = [text for label in {*labels} for text in (f"{labels.count(label)} × {label}", f"1 {label}")]
    assert {*widget.locator(".counts li").all_inner_texts()} <= {*counts, *map(_plural, counts)}
    # the surest only
    slider = widget.get_by_label("Sure at least")
    slider.fill("1")
    expect(widget.locator(".drawn .tag")).to_have_count(0)
    expect(widget.get_by_text("Nothing was found")).to_be_visible()
    slider.fill("0")
    # a box lies where the answer says
    box = max(found, key=lambda one: one["score"])["box"]
    rect = widget.locator("rect.box-line").last
    assert [float(rect.get_attribute(name) or "nan") for name in ("x", "y")] == [box["xmin"], box["ymin"]]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert faint_texts(page) == []


def _plural(counted: str) -> str:
    number, _, label = counted.partition(" × ")
    return f"{number} {label}s"


def test_masks_can_be_put_off(visit: Visit, tiny: Tiny) -> None:
    page = visit()
    widget = opened(page, tiny("segformer", "pipeline_tag: image-segmentation\n"))
    widget.get_by_role("button", name="A cat").click()
    answered(widget)
    masks = widget.locator("canvas.mask-layer")
    expect(masks.first).to_be_visible()
    # each has the size of the picture
    size = "(node) => [node.naturalWidth ?? node.width, node.naturalHeight ?? node.height]"
    assert masks.first.evaluate(size) == widget.locator(".drawn img").evaluate(size)
    widget.get_by_role("checkbox").first.uncheck()
    expect(masks.first).to_be_hidden()


def test_a_recording_is_a_wav_file(visit: Visit, tiny: Tiny) -> None:
    page = visit()
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    widget = opened(page, tiny("sounds", "pipeline_tag: audio-classification\n"))
    widget.get_by_role("button", name="Record").click()
    expect(widget.get_by_text("1 s", exact=True)).to_be_visible()
    widget.get_by_role("button", name="Stop recording").click()
    expect(widget.locator("audio")).to_be_visible()
    widget.get_by_role("button", name="Run").click()
    answered(widget)
    assert widget.locator(".bars li").count() >= 2
    sound = base64.b64decode(sent[-1].post_data_json["inputs"])
    assert sound[:4] == b"RIFF"
    channels, rate = struct.unpack("<HI", sound[22:28])
    assert (channels, rate) == (1, 16_000)
    assert len(sound) > rate


def test_names_are_marked_in_their_text(visit: Visit, tiny: Tiny) -> None:
    page = visit()
    widget = opened(page, tiny("names", "pipeline_tag: token-classification\n"))
    # offsets count code points, and a horse is one
    widget.get_by_label("Text", exact=True).fill("🐎 Aa <b>B</b>")
    widget.get_by_role("button", name="Run").click()
    answered(widget)
    marks = [mark.evaluate("(node) => node.firstChild.textContent") for mark in widget.locator("mark").all()]
    assert "B" in marks
    assert any(mark.startswith("A") for mark in marks)
    assert widget.locator(".marked b").count() == len(marks)


def test_a_mask_is_painted_by_pointer_and_by_keyboard(visit: Visit, tiny: Tiny, tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    page = visit()
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    widget = opened(page, tiny("drawing", "pipeline_tag: text-to-image\nlibrary_name: diffusers\n"))
    # the same weights draw within masks, too
    widget.get_by_role("button", name="Inpainting").click()
    picture = tmp_path / "picture.png"
    picture.write_bytes(png(64, 48))
    widget.locator("input[type=file]").set_input_files(picture)
    widget.get_by_role("button", name="Run").click()
    expect(widget.locator(".status.bad")).to_have_text("Paint over what is to change first.")
    board = widget.locator("canvas.mask")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.2, steps=4)
    page.mouse.up()
    page.mouse.move(0, 0)
    board.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("u")
    widget.get_by_text("Parameters", exact=True).click()
    widget.get_by_label("Steps").fill("2")
    widget.get_by_label("Seed").fill("7")
    widget.get_by_role("button", name="Run").click()
    answered(widget)
    expect(widget.get_by_text("seed 7")).to_be_visible()
    # before and after lie on each other
    after = widget.get_by_role("img", name="The answer")
    widget.get_by_label("Divide between before and after").fill("20")
    assert after.evaluate("(node) => node.style.clipPath") == "inset(0px 0px 0px 20%)"
    with page.expect_download() as download:
        widget.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "picture.png"
    parameters = sent[-1].post_data_json["parameters"]
    mask = images.open(io.BytesIO(base64.b64decode(parameters["mask_image"]))).convert("L")
    assert mask.size == (64, 48)
    # the stroke, the dot below the middle, and not what was undone
    white = [mask.getpixel(at) > 127 for at in ((19, 10), (32, 26), (50, 10), (32, 40))]
    assert white == [True, True, False, False]
