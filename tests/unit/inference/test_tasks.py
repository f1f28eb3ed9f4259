"""What the tasks take, refuse and give back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from corral.core.errors import HubError
from corral.inference.calls import Request
from corral.inference.tasks import TASKS
from corral.inference.tasks.base import MAX_TEXT, Body


def ask(task: str, **value: Any) -> Request:
    return TASKS[task].request(Body(value))


@pytest.mark.parametrize(
    ("task", "value", "says"),
    [
        ("sentence-similarity", {"inputs": "text"}, "source_sentence"),
        ("sentence-similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, "not empty"),
        ("sentence-similarity", {"inputs": {"source_sentence": "a", "sentences": [1]}}, "sentences'[0]"),
        ("feature-extraction", {}, "'inputs'"),
        ("feature-extraction", {"inputs": "a", "normalize": "yes"}, "'normalize'"),
        ("feature-extraction", {"inputs": "a", "truncation_direction": "up"}, "left, right"),
        ("feature-extraction", {"inputs": "x" * (MAX_TEXT + 1)}, "longer than"),
        ("feature-extraction", {"inputs": ["a"] * 1001}, "several requests"),
        ("image-classification", {"inputs": "no base64!"}, "base64"),
        ("image-classification", {}, "picture"),
        ("image-classification", {"inputs": "aGk=", "parameters": {"top_k": 0}}, "'top_k'"),
        ("image-classification", {"inputs": "aGk=", "parameters": {"function_to_apply": "max"}}, "softmax"),
        ("text-generation", {"inputs": ["a"]}, "text"),
        ("text-generation", {"inputs": "a", "parameters": {"max_new_tokens": -1}}, "'max_new_tokens'"),
        ("text-generation", {"inputs": "a", "parameters": {"max_new_tokens": True}}, "'max_new_tokens'"),
        ("text-generation", {"inputs": "a", "parameters": {"temperature": "hot"}}, "'temperature'"),
        ("text-generation", {"inputs": "a", "parameters": {"stop": [1]}}, "'stop'"),
        ("text-generation", {"inputs": "a", "parameters": {"grammar": {}, "best_of": 3}}, "'best_of'"),
        ("text-generation", {"inputs": "a", "parameters": []}, "'parameters'"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(task: str, value: dict[str, Any], says: str) -> None:
    with pytest.raises(HubError) as caught:
        ask(task, **value)
    assert says in caught.value.message
    assert caught.value.status in (400, 422, 501)


def test_parameters_count_in_their_object_and_beside_the_inputs() -> None:
    assert ask("feature-extraction", inputs="a", normalize=True).params["normalize"] is True
    assert ask("feature-extraction", inputs="a", parameters={"normalize": True}).params["normalize"] is True


def test_a_picture_comes_as_bytes_base64_or_a_data_url() -> None:
    encoded = base64.b64encode(b"picture").decode()
    task = TASKS["image-classification"]
    assert task.request(Body(data=b"picture")).files == (b"picture",)
    assert ask("image-classification", inputs=encoded).files == (b"picture",)
    assert ask("image-classification", inputs=f"data:image/png;base64,{encoded}").files == (b"picture",)


def test_one_text_gives_one_vector_and_a_list_gives_a_list() -> None:
    task = TASKS["feature-extraction"]
    assert task.answer(ask("feature-extraction", inputs="a"), [[0.5, 1.0]]) == [0.5, 1.0]
    assert task.answer(ask("feature-extraction", inputs=["a"]), [[0.5, 1.0]]) == [[0.5, 1.0]]
    # a vector for each token: the batch stays, as in transformers' pipeline
    assert task.answer(ask("feature-extraction", inputs="a"), [[[0.5], [1.0]]]) == [[[0.5], [1.0]]]


def test_generated_text_comes_with_details_only_where_asked_for() -> None:
    token = {"id": 5, "text": "b", "logprob": -0.5, "special": False}
    result = {"text": "b", "tokens": [token], "finish_reason": "length", "input_length": 1, "output_length": 1}
    task = TASKS["text-generation"]
    assert task.answer(ask("text-generation", inputs="a"), result) == [{"generated_text": "b"}]
    asked = ask("text-generation", inputs="a", parameters={"details": True, "return_full_text": True})
    [answer] = task.answer(asked, result)
    assert answer["generated_text"] == "ab"
    assert answer["details"]["tokens"] == [token]
    assert answer["details"]["generated_tokens"] == 1


def test_examples_are_the_cards_where_they_fit() -> None:
    widget = [{"text": "Hi"}, {"source_sentence": "a", "sentences": ["b"]}, {"src": "cat.jpg"}, {"text": 5}]
    assert TASKS["feature-extraction"].examples(widget) == [{"inputs": "Hi"}]
    similar = TASKS["sentence-similarity"].examples(widget)
    assert similar == [{"inputs": {"source_sentence": "a", "sentences": ["b"]}}]
    assert TASKS["image-classification"].examples(widget) == [{"inputs": {"src": "cat.jpg"}}]
    assert TASKS["sentence-similarity"].examples([]), "there is always something to try"
