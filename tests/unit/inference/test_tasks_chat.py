"""What a chat completion's body may hold, what is refused, and what the engine is asked."""

from __future__ import annotations

from typing import Any

import pytest

from corral.core.errors import HubError
from corral.inference.tasks import TASKS, chat
from corral.inference.tasks.base import MAX_TEXT, Body

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def asked(**body: Any) -> dict[str, Any]:
    return chat.params({"messages": HELLO} | body)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"messages": "hi"}, "'messages'"),
        ({"messages": HELLO * 1001}, "leave out old ones"),
        ({"messages": [{"role": "user", "content": "x" * (MAX_TEXT + 1)}]}, "longer than"),
        ({"messages": [{"content": "a"}]}, "'role'"),
        ({"messages": [{"role": "user", "content": None}]}, "content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "parts that are not text"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]}, "tool_calls[0]"),
        ({"messages": [{"role": "assistant", "tool_calls": "weather"}]}, "list of at most"),
        ({"tools": {}}, "'tools'"),
        ({"tools": [WEATHER] * 129}, "at most 128"),
        ({"tools": [{"type": "code_interpreter", "function": {}}]}, "'tools[0]'"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "needs a name"),
        ({"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]}, "JSON schema"),
        ({"tool_choice": "required"}, "there are no 'tools'"),
        ({"tools": [WEATHER], "tool_choice": "maybe"}, "'tool_choice'"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "news"}}}, "not among"),
        ({"tools": [WEATHER], "response_format": {"type": "json_object"}}, "together"),
        ({"response_format": "json"}, "'response_format.type'"),
        ({"response_format": {"type": "xml"}}, "text, json_object, json_schema"),
        ({"response_format": {"type": "json_schema"}}, "'schema'"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": nested(70)}}}, "inside each other"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": ["x" * 100_001]}}}}, "simpler"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": "object"}}}, "an object"),
        ({"top_logprobs": 3}, "needs 'logprobs'"),
        ({"logprobs": True, "top_logprobs": 21}, "from 0 to 20"),
        ({"logprobs": 1}, "'logprobs' must be true or false"),
        ({"n": 9}, "from 1 to 8"),
        ({"n": 0}, "from 1 to 8"),
        ({"max_completion_tokens": 0}, "'max_tokens'"),
        ({"stop": ["a"] * 17}, "'stop'"),
        ({"stream_options": True}, "'stream_options'"),
        ({"logit_bias": {"5": 1}}, "'logit_bias'"),
        ({"functions": [{}]}, "'functions'"),
        ({"modalities": ["text", "audio"]}, "'modalities'"),
    ],
)
def test_bad_bodies_are_refused_with_a_sentence(body: dict[str, Any], says: str) -> None:
    with pytest.raises(HubError) as caught:
        asked(**body)
    assert says in caught.value.message
    assert caught.value.status in (400, 422, 501)


def test_what_is_left_out_has_openais_presets() -> None:
    params = asked()
    assert (params["n"], params["stream"], params["stop"], params["tools"], params["grammar"]) == (
        1,
        False,
        [],
        [],
        None,
    )
    assert params["tops"] is None, "no probabilities are computed that nobody asked for"
    assert params["sample_by_default"] is True


def test_probabilities_are_asked_for_with_so_many_of_the_likeliest() -> None:
    assert asked(logprobs=True)["tops"] == 0
    assert asked(logprobs=True, top_logprobs=5)["tops"] == 5


def test_a_schema_is_taken_in_every_form_that_clients_send() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    as_openai = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    for form in (as_openai, {"type": "json", "value": schema}, {"type": "json_object", "value": schema}):
        assert asked(response_format=form)["grammar"] == {"json": schema}
    assert asked(response_format={"type": "json_object"})["grammar"] == {"json": {"type": "object"}}
    assert asked(response_format={"type": "text"})["grammar"] is None
    assert asked(response_format={"type": "regex", "value": "[0-9]+"})["grammar"] == {"regex": "[0-9]+"}


def test_a_choice_of_one_function_leaves_only_that_one_and_must_be_made() -> None:
    news = {"type": "function", "function": {"name": "news", "description": "What is new"}}
    chosen = {"type": "function", "function": {"name": "news"}}
    params = asked(tools=[WEATHER, news], tool_choice=chosen)
    assert (params["tools"], params["tool_choice"]) == ([{"name": "news", "description": "What is new"}], "required")
    assert asked(tools=[WEATHER], tool_choice="none")["tools"] == []
    assert asked(tools=[WEATHER])["tool_choice"] == "auto"


def test_a_conversation_keeps_calls_and_what_came_of_them() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    talk = [
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    system, assistant, tool = asked(messages=talk)["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert assistant == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert tool == {"role": "tool", "tool_call_id": "c1", "content": "sunny"}


@pytest.mark.parametrize(
    "grammar",
    ["json", {"type": "json"}, {"type": "json", "value": "a"}, {"type": "regex", "value": ""}, {"type": "gbnf"}],
)
def test_grammars_of_no_known_form_are_refused(grammar: Any) -> None:
    with pytest.raises(HubError) as caught:
        TASKS["text-generation"].request(Body({"inputs": "a", "parameters": {"grammar": grammar}}))
    assert caught.value.status == 400


def test_tgis_grammar_and_likeliest_tokens_reach_the_engine() -> None:
    parameters = {"grammar": {"type": "regex", "value": "a+"}, "top_n_tokens": 2, "details": True}
    params = TASKS["text-generation"].request(Body({"inputs": "a", "parameters": parameters})).params
    assert (params["grammar"], params["tops"]) == ({"regex": "a+"}, 2)
    assert TASKS["text-generation"].request(Body({"inputs": "a"})).params["tops"] is None
