"""Running models over HTTP with the stock InferenceClient: every task, streams, loading, and refusals."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from building import models
from building.hub import Hub, Person

pytestmark = pytest.mark.slow

PATIENCE = 120
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Person:
    return hub.person()


@pytest.fixture(scope="module")
def repos(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = {}
    for kind in ("embedding", "chat", "classifier"):
        folder = models.make(kind, tmp_path_factory.mktemp(kind) / "model")
        made[kind] = owner.api.create_repo(f"{owner.name}/{kind}").repo_id
        owner.api.upload_folder(repo_id=made[kind], folder_path=folder)
    return made


@pytest.fixture(scope="module")
def web(hub: Hub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hub.url, timeout=PATIENCE) as client:
        yield client


def client(hub: Hub, repo: str, **options: Any) -> InferenceClient:
    """The stock client on one model's address, which waits while the model loads."""
    headers = {"x-wait-for-model": "true"}
    return InferenceClient(model=f"{hub.url}/inference/{repo}", headers=headers, timeout=PATIENCE, **options)


def png(red: int, size: int = 8) -> bytes:
    """A picture of one colour, written out by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([red, 0, 0]) * size) * size
    head = struct.pack("!IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_cold_model_answers_503_as_the_inference_api_did(repos: dict[str, str], web: httpx.Client) -> None:
    url = f"/inference/{repos['embedding']}"
    assert web.get(url).json()["state"] == "cold"
    answer = web.post(url, json={"inputs": "a text"})
    assert answer.status_code == 503
    assert answer.json().keys() == {"error", "estimated_time"}
    assert answer.json()["error"] == f"Model {repos['embedding']} is currently loading"
    assert answer.json()["estimated_time"] > 0
    assert int(answer.headers["Retry-After"]) > 0
    assert web.get(url).json()["state"] == "loading"
    waited = web.post(url, json={"inputs": "a text", "options": {"wait_for_model": True}})
    assert waited.status_code == 200
    assert web.get(url).json()["state"] == "ready"
    assert web.post(url, json={"inputs": "a text"}).json() == waited.json()


def test_similarity_and_features(hub: Hub, repos: dict[str, str]) -> None:
    asked = client(hub, repos["embedding"])
    same, other = asked.sentence_similarity("a cat", ["a cat", "shares fell"])
    assert same == pytest.approx(1, abs=1e-4)
    assert other < same
    assert asked.feature_extraction("a text").shape == (32,)
    assert asked.feature_extraction(["a text", "another"], normalize=True).shape == (2, 32)
    assert asked.feature_extraction("a text", prompt_name="query") == pytest.approx(
        asked.feature_extraction("query: a text"), abs=1e-4
    )


def test_the_task_can_be_named_in_the_path(hub: Hub, repos: dict[str, str], web: httpx.Client) -> None:
    url = f"/inference/{repos['embedding']}/pipeline"
    headers = {"x-wait-for-model": "true"}
    assert len(web.post(f"{url}/feature-extraction", json={"inputs": "a"}, headers=headers).json()) == 32
    assert web.post(f"{url}/sentence-similarity", json={"inputs": "a"}).status_code == 400
    assert web.post(f"{url}/text-generation", json={"inputs": "a"}).status_code == 400


def test_image_classification_from_bytes_files_and_with_parameters(
    hub: Hub, repos: dict[str, str], tmp_path: Path
) -> None:
    asked = client(hub, repos["classifier"])
    picture = png(200)
    found = asked.image_classification(picture)
    assert sum(f.score for f in found) == pytest.approx(1, abs=1e-4)
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    (tmp_path / "red.png").write_bytes(picture)
    assert asked.image_classification(tmp_path / "red.png") == found
    assert asked.image_classification(picture, top_k=1) == found[:1]
    raw = asked.image_classification(picture, function_to_apply="none")
    assert sum(f.score for f in raw) != pytest.approx(1, abs=1e-4)


def test_text_generation_whole_streamed_and_with_details(hub: Hub, repos: dict[str, str]) -> None:
    asked = client(hub, repos["chat"])
    whole = asked.text_generation("Once", max_new_tokens=12)
    assert whole
    assert "".join(asked.text_generation("Once", max_new_tokens=12, stream=True)) == whole
    full = asked.text_generation("Once", max_new_tokens=12, details=True, return_full_text=True)
    assert full.generated_text == "Once" + whole
    assert full.details is not None
    assert len(full.details.tokens) == full.details.generated_tokens <= 12
    assert all(token.logprob <= 0 for token in full.details.tokens)
    events = list(asked.text_generation("Once", max_new_tokens=12, stream=True, details=True))
    assert [e.index for e in events] == list(range(1, len(events) + 1))
    assert [e.token.id for e in events] == [t.id for t in full.details.tokens]
    assert all(e.generated_text is None for e in events[:-1])
    assert events[-1].generated_text == whole
    assert events[-1].details is not None
    assert events[-1].details.input_length == 4


def test_chat_in_openais_shape(hub: Hub, repos: dict[str, str]) -> None:
    asked = InferenceClient(base_url=f"{hub.url}/v1", timeout=PATIENCE)
    options: dict[str, Any] = {"model": repos["chat"], "max_tokens": 12, "temperature": 0}
    whole = asked.chat_completion(HELLO, **options)
    text = whole.choices[0].message.content
    assert whole.choices[0].finish_reason in ("stop", "length")
    assert whole.usage.prompt_tokens == len("user: Hello\nassistant: ")
    pieces = list(asked.chat_completion(HELLO, **options, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.delta.content or "" for p in pieces for c in p.choices) == text
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.total_tokens == whole.usage.total_tokens
    assert [c.finish_reason for p in pieces for c in p.choices][-1] == whole.choices[0].finish_reason
    assert client(hub, repos["chat"]).chat_completion(HELLO, max_tokens=12, temperature=0).choices[0].message == (
        whole.choices[0].message
    )
    seen = asked.chat_completion(HELLO, **options, logprobs=True).choices[0].logprobs
    assert seen is not None
    assert "".join(t.token for t in seen.content) == text


def test_completions_embeddings_and_the_list_of_models(repos: dict[str, str], web: httpx.Client) -> None:
    body = {"model": repos["chat"], "prompt": "Once", "max_tokens": 5, "temperature": 0}
    answer = web.post("/v1/completions", json=body).json()
    assert answer["object"] == "text_completion"
    assert answer["usage"]["completion_tokens"] <= 5
    lines = web.post("/v1/completions", json=body | {"stream": True}).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line and line != "data: [DONE]"]
    assert "".join(c["text"] for e in events for c in e["choices"]) == answer["choices"][0]["text"]
    assert [line for line in lines if line][-1] == "data: [DONE]"

    asked = {"model": repos["embedding"], "input": ["one", "two"]}
    plain = web.post("/v1/embeddings", json=asked).json()
    assert [len(d["embedding"]) for d in plain["data"]] == [32, 32]
    assert plain["usage"]["total_tokens"] == len("onetwo")
    packed = web.post("/v1/embeddings", json=asked | {"encoding_format": "base64"}).json()
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack("<32f", raw) == pytest.approx(plain["data"][0]["embedding"], abs=1e-6)
    short = web.post("/v1/embeddings", json=asked | {"dimensions": 4}).json()["data"][0]["embedding"]
    assert sum(x * x for x in short) == pytest.approx(1, abs=1e-4)

    listed = {m["id"] for m in web.get("/v1/models").json()["data"]}
    assert {repos["chat"], repos["embedding"], repos["classifier"]} <= listed


def test_a_private_model_answers_like_an_absent_one(hub: Hub, owner: Person, bob: Person, web: httpx.Client) -> None:
    hidden = owner.api.create_repo(f"{owner.name}/hidden", private=True).repo_id
    for headers in ({}, bob.headers):
        for method, url, body in (
            ("GET", "/inference/{}", None),
            ("POST", "/inference/{}", {"inputs": "a"}),
            ("POST", "/v1/chat/completions", {"model": "{}", "messages": HELLO}),
            ("POST", "/v1/embeddings", {"model": "{}", "input": "a"}),
        ):
            answers = []
            for name in (hidden, f"{owner.name}/absent"):
                sent = json.loads(json.dumps(body).replace("{}", name))
                answer = web.request(method, url.format(name), json=sent, headers=headers)
                answers.append((answer.status_code, answer.text.replace(name, "NAME")))
            assert answers[0] == answers[1]
            assert answers[0][0] in (401, 404)
    assert web.get(f"/inference/{hidden}", headers=owner.headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/inference/{embedding}", b"no json", 400, "valid JSON"),
        ("/inference/{embedding}", b"[1]", 400, "JSON object"),
        ("/inference/{embedding}", b"\xff\xfe", 400, "valid JSON"),
        ("/inference/{embedding}", b"", 400, "valid JSON"),
        ("/inference/{embedding}", {"inputs": 5}, 400, "'inputs'"),
        ("/inference/{embedding}", {"inputs": {"source_sentence": "a", "sentences": "b"}}, 400, "list of texts"),
        ("/inference/{classifier}", {"inputs": "%%%"}, 400, "base64"),
        ("/inference/{chat}", {"inputs": "a", "parameters": {"temperature": -1}}, 400, "'temperature'"),
        ("/inference/{chat}", {"inputs": "a", "parameters": {"adapter_id": "x"}}, 501, "'adapter_id'"),
        ("/v1/chat/completions", {"messages": HELLO}, 400, "'model'"),
        ("/v1/chat/completions", {"model": "{chat}", "messages": []}, 400, "'messages'"),
        ("/v1/chat/completions", {"model": "{chat}", "messages": [{"role": "user"}]}, 400, "content"),
        ("/v1/chat/completions", {"model": "{chat}", "messages": HELLO, "n": 200}, 400, "'n'"),
        ("/v1/chat/completions", {"model": "{chat}", "messages": HELLO, "tools": [{}]}, 400, "'tools"),
        ("/v1/chat/completions", {"model": "{embedding}", "messages": HELLO}, 422, "makes embeddings"),
        ("/v1/embeddings", {"model": "{chat}", "input": "a"}, 422, "generates text"),
        ("/v1/embeddings", {"model": "{embedding}", "input": []}, 400, "'input'"),
    ],
)
def test_bad_requests_are_refused_with_a_sentence(
    path: str, body: Any, status: int, says: str, repos: dict[str, str], web: httpx.Client
) -> None:
    def named(text: str) -> str:
        for kind, repo in repos.items():
            text = text.replace(f"{{{kind}}}", repo)
        return text

    content = body if isinstance(body, bytes) else named(json.dumps(body)).encode()
    answer = web.post(named(path), content=content, headers={"x-wait-for-model": "true"})
    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_what_is_no_picture_is_refused_by_the_worker(hub: Hub, repos: dict[str, str]) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        client(hub, repos["classifier"]).image_classification(io.BytesIO(b"GIF89a and then nothing").read())
    assert caught.value.response.status_code == 422
    assert "not a picture" in caught.value.response.json()["error"]


def test_a_body_too_large_is_refused(repos: dict[str, str], web: httpx.Client) -> None:
    answer = web.post(f"/inference/{repos['classifier']}", content=bytes(33 * 2**20))
    assert answer.status_code == 413


def test_a_model_that_cannot_run_says_why(owner: Person, web: httpx.Client) -> None:
    repo = owner.api.create_repo(f"{owner.name}/mask").repo_id
    card = b"---\npipeline_tag: fill-mask\n---\n"
    owner.api.upload_file(repo_id=repo, path_in_repo="README.md", path_or_fileobj=card)
    described = web.get(f"/inference/{repo}").json()
    assert (described["task"], described["runnable"]) == ("fill-mask", False)
    answer = web.post(f"/inference/{repo}", json={"inputs": "a"})
    assert answer.status_code == 501
    assert answer.json()["error"] == described["problem"]


def test_the_widget_is_told_the_task_with_its_reason_and_the_cards_examples(
    owner: Person, repos: dict[str, str], web: httpx.Client
) -> None:
    told = web.get(f"/inference/{repos['chat']}").json()
    assert (told["task"], told["output"], told["chat_url"]) == ("text-generation", "chat", "/v1/chat/completions")
    assert "LlamaForCausalLM" in told["reason"]
    assert all("messages" in example for example in told["examples"])
    told = web.get(f"/inference/{repos['classifier']}").json()
    assert ([one["kind"] for one in told["form"]], told["output"]) == (["picture"], "bars")
    for example in told["examples"]:
        assert web.get(example["inputs"]["src"], follow_redirects=True).headers["content-type"] == "image/jpeg"


def test_a_caller_who_leaves_a_stream_frees_the_model(hub: Hub, repos: dict[str, str], web: httpx.Client) -> None:
    asked = client(hub, repos["chat"])
    asked.text_generation("Once", max_new_tokens=1)
    long = {"inputs": "Once", "stream": True, "parameters": {"max_new_tokens": 4000}}
    url = f"/inference/{repos['chat']}"
    with web.stream("POST", url, json=long) as stream:
        next(stream.iter_lines())
    whole = {"inputs": "Once", "parameters": {"max_new_tokens": 4000}}
    with contextlib.suppress(httpx.ReadTimeout):
        httpx.post(f"{hub.url}{url}", json=whole, timeout=0.5)
    began = time.monotonic()
    assert asked.text_generation("Once", max_new_tokens=1)
    # 4,000 tokens of this model take far longer
    assert time.monotonic() - began < 4


def events_of(answer: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    parts = [part.split("\n", 1) for part in answer.text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in parts]


def test_who_asks_for_events_hears_of_tokens_the_result_and_what_it_took(
    hub: Hub, repos: dict[str, str], web: httpx.Client
) -> None:
    told = {"x-corral-events": "true"}
    body = {"inputs": {"source_sentence": "a", "sentences": ["a"]}}
    answer = web.post(f"/inference/{repos['embedding']}", json=body, headers=told, timeout=120)
    kind, value = events_of(answer)[-1]
    assert kind == "result"
    assert value["value"] == [pytest.approx(1, abs=1e-4)]
    assert value["seconds"] > 0
    assert "CPU" in value["machine"]
    message = {"model": repos["chat"], "messages": [{"role": "user", "content": "a"}], "max_tokens": 5, "stream": True}
    events = events_of(web.post("/v1/chat/completions", json=message, headers=told, timeout=120))
    text = "".join(value["text"] for kind, value in events if kind == "token")
    assert events[-1][1]["value"]["choices"][0]["message"]["content"] == text


def test_who_asks_for_events_hears_of_a_refusal(repos: dict[str, str], web: httpx.Client) -> None:
    answer = web.post(
        f"/inference/{repos['classifier']}", content=b"no picture", headers={"x-corral-events": "true"}, timeout=120
    )
    kind, value = events_of(answer)[-1]
    assert (kind, value["status"]) == ("error", 422)
    assert "not a picture" in value["error"]


def test_lists_and_the_client_know_which_models_run(owner: Person, repos: dict[str, str], web: httpx.Client) -> None:
    other = owner.api.create_repo(f"{owner.name}/no-model").repo_id
    listed = {m.id for m in owner.api.list_models(author=owner.name, inference="warm")}
    assert listed == set(repos.values())
    assert {m.id for m in owner.api.list_models(author=owner.name, inference_provider="all")} == listed
    cold = web.get("/api/models", params={"author": owner.name, "inference": "cold"}).json()
    # other tests' models that cannot run are among them
    assert other in {m["id"] for m in cold}
    assert not listed & {m["id"] for m in cold}
    [mapping] = (
        owner.api.model_info(repos["chat"], expand=["inferenceProviderMapping"]).inference_provider_mapping or []
    )
    assert (mapping.provider, mapping.provider_id, mapping.status, mapping.task) == (
        "corral", repos["chat"], "live", "conversational",
    )  # fmt: skip
    assert owner.api.model_info(repos["chat"], expand=["inference"]).inference == "warm"
    assert owner.api.model_info(other, expand=["inference"]).inference is None
