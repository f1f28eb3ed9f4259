"""What the tasks about pictures take, refuse and give back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from corral.core.errors import HubError
from corral.inference.calls import Media, Request
from corral.inference.tasks import TASKS
from corral.inference.tasks.base import Body

PICTURE = base64.b64encode(b"picture").decode()
NAMES = (
    "image-classification",
    "object-detection",
    "image-segmentation",
    "depth-estimation",
    "keypoint-detection",
    "image-to-text",
    "image-to-image",
)


def ask(task: str, **value: Any) -> Request:
    return TASKS[task].request(Body({"inputs": PICTURE} | value))


@pytest.mark.parametrize("task", NAMES)
def test_a_picture_comes_as_bytes_or_base64_and_nothing_else(task: str) -> None:
    assert TASKS[task].takes_bytes
    assert TASKS[task].request(Body(data=b"picture")).files == (b"picture",)
    assert ask(task).files == (b"picture",)
    assert TASKS[task].request(Body(data=b"picture")).op == ask(task).op
    for wrong in (None, 5, "", [], {"src": "a.jpg"}, "no base64!"):
        with pytest.raises(HubError, match="base64"):
            ask(task, inputs=wrong)
    assert TASKS[task].examples([]), "there is always something to try"
    assert TASKS[task].examples([{"src": "a.jpg", "example_title": "A"}]) == [
        {"inputs": {"src": "a.jpg"}, "example_title": "A"}
    ]


@pytest.mark.parametrize(
    ("task", "parameters", "says"),
    [
        ("object-detection", {"threshold": 2}, "'threshold'"),
        ("object-detection", {"threshold": "high"}, "'threshold'"),
        ("object-detection", {"threshold": True}, "'threshold'"),
        ("object-detection", [], "'parameters'"),
        ("image-segmentation", {"subtask": "all"}, "panoptic"),
        ("image-segmentation", {"mask_threshold": -1}, "'mask_threshold'"),
        ("keypoint-detection", {"threshold": [0.5]}, "'threshold'"),
        ("zero-shot-image-classification", {}, "'candidate_labels'"),
        ("zero-shot-image-classification", {"candidate_labels": []}, "'candidate_labels'"),
        ("zero-shot-image-classification", {"candidate_labels": [1]}, "'candidate_labels'[0]"),
        ("zero-shot-image-classification", {"candidate_labels": ["a"] * 201}, "200"),
        ("zero-shot-image-classification", {"candidate_labels": "a", "hypothesis_template": "photo"}, "{}"),
        ("zero-shot-image-classification", {"candidate_labels": "a", "hypothesis_template": 5}, "text"),
        ("image-to-text", {"max_new_tokens": 0}, "'max_new_tokens'"),
        ("image-to-text", {"generation_parameters": 5}, "object"),
        ("image-to-text", {"generation_parameters": {"num_beams": 99}}, "'num_beams'"),
        ("image-to-image", {"prompt": 5}, "'prompt'"),
        ("image-to-image", {"strength": 1.5}, "'strength'"),
        ("image-to-image", {"num_inference_steps": 2.5}, "whole"),
        ("image-to-image", {"target_size": 5}, "'target_size'"),
        ("image-to-image", {"target_size": {"width": 8}}, "'height'"),
        ("image-to-image", {"target_size": {"width": 8, "height": 10**6}}, "'height'"),
        ("image-to-image", {"mask_image": "no base64!"}, "'mask_image'"),
    ],
)
def test_wrong_parameters_are_refused_with_a_sentence(task: str, parameters: Any, says: str) -> None:
    with pytest.raises(HubError) as caught:
        ask(task, parameters=parameters)
    assert says in caught.value.message
    assert caught.value.status in (400, 422)


def test_labels_of_ones_own() -> None:
    asked = ask("zero-shot-image-classification", parameters={"candidate_labels": "a cat, a dog"})
    assert asked.params["labels"] == ["a cat", "a dog"]
    with pytest.raises(HubError, match="Send JSON"):
        TASKS["zero-shot-image-classification"].request(Body(data=b"picture"))
    card = [{"src": "a.jpg", "candidate_labels": "a cat, a dog"}, {"src": "b.jpg"}]
    labels = {"candidate_labels": ["a cat", "a dog"]}
    assert TASKS["zero-shot-image-classification"].examples(card) == [
        {"inputs": {"src": "a.jpg"}, "parameters": labels}
    ]


def test_a_picture_from_a_picture_may_have_a_mask_and_a_size() -> None:
    asked = ask(
        "image-to-image", parameters={"prompt": "snow", "mask_image": PICTURE, "target_size": {"width": 8, "height": 9}}
    )
    assert asked.files == (b"picture", b"picture")
    assert (asked.params["mask"], asked.params["width"], asked.params["height"]) == (True, 8, 9)
    card = [{"src": "a.jpg", "prompt": "snow"}]
    example = {"inputs": {"src": "a.jpg"}, "parameters": {"prompt": "snow"}}
    assert TASKS["image-to-image"].examples(card) == [example]


def test_depth_is_told_in_numbers_and_shown_as_a_picture() -> None:
    task = TASKS["depth-estimation"]
    result = {"depth": PICTURE, "predicted_depth": [[1.0]]}
    assert task.answer(ask("depth-estimation"), result) == result
    assert task.shown is not None
    assert task.shown(ask("depth-estimation"), result) == Media(b"picture", "image/png")


def test_text_is_answered_as_the_client_reads_it() -> None:
    assert TASKS["image-to-text"].answer(ask("image-to-text"), {"text": "a cat"}) == [{"generated_text": "a cat"}]
