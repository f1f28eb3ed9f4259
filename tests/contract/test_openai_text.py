"""Chat completions and completions with OpenAI's own client, Hugging Face's, and by hand: a real model, a tiny one."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from huggingface_hub import InferenceClient
from openai import OpenAI

from building import models_chat
from building.hub import Hub, Person

pytestmark = pytest.mark.slow

PATIENCE = 180
ASK: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells the weather in a city", "parameters": CITY},
}


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def real(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> str:
    """SmolLM2-135M-Instruct as GGUF."""
    folder = tmp_path_factory.mktemp("gguf")
    shutil.copy(models_chat.smollm() / models_chat.GGUF, folder)
    return upload(owner, "smollm-gguf", folder)


@pytest.fixture(scope="module")
def tiny(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> str:
    return upload(owner, "tiny", models_chat.make("llama", tmp_path_factory.mktemp("tiny")))


def upload(owner: Person, name: str, folder: Path) -> str:
    repo: str = owner.api.create_repo(f"{owner.name}/{name}").repo_id
    owner.api.upload_folder(repo_id=repo, folder_path=folder)
    return repo


@pytest.fixture
def client(hub: Hub, owner: Person) -> OpenAI:
    return OpenAI(base_url=f"{hub.url}/v1", api_key=owner.token, timeout=PATIENCE, max_retries=0)


@pytest.fixture(scope="module")
def web(hub: Hub, owner: Person) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=hub.url, headers={"authorization": f"Bearer {owner.token}"}, timeout=PATIENCE
    ) as connection:
        yield connection


def test_a_real_answer_whole_and_streamed(client: OpenAI, real: str) -> None:
    talk: list[Any] = [{"role": "user", "content": "What is 2 + 2? Answer with one number."}]
    options: dict[str, Any] = {"model": real, "messages": talk, "temperature": 0, "max_tokens": 16}
    whole = client.chat.completions.create(**options)
    assert whole.choices[0].message.role == "assistant"
    assert "4" in (whole.choices[0].message.content or "")
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    pieces = list(client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.delta.content or "" for p in pieces for c in p.choices) == whole.choices[0].message.content
    assert pieces[-1].usage == whole.usage
    assert pieces[-1].choices == []
    assert pieces[-2].choices[0].finish_reason == whole.choices[0].finish_reason


def test_functions_are_called_and_what_they_gave_is_told(client: OpenAI, real: str) -> None:
    options: dict[str, Any] = {"model": real, "tools": [WEATHER], "temperature": 0, "max_tokens": 80}
    first = client.chat.completions.create(messages=ASK, **options).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.content is None
    [call] = first.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    told: list[Any] = [
        *ASK,
        first.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "It is sunny, 25 degrees."},
    ]
    answer = client.chat.completions.create(model=real, messages=told, temperature=0, max_tokens=60).choices[0]
    assert answer.finish_reason in ("stop", "length")
    assert "sunny" in (answer.message.content or "").lower() or "25" in (answer.message.content or "")


def test_a_call_is_put_together_from_a_stream_by_the_client(client: OpenAI, real: str) -> None:
    with client.chat.completions.stream(
        model=real, messages=ASK, tools=[WEATHER], tool_choice="required", temperature=0, max_tokens=80
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    [call] = final.choices[0].message.tool_calls or []
    assert json.loads(call.function.arguments) == {"city": "Paris"}


@pytest.mark.parametrize("name", ["real", "tiny"])
def test_an_answer_in_json_follows_its_schema(client: OpenAI, name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["good", "bad"]}, "stars": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["mood", "stars"],
        "additionalProperties": False,
    }
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "review", "schema": schema, "strict": True}}
    talk: list[Any] = [{"role": "user", "content": "The film was wonderful. Rate it."}]
    for stream in (False, True):
        options: dict[str, Any] = {"model": model, "messages": talk, "response_format": wanted, "max_tokens": 60}
        made = client.chat.completions.create(**options, stream=stream, temperature=1.0, seed=4)
        if stream:
            text = "".join(c.delta.content or "" for p in made for c in p.choices)
        else:
            text = made.choices[0].message.content or ""
        found = json.loads(text)
        assert found["mood"] in ("good", "bad")
        assert found["stars"] in range(1, 6)


def test_several_answers_are_counted_once_for_their_prompt(client: OpenAI, real: str) -> None:
    options: dict[str, Any] = {"model": real, "messages": HELLO, "max_tokens": 8, "temperature": 1.5}
    one = client.chat.completions.create(**options)
    three = client.chat.completions.create(**options, n=3, seed=1)
    assert [c.index for c in three.choices] == [0, 1, 2]
    assert len({c.message.content for c in three.choices}) > 1, "each has a seed of its own"
    assert one.usage is not None
    assert three.usage is not None
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens <= 24
    texts, ends = ["", "", ""], [""] * 3
    for piece in client.chat.completions.create(**options, n=3, stream=True):
        for choice in piece.choices:
            texts[choice.index] += choice.delta.content or ""
            ends[choice.index] = choice.finish_reason or ""
    assert all(texts)
    assert set(ends) <= {"stop", "length"}


@pytest.mark.parametrize("name", ["real", "tiny"])
def test_probabilities_whole_and_streamed(client: OpenAI, name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    options: dict[str, Any] = {"model": model, "messages": HELLO, "max_tokens": 5, "temperature": 0}
    seen = client.chat.completions.create(**options, logprobs=True, top_logprobs=3).choices[0].logprobs
    assert seen is not None
    tokens = seen.content or []
    assert all(len(t.top_logprobs) == 3 and t.logprob <= 0 for t in tokens)
    assert all(t.bytes == list(t.token.encode()) for t in tokens)
    pieces = client.chat.completions.create(**options, logprobs=True, top_logprobs=3, stream=True)
    streamed = [t for p in pieces for c in p.choices if c.logprobs for t in c.logprobs.content or []]
    assert [t.token for t in streamed] == [t.token for t in tokens]
    classic = client.completions.create(model=model, prompt="Once", max_tokens=4, temperature=0, logprobs=2)
    found = classic.choices[0].logprobs
    assert found is not None
    assert found.tokens is not None
    assert found.text_offset is not None
    assert found.text_offset[:2] == [0, len(found.tokens[0])]
    assert client.completions.create(model=model, prompt="Once", max_tokens=4).choices[0].logprobs is None


def test_completions_of_several_prompts_with_their_echo(client: OpenAI, real: str) -> None:
    prompts = ["The sea is", "One, two,"]
    made = client.completions.create(model=real, prompt=prompts, max_tokens=4, temperature=0, n=2, echo=True)
    assert [c.index for c in made.choices] == [0, 1, 2, 3]
    assert [c.text.startswith(prompts[c.index // 2]) for c in made.choices] == [True] * 4
    assert made.usage is not None
    assert made.usage.prompt_tokens < 12
    pieces = client.completions.create(
        model=real, prompt=prompts[1], max_tokens=4, temperature=0, echo=True, stream=True
    )
    assert "".join(p.choices[0].text for p in pieces) == made.choices[2].text


def test_stop_and_seed(client: OpenAI, real: str) -> None:
    options: dict[str, Any] = {"model": real, "prompt": "Once upon a time", "max_tokens": 12}
    whole = client.completions.create(**options, temperature=0).choices[0].text
    cut = client.completions.create(**options, temperature=0, stop=[" city"]).choices[0]
    assert (cut.text, cut.finish_reason) == (whole.partition(" city")[0], "stop")
    one, two = (client.completions.create(**options, temperature=1, seed=5).choices[0].text for _ in range(2))
    assert one == two


def test_several_callers_are_served_beside_each_other(client: OpenAI, real: str) -> None:
    """The short answer is there before the long one that was asked for first has ended."""
    client.completions.create(model=real, prompt="Once", max_tokens=1)
    long = client.completions.create(model=real, prompt="Once", max_tokens=3000, temperature=0.9, stream=True)
    next(iter(long))
    short = client.completions.create(model=real, prompt="The sea is", max_tokens=3)
    assert short.choices[0].text
    more = next(iter(long))
    assert more.choices[0].finish_reason is None
    long.close()


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"messages": [{"role": "user", "content": "word " * 20_000}]}, 422, "shorten"),
        ({"messages": HELLO * 100_000}, 422, "leave out old ones"),
        ({"messages": [{"role": "user", "content": "x" * 300_000}]}, 422, "longer than"),
        ({"messages": []}, 400, "not empty"),
        ({"messages": HELLO, "max_tokens": -1}, 400, "'max_tokens'"),
        ({"messages": HELLO, "n": 5000}, 400, "'n'"),
        ({"messages": HELLO, "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}},
         422, "cannot be followed"),
        ({"messages": HELLO, "response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}},
         422, "cannot be followed"),
        ({"messages": HELLO, "tools": [WEATHER], "tool_choice": "never"}, 400, "'tool_choice'"),
        ({"messages": HELLO, "logit_bias": {"1": 5}}, 501, "'logit_bias'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 501, "not text"),
        ({"prompt": "", "max_tokens": 2}, 422, "empty"),
        ({"prompt": [1, 2, 3]}, 501, "as tokens"),
        ({"prompt": ["a"] * 17}, 400, "16 texts"),
        ({"prompt": "a", "suffix": "b"}, 501, "'suffix'"),
        ({"prompt": "a", "best_of": 3}, 501, "'best_of'"),
        ({"prompt": "a", "echo": True, "logprobs": 1}, 501, "'echo'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["real", "tiny"])
def test_what_cannot_be_done_is_refused_with_a_sentence(
    web: httpx.Client, name: str, body: dict[str, Any], status: int, says: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    path = "/v1/completions" if "prompt" in body else "/v1/chat/completions"
    for stream in (False, True):
        answer = web.post(path, json={"model": model, "stream": stream} | body)
        assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text[:500]


def test_the_clients_own_errors_name_the_trouble(client: OpenAI, real: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="shorten"):
        client.completions.create(model=real, prompt="word " * 30_000)
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="nobody/nothing", prompt="a")


def test_who_goes_away_frees_the_model_for_others(client: OpenAI, hub: Hub, real: str, owner: Person) -> None:
    body = {"model": real, "prompt": "Once", "max_tokens": 4000}
    headers = {"authorization": f"Bearer {owner.token}"}

    def leave() -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{hub.url}/v1/completions", json=body, headers=headers, timeout=0.5)

    threads = [threading.Thread(target=leave) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert client.completions.create(model=real, prompt="The sea is", max_tokens=3).choices[0].text


def test_an_adapter_runs_on_its_base(
    client: OpenAI, web: httpx.Client, owner: Person, tiny: str, tmp_path: Path
) -> None:
    made = models_chat.adapter(models_chat.make("llama", tmp_path / "base"), tmp_path / "adapter")
    config = made / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": tiny}))
    (made / "README.md").unlink()
    adapter = upload(owner, "adapter", made)
    described = web.get(f"/inference/{adapter}").json()
    assert (described["task"], described["library"], described["output"]) == ("text-generation", "peft", "chat")
    options: dict[str, Any] = {"messages": HELLO, "max_tokens": 12, "temperature": 0}
    texts = [client.chat.completions.create(model=m, **options).choices[0].message.content for m in (tiny, adapter)]
    assert texts[0] != texts[1]
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "nobody/nothing"}))
    orphan = upload(owner, "orphan", made)
    with pytest.raises(openai.APIStatusError, match="not on this hub") as caught:
        client.chat.completions.create(model=orphan, **options)
    assert caught.value.status_code == 501


def test_hugging_faces_client_has_the_same(hub: Hub, owner: Person, real: str) -> None:
    asked = InferenceClient(base_url=f"{hub.url}/v1", api_key=owner.token, timeout=PATIENCE)
    options: dict[str, Any] = {"model": real, "temperature": 0, "max_tokens": 80}
    [call] = (
        asked.chat_completion(ASK, tools=[WEATHER], tool_choice="required", **options).choices[0].message.tool_calls
    )
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    pieces = asked.chat_completion(ASK, tools=[WEATHER], stream=True, **options)
    [delta] = [c.delta for p in pieces for c in p.choices if c.delta.tool_calls]
    assert delta.tool_calls[0].function.name == "weather"
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY}}
    text = asked.chat_completion(ASK, response_format=wanted, **options).choices[0].message.content
    assert set(json.loads(text or "")) == {"city"}, text
    classic = InferenceClient(model=f"{hub.url}/inference/{real}", api_key=owner.token, timeout=PATIENCE)
    found = classic.text_generation("The capital of France is", max_new_tokens=4, details=True, top_n_tokens=2)
    assert "Paris" in found.generated_text
    assert found.details is not None
    assert found.details.generated_tokens == len(found.details.tokens) == 4
    assert [len(top) for top in found.details.top_tokens or []] == [2] * 4
    streamed = classic.text_generation("The capital of France is", max_new_tokens=4, stream=True, details=True)
    assert "".join(piece.token.text for piece in streamed) == found.generated_text
    assert classic.text_generation(
        "My number: ", max_new_tokens=5, grammar={"type": "regex", "value": "[0-9]{2}"}
    ).isdigit()
