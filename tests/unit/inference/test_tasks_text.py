"""What the tasks about texts and tables take, refuse and give back."""

from __future__ import annotations

from typing import Any

import pytest

from corral.core.errors import HubError
from corral.inference.calls import Request
from corral.inference.tasks import TASKS
from corral.inference.tasks.base import MAX_TEXT, Body

TEXTS = (
    "fill-mask text-classification token-classification zero-shot-classification translation summarization"
    " text2text-generation".split()
)
LABELS = {"parameters": {"candidate_labels": ["a", "b"]}}
RANK = {"query": "q", "texts": ["a"]}
ANSWER = {"question": "q", "context": "c"}


def ask(task: str, **value: Any) -> Request:
    return TASKS[task].request(Body(value))


@pytest.mark.parametrize("task", TEXTS)
@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (None, "must be text"),
        (5, "must be text"),
        ("", "is empty"),
        (" \n", "is empty"),
        ([], "not empty"),
        (["a", ""], "[1] is empty"),
        (["a", None], "[1] must be text"),
        (["a"] * 1001, "several requests"),
        ("x" * (MAX_TEXT + 1), "shorten it"),
    ],
)
def test_what_is_no_text_is_refused_with_a_sentence(task: str, inputs: Any, says: str) -> None:
    with pytest.raises(HubError, match=says.replace("[", r"\[").replace("]", r"\]")) as caught:
        ask(task, inputs=inputs, **LABELS)
    assert caught.value.status in (400, 422)
    with pytest.raises(HubError):
        ask(task)


