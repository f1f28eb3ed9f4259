"""Bodies of the tasks that draw: what they take and refuse, and which task a body means."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from building.pictures import png
from corral.core.errors import HubError
from corral.inference.tasks import TASKS, drawing
from corral.inference.tasks.base import Body

PICTURE = base64.b64encode(png(8, 8)).decode()
ALL = ("text-to-image", "image-to-image", "inpainting")


def body(inputs: Any = None, **parameters: Any) -> Body:
    return Body({"inputs": inputs, "parameters": parameters})


def test_text_to_image_takes_what_the_client_sends() -> None:
    asked = TASKS["text-to-image"].request(
        body("a cat", negative_prompt="dogs", width=64, height=32, num_inference_steps=5, guidance_scale=3, seed=7)
    )
    assert (asked.op, asked.files) == ("text-to-image", ())
    wanted = {"prompt": "a cat", "negative_prompt": "dogs", "width": 64, "height": 32, "seed": 7}
    assert wanted.items() <= asked.params.items()
    assert TASKS["text-to-image"].request(body("")).params["prompt"] == "", "an empty prompt is one"


def test_image_to_image_and_inpainting_hand_over_the_files() -> None:
    asked = TASKS["image-to-image"].request(body(PICTURE, prompt="a dog", strength=0.5, scheduler="Euler"))
    assert (asked.op, asked.files) == ("image-to-image", (png(8, 8),))
    assert (asked.params["strength"], asked.params["scheduler"]) == (0.5, "Euler")
    masked = TASKS["inpainting"].request(body(PICTURE, prompt="a dog", mask_image=PICTURE))
    assert len(masked.files) == 2


@pytest.mark.parametrize(
    ("task", "asked", "says"),
    [
        ("text-to-image", body(), "'inputs' must be text"),
        ("text-to-image", body(["a"]), "'inputs' must be text"),
        ("text-to-image", body("x" * 1_000_000), "shorten"),
        ("text-to-image", body("x" * 10_001), "10000 characters"),
        ("text-to-image", body("a", width=10**9), "'width' must be a whole number from 1 to 8192"),
        ("text-to-image", body("a", height=-8), "'height'"),
        ("text-to-image", body("a", width=64.5), "'width'"),
        ("text-to-image", body("a", num_inference_steps=0), "'num_inference_steps'"),
        ("text-to-image", body("a", num_inference_steps=10**6), "from 1 to 1000"),
        ("text-to-image", body("a", guidance_scale="high"), "'guidance_scale'"),
        ("text-to-image", body("a", seed=-1), "'seed'"),
        ("text-to-image", body("a", seed=True), "'seed'"),
        ("text-to-image", body("a", negative_prompt=["b"]), "'negative_prompt' must be text"),
        ("text-to-image", body("a", scheduler=7), "'scheduler' must be text"),
        ("text-to-image", body("a", lora_scale=99), "'lora_scale'"),
        ("image-to-image", body(PICTURE, strength=1.5), "'strength'"),
        ("image-to-image", body("not base64!"), "base64"),
        ("image-to-image", body(PICTURE, target_size={"width": 8}), "'target_size'"),
        ("image-to-image", body(PICTURE, mask_image=5), "'mask_image'"),
        ("inpainting", body(PICTURE), "mask_image"),
        ("inpainting", Body(data=png(8, 8)), "mask_image"),
    ],
)
def test_what_cannot_be_is_refused(task: str, asked: Body, says: str) -> None:
    with pytest.raises(HubError) as caught:
        TASKS[task].request(asked)
    assert says in caught.value.message
    assert 400 <= caught.value.status < 500


@pytest.mark.parametrize(
    ("asked", "tasks", "means"),
    [
        (body("a cat"), ALL, "text-to-image"),
        (body("/imagine a cat"), ALL, "text-to-image"),
        (Body(data=png(8, 8)), ALL, "image-to-image"),
        (body(PICTURE), ALL, "image-to-image"),
        (body(f"data:image/png;base64,{PICTURE}"), ALL, "image-to-image"),
        (body(PICTURE, mask_image=PICTURE), ALL, "inpainting"),
        (body(PICTURE, mask_image=PICTURE), ALL[:2], "image-to-image"),
        (body(PICTURE), ("image-to-image", "text-to-image"), "image-to-image"),
        (body("a cat"), ("image-to-image", "text-to-image"), "text-to-image"),
        (body("a cat"), ("inpainting",), "inpainting"),
        (Body({"inputs": "a cat", "parameters": "none"}), ALL, "text-to-image"),
    ],
)
def test_which_task_a_body_means(asked: Body, tasks: tuple[str, ...], means: str) -> None:
    assert drawing.meant(tasks, asked) == means


def test_examples_can_be_asked_as_they_are() -> None:
    for task in ALL:
        for example in TASKS[task].examples([]):
            assert TASKS[task].request(Body(_with_files(example)))


def _with_files(value: Any) -> Any:
    if isinstance(value, dict):
        return PICTURE if set(value) == {"src"} else {k: _with_files(v) for k, v in value.items()}
    return value