@pytest.mark.parametrize(
    ("task", "value", "says"),
    [
        ("fill-mask", {"inputs": "a", "parameters": {"top_k": 0}}, "'top_k'"),
        ("fill-mask", {"inputs": "a", "parameters": {"targets": [1]}}, "'targets'[0]"),
        ("text-classification", {"inputs": "a", "parameters": {"function_to_apply": "max"}}, "softmax"),
        ("text-classification", {"inputs": "a", "parameters": {"top_k": "5"}}, "'top_k'"),
        ("text-classification", {"inputs": {"text": "a", "text_pair": 5}}, "text_pair"),
        ("text-classification", {"inputs": [{"text": "a", "text_pair": "b"}, {"text": "a"}]}, "[1] must be text"),
        ("text-classification", {"inputs": [{"text": "a"}, "b"]}, "[1] must be text"),
        ("token-classification", {"inputs": "a", "parameters": {"aggregation_strategy": "best"}}, "simple"),
        ("token-classification", {"inputs": "a", "parameters": {"aggregation_strategy": ["none"]}}, "simple"),
        ("token-classification", {"inputs": "a", "parameters": {"ignore_labels": "O"}}, "'ignore_labels'"),
        ("token-classification", {"inputs": "a", "parameters": {"ignore_labels": 0}}, "'ignore_labels'"),
        ("token-classification", {"inputs": "a", "parameters": {"stride": 5, "aggregation_strategy": "none"}},
         "'stride'"),
        ("question-answering", {"inputs": "a"}, "'question' and 'context'"),
        ("question-answering", {"inputs": {"question": "a"}}, "context"),
        ("question-answering", {"inputs": {"question": " ", "context": "a"}}, "question' is empty"),
        ("question-answering", {"inputs": ANSWER, "parameters": {"top_k": 0}}, "'top_k'"),
        ("question-answering", {"inputs": ANSWER, "parameters": {"align_to_words": "yes"}}, "'align_to_words'"),
        ("zero-shot-classification", {"inputs": "a"}, "'candidate_labels'"),
        ("zero-shot-classification", {"inputs": "a", "parameters": {"candidate_labels": []}}, "not empty"),
        ("zero-shot-classification", {"inputs": "a", "parameters": {"candidate_labels": "a,,b"}}, "is empty: leave"),
        ("zero-shot-classification", {"inputs": ["a"] * 600, **LABELS}, "1000 pairs"),
        ("zero-shot-classification", {"inputs": "a", "parameters": {**LABELS["parameters"], "multi_label": 1}},
         "'multi_label'"),
        ("zero-shot-classification", {"inputs": "a", "candidate_labels": ["a"], "hypothesis_template": "no"}, "{}"),
        ("translation", {"inputs": "a", "parameters": {"tgt_lang": 5}}, "'tgt_lang'"),
        ("translation", {"inputs": "a", "parameters": {"src_lang": "x" * 50}}, "'src_lang'"),
        ("translation", {"inputs": "a", "parameters": {"truncation": True}}, "'truncation'"),
        ("summarization", {"inputs": "a", "parameters": {"generate_parameters": []}}, "'generate_parameters'"),
        ("summarization", {"inputs": "a", "parameters": {"generate_parameters": {"max_length": -1}}}, "'max_length'"),
        ("summarization", {"inputs": "a", "parameters": {"generate_parameters": {"cache": 1}}}, "'cache'"),
        ("summarization", {"inputs": "a", "parameters": {"num_beams": 1000}}, "'num_beams'"),
        ("summarization", {"inputs": "a", "parameters": {"do_sample": "yes"}}, "'do_sample'"),
        ("text-ranking", {}, "'query'"),
        ("text-ranking", {"inputs": "a"}, "'query' and 'texts'"),
        ("text-ranking", {"query": "a"}, "'texts'"),
        ("text-ranking", {"query": "a", "texts": []}, "not empty"),
        ("text-ranking", {"query": "a", "texts": ["a", 5]}, "[1] must be text"),
        ("text-ranking", {"query": "", "texts": ["a"]}, "is empty"),
        ("text-ranking", {**RANK, "top_n": 0}, "'top_n'"),
        ("text-ranking", {**RANK, "raw_scores": "no"}, "'raw_scores'"),
        ("text-ranking", {**RANK, "truncation_direction": "Up"}, "left, right"),
        ("tabular-classification", {}, "'data'"),
        ("tabular-classification", {"inputs": {"data": {}}}, "not empty"),
        ("tabular-classification", {"inputs": {"data": {"a": 5}}}, "Column 'a'"),
        ("tabular-classification", {"inputs": {"data": {"a": []}}}, "Column 'a'"),
        ("tabular-classification", {"inputs": {"data": {"a": [1], "b": [1, 2]}}}, "same number"),
        ("tabular-classification", {"inputs": {"data": {"a": [{}]}}}, "no number, text or null"),
        ("tabular-classification", {"table": {"a": [1] * 10_001}}, "in parts"),
        ("tabular-regression", {"inputs": [[1, 2]]}, "'data'"),
        ("table-question-answering", {"inputs": "a"}, "'query' and 'table'"),
        ("table-question-answering", {"inputs": {"query": "a"}}, "'inputs.table'"),
        ("table-question-answering", {"inputs": {"query": "a", "table": {"b": [None]}}}, "Column 'b'[0]"),
        ("table-question-answering", {"inputs": {"query": "a", "table": {"b": ["c"], "d": ["e", "f"]}}},
         "same number"),
        ("table-question-answering", {"inputs": {"query": "a", "table": {str(n): ["c"] * 999 for n in range(11)}}},
         "cells"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_sentence(task: str, value: dict[str, Any], says: str) -> None:
    with pytest.raises(HubError) as caught:
        ask(task, **value)
    assert says in caught.value.message
    assert caught.value.status in (400, 422, 501)


def test_a_text_gives_one_answer_and_a_list_gives_a_list() -> None:
    for task in ("fill-mask", "token-classification", "zero-shot-classification"):
        one, many = (ask(task, inputs=inputs, **LABELS) for inputs in ("a", ["a"]))
        assert one.params["texts"] == many.params["texts"] == ["a"]
        assert TASKS[task].answer(one, [["x"]]) == ["x"]
        assert TASKS[task].answer(many, [["x"]]) == [["x"]]


def test_texts_made_of_texts_have_the_member_that_the_client_reads() -> None:
    for task, member in (
        ("translation", "translation_text"),
        ("summarization", "summary_text"),
        ("text2text-generation", "generated_text"),
    ):
        assert TASKS[task].answer(ask(task, inputs="a"), ["b"]) == [{member: "b"}]


def test_how_to_generate_is_said_in_its_object_or_beside_it() -> None:
    inner = ask("summarization", inputs="a", parameters={"generate_parameters": {"max_length": 5, "do_sample": True}})
    beside = ask("summarization", inputs="a", parameters={"max_length": 5, "do_sample": True})
    assert inner.params["generate"] == beside.params["generate"] == {"max_length": 5, "do_sample": True}


def test_pairs_of_texts_are_classified_too() -> None:
    asked = ask("text-classification", inputs=[{"text": "a", "text_pair": "b"}])
    assert (asked.params["texts"], asked.params["pairs"]) == (["a"], ["b"])
    assert ask("text-classification", inputs={"text": "a"}).params["pairs"] is None


def test_ranking_speaks_as_text_embeddings_inference_does() -> None:
    task = TASKS["text-ranking"]
    bodies = (
        {"query": "q", "texts": ["a", "b"], "return_text": True},
        {"inputs": {"query": "q", "documents": ["a", "b"]}, "parameters": {"return_documents": True}},
        {"inputs": {"query": "q", "texts": ["a", "b"], "return_text": True}},
    )
    for body in bodies:
        asked = task.request(Body(body))
        result = [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]
        assert task.answer(asked, result) == [
            {"index": 1, "score": 0.9, "text": "b"},
            {"index": 0, "score": 0.1, "text": "a"},
        ]
        assert task.shown is not None
        assert task.shown(asked, result)[0] == {"label": "b", "score": 0.9}
    first = task.request(Body({"query": "q", "texts": ["a", "b"], "top_n": 1}))
    assert task.answer(first, [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]) == [{"index": 1, "score": 0.9}]


def test_one_answer_to_a_question_is_no_list() -> None:
    task = TASKS["question-answering"]
    assert task.answer(ask("question-answering", inputs=ANSWER), [{"answer": "a"}]) == {"answer": "a"}
    several = ask("question-answering", inputs=ANSWER, parameters={"top_k": 2})
    assert task.answer(several, [{"answer": "a"}]) == [{"answer": "a"}]


def test_a_table_comes_as_the_client_or_as_the_inference_api_sends_it() -> None:
    data = {"a": [1, None], "b": ["x", "y"]}
    for value in ({"table": data, "parameters": {}}, {"inputs": {"data": data}}, {"inputs": {"table": data}}):
        assert ask("tabular-regression", **value).params == {"data": data}


@pytest.mark.parametrize(
    ("task", "widget", "example"),
    [
        ("text-classification", {"text": "Hi"}, {"inputs": "Hi"}),
        ("question-answering", {"text": "Who?", "context": "I."}, {"inputs": {"question": "Who?", "context": "I."}}),
        ("zero-shot-classification", {"text": "Hi", "candidate_labels": "a, b", "multi_class": True},
         {"inputs": "Hi", "parameters": {"candidate_labels": ["a", "b"], "multi_label": True}}),
        ("text-ranking", {"source_sentence": "q", "sentences": ["a"]}, {"inputs": {"query": "q", "texts": ["a"]}}),
        ("tabular-classification", {"structuredData": {"x": [1]}}, {"inputs": {"data": {"x": [1]}}}),
    ],
)  # fmt: skip
def test_examples_are_the_cards_and_can_be_asked(task: str, widget: dict[str, Any], example: dict[str, Any]) -> None:
    assert TASKS[task].examples([{"src": "x.jpg"}, widget]) == [example]
    for one in (example, *TASKS[task].examples([])):
        TASKS[task].request(Body({name: value for name, value in one.items() if name != "example_title"}))
