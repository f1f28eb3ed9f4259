"""Engines that write text: several callers at once, seeds, grammars, functions, adapters; tiny models, a real one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from building import models_chat

if TYPE_CHECKING:
    from corral.inference.engines.base import Engine, Job

pytestmark = pytest.mark.slow

Load = Callable[[str], "Engine"]
ASK = [{"role": "user", "content": "What is the weather in Paris?"}]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 30}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"name": "weather", "description": "Tells the weather in a city", "parameters": CITY}
PROMPTS = ["Once upon a time", "x", "A much longer text, of which there is more to read than of the others, " * 9]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    from corral.inference import engines

    folder = tmp_path_factory.mktemp("chat")
    loaded: list[Engine] = []

    @cache
    def one(kind: str) -> Engine:
        real = {"gguf": models_chat.GGUF}
        if kind == "gguf":
            engine = engines.load("llama-cpp", models_chat.smollm(), real)
        elif kind == "gguf that knows tools":
            (folder / "tools").mkdir()
            engine = engines.load("llama-cpp", models_chat.retold(folder / "tools", models_chat.HERMES), real)
        elif kind == "whole":
            engine = engines.load("text-generation", models_chat.smollm(), real)
        elif kind == "adapter":
            base = models_chat.make("llama", folder / "base")
            made = models_chat.adapter(base, folder / kind)
            engine = engines.load("text-generation", made, {"base": str(base)})
        else:
            engine = engines.load("text-generation", models_chat.make(kind, folder / kind), {})
        loaded.append(engine)
        return engine

    yield one
    for engine in loaded:
        engine.close()


def job(op: str, heard: list[dict[str, Any]] | None = None, **params: Any) -> Job:
    from corral.inference.engines.base import Job

    return Job(op, params | ({"stream": True} if heard is not None else {}), emit=(heard or []).append)


def write(engine: Engine, prompt: str, **params: Any) -> dict[str, Any]:
    result: dict[str, Any] = engine.run(job("generate", prompt=prompt, **{"max_new_tokens": 24} | params))
    return result


def chat(engine: Engine, heard: list[dict[str, Any]] | None = None, **params: Any) -> dict[str, Any]:
    given = {"messages": ASK, "max_new_tokens": 60, "temperature": 0, "tool_choice": "auto"} | params
    if heard is None:
        result: dict[str, Any] = engine.run(job("chat", **given))
        return result
    from corral.inference.engines.base import Job

    streamed: dict[str, Any] = engine.run(Job("chat", given | {"stream": True}, emit=heard.append))
    return streamed


def together(work: list[Callable[[], Any]]) -> list[Any]:
    """What each gives, all at once."""
    found: list[Any] = [None] * len(work)

    def run(number: int) -> None:
        try:
            found[number] = work[number]()
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(work))]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    for thread in threads:
        thread.join(60)
    return found


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma"])
def test_callers_together_get_what_each_gets_alone(load: Load, kind: str) -> None:
    from corral.inference.engines.base import Refused

    engine = load(kind)
    assert engine.parallel > 1
    prompts = [prompt[:300] for prompt in PROMPTS]
    lengths = (40, 5, 24)
    alone = [write(engine, p, max_new_tokens=n)["text"] for p, n in zip(prompts, lengths, strict=True)]
    work = [lambda p=p, n=n: write(engine, p, max_new_tokens=n)["text"] for p, n in zip(prompts, lengths, strict=True)]
    # one that is refused, and more than there is room for at once
    found = together([*work, lambda: write(engine, ""), *work, *work, *work])
    assert isinstance(found[3], Refused)
    assert found[:3] + found[4:] == alone * 4


def test_who_leaves_is_not_written_for_any_more_and_the_others_are(load: Load) -> None:
    from corral.inference.engines.base import Job

    engine = load("llama")
    gone = threading.Event()
    heard: list[dict[str, Any]] = []

    def hear(event: dict[str, Any]) -> None:
        heard.append(event)
        gone.set()

    leaving = Job("generate", {"prompt": "a", "max_new_tokens": 3000, "stream": True}, emit=hear, cancelled=gone)
    alone = write(engine, PROMPTS[0])["text"]
    found = together([lambda: engine.run(leaving), lambda: write(engine, PROMPTS[0])["text"]])
    assert len(heard) < 10
    assert found[1] == alone


def test_a_caller_of_whom_something_goes_wrong_spoils_nothing_for_others(load: Load) -> None:
    from corral.inference.engines.base import Job

    engine = load("llama")

    def fail(event: dict[str, Any]) -> None:
        raise RuntimeError("the pipe is broken")

    broken = Job("generate", {"prompt": "a", "stream": True}, emit=fail)
    alone = write(engine, PROMPTS[0])["text"]
    found = together([lambda: write(engine, PROMPTS[0])["text"], lambda: engine.run(broken)])
    assert found[0] == alone
    assert isinstance(found[1], RuntimeError)


@pytest.mark.parametrize("kind", ["llama", "gguf"])
def test_a_seed_gives_the_same_text_whoever_else_is_there(load: Load, kind: str) -> None:
    engine = load(kind)
    options = {"temperature": 1.0, "seed": 7, "max_new_tokens": 12}
    one, two = (write(engine, "Once upon a time", **options)["text"] for _ in range(2))
    other = write(engine, "Once upon a time", **options | {"seed": 8})["text"]
    assert one == two != other
    if kind == "llama":
        assert together([lambda: write(engine, "Once upon a time", **options)["text"]] * 3) == [one] * 3


def test_penalties_and_sampling_do_what_they_are_for(load: Load) -> None:
    engine = load("llama")
    plain = write(engine, "abc", max_new_tokens=30)
    fresh = write(engine, "abc", max_new_tokens=30, frequency_penalty=2.0, presence_penalty=2.0)
    assert len({t["id"] for t in fresh["tokens"]}) > len({t["id"] for t in plain["tokens"]})
    hot = [write(engine, "abc", temperature=50.0, seed=s)["text"] for s in (1, 2)]
    assert hot[0] != hot[1]
    # of one token there is no choice, however hot
    assert write(engine, "abc", max_new_tokens=30, temperature=50.0, top_k=1)["text"] == plain["text"]


@pytest.mark.parametrize("kind", ["llama", "gguf"])
def test_probabilities_are_those_of_the_tokens(load: Load, kind: str) -> None:
    found = write(load(kind), "Once upon a time", max_new_tokens=6, tops=3)
    for token in found["tokens"]:
        assert [t["logprob"] for t in token["top"]] == sorted((t["logprob"] for t in token["top"]), reverse=True)
        # the likeliest was taken
        assert token["logprob"] == pytest.approx(token["top"][0]["logprob"], abs=1e-4)
        assert token["top"][0]["id"] == token["id"]
        assert token["logprob"] < 0
    assert all("top" not in token for token in write(load(kind), "Once", max_new_tokens=2)["tokens"])


@pytest.mark.parametrize("kind", ["llama", "gguf", "gpt2"])
def test_a_schema_is_followed_to_the_letter(load: Load, kind: str) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}, "s": {"enum": ["é"]}}, "required": ["n", "s"]}
    schema["additionalProperties"] = False
    found = chat(load(kind), grammar={"json": schema}, temperature=1.5, seed=3)
    assert json.loads(found["text"]) in ({"n": 1, "s": "é"}, {"n": 2, "s": "é"})
    assert found["finish_reason"] == "eos_token"
    number = write(load(kind), "My number is ", grammar={"regex": "[0-9]{3}/[a-c]"})["text"]
    assert number[:3].isdigit()
    assert number[3:] in ("/a", "/b", "/c")


@pytest.mark.parametrize("kind", ["llama", "gguf"])
@pytest.mark.parametrize(
    "grammar",
    [
        {"json": {"type": "nonsense"}},
        {"json": {"$ref": "http://127.0.0.1/schema"}},
        {"json": {"$ref": "#"}},
        {"json": {"enum": []}},
        {"json": {"type": "string", "pattern": "(?=a)b"}},
        {"regex": "(a"},
    ],
)
def test_what_cannot_be_followed_is_refused(load: Load, kind: str, grammar: dict[str, Any]) -> None:
    from corral.inference.engines.base import Refused

    with pytest.raises(Refused, match="cannot be followed"):
        chat(load(kind), grammar=grammar)


@pytest.mark.parametrize("kind", ["llama", "gguf"])
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^((a{0,100}){0,100}){0,100}$"},
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1_000_000},
        {"type": "string", "minLength": 10**6},
        {"anyOf": [{"type": "string", "pattern": f"^([a-z]*{i})*$"} for i in range(12)]},
    ],
)
def test_a_grammar_that_might_never_end_does(load: Load, kind: str, schema: dict[str, Any]) -> None:
    from corral.inference.engines.base import Refused

    engine = load(kind)
    began = time.monotonic()
    for asked in ({"grammar": {"json": schema}}, {"tools": [WEATHER | {"parameters": {"properties": {"a": schema}}}]}):
        try:
            assert chat(engine, max_new_tokens=5, **asked)["output_length"] <= 5
        except Refused as refusal:
            assert "cannot be followed" in refusal.message
    assert write(engine, "Once", max_new_tokens=2)["output_length"] <= 2, "others are served after it"
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("kind", ["llama", "gguf"])
def test_a_call_that_must_be_made_is_made(load: Load, kind: str) -> None:
    heard: list[dict[str, Any]] = []
    found = chat(load(kind), heard, tools=[WEATHER], tool_choice="required", seed=1, max_new_tokens=200)
    [call] = found["calls"]
    assert call["name"] == "weather"
    assert found["finish_reason"] == "tool_calls"
    assert "".join(c["arguments"] for event in heard for c in event.get("calls", ())) == call["arguments"]
    if kind == "gguf":
        # random letters rarely come to an end
        assert json.loads(call["arguments"]) == {"city": "Paris"}


def test_a_model_that_knows_no_tools_calls_them_all_the_same_and_tells_what_came_of_it(load: Load) -> None:
    engine = load("gguf")
    found = chat(engine, tools=[WEATHER])
    [call] = found["calls"]
    assert json.loads(call["arguments"]) == {"city": "Paris"}
    made = {"id": call["id"], "type": "function", "function": {"name": "weather", "arguments": call["arguments"]}}
    talk = [*ASK, {"role": "assistant", "content": "", "tool_calls": [made]}]
    talk += [{"role": "tool", "tool_call_id": call["id"], "content": "It is sunny, 25 degrees."}]
    answer = chat(engine, messages=talk)
    assert "sunny" in answer["text"].lower() or "25" in answer["text"]


def test_calls_in_the_models_own_form_are_read_as_they_come(load: Load) -> None:
    from corral.inference.engines import responses

    tokenizer = load("llama")._tokenizer  # type: ignore[attr-defined]
    how = responses.template(tokenizer)
    assert how is not None, "its template tells of <tool_call>"
    written = 'Let me see.<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    reader = responses.Reader(tokenizer, how, "assistant: ")
    parts = [reader.add(letter) for letter in written]
    parts.append(reader.end())
    assert "".join(part["text"] for part in parts).strip() == "Let me see."
    [call] = [c for part in parts for c in part.get("calls", ())]
    assert (call["index"], call["name"], json.loads(call["arguments"])) == (0, "weather", {"city": "Rome"})
    broken = responses.Reader(tokenizer, how, "assistant: ")
    for letter in "<tool_call>no JSON</tool_call> and more":
        broken.add(letter)
    broken.end()
    assert broken.calls == []


@pytest.mark.parametrize("kind", ["gguf that knows tools", "whole"])
def test_a_model_that_knows_tools_calls_them_in_its_own_form(load: Load, kind: str) -> None:
    from corral.inference.engines import responses

    engine: Any = load(kind)
    if kind == "whole":
        engine._tokenizer.chat_template = models_chat.HERMES
        engine._how, engine._tools = responses.template(engine._tokenizer), True
    assert engine._tools
    # so small a model does not call by itself
    words = 'Repeat exactly:\n<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": words}], "tools": [WEATHER]}
    heard: list[dict[str, Any]] = []
    found = chat(engine, heard, **asked)
    assert (found["finish_reason"], found["text"].strip()) == ("tool_calls", "")
    [call] = found["calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Paris"})
    pieces = [piece for event in heard for piece in event.get("calls", ())]
    assert "".join(piece["arguments"] for piece in pieces) == call["arguments"]
    assert [piece["id"] for piece in pieces if "id" in piece] == [call["id"]]
    made = {"id": call["id"], "type": "function", "function": {"name": "weather", "arguments": call["arguments"]}}
    talk = [*ASK, {"role": "assistant", "content": "", "tool_calls": [made]}]
    talk += [{"role": "tool", "tool_call_id": call["id"], "content": "It is sunny, 25 degrees."}]
    assert chat(engine, messages=talk, tools=[WEATHER], max_new_tokens=20)["input_length"] > found["input_length"]


def test_an_adapter_changes_what_its_base_writes(load: Load) -> None:
    base, adapted = load("llama"), load("adapter")
    prompt = "Once upon a time"
    changed = write(adapted, prompt)["text"]
    assert changed != write(base, prompt)["text"]
    assert adapted.parallel > 1
    assert together([lambda: write(adapted, prompt)["text"]] * 2) == [changed] * 2


def test_llama_cpp_and_transformers_find_the_same_tokens_likely(load: Load) -> None:
    prompt = "The capital of France is"
    mine, its = (write(load(kind), prompt, max_new_tokens=5, tops=5) for kind in ("gguf", "whole"))
    assert mine["text"] == its["text"]
    assert "Paris" in mine["text"]
    for one, other in zip(mine["tokens"], its["tokens"], strict=True):
        # eight bits for what runs through the layers, against 32
        assert one["logprob"] == pytest.approx(other["logprob"], abs=0.4)


def test_real_callers_share_a_gguf_model(load: Load) -> None:
    engine = load("gguf")
    heard: list[dict[str, Any]] = []
    stop = " city"
    alone = write(engine, "Once upon a time", max_new_tokens=20)
    whole = chat(engine, heard, max_new_tokens=12)
    assert "".join(event["text"] for event in heard) == whole["text"]
    found = together([lambda: write(engine, "Once upon a time", max_new_tokens=20)["text"]] * 4)
    assert [text[:10] for text in found] == [alone["text"][:10]] * 4
    cut = write(engine, "Once upon a time", max_new_tokens=20, stop=[stop])
    assert (cut["text"], cut["finish_reason"]) == (alone["text"].partition(stop)[0], "stop_sequence")
    with_it = write(engine, "Once upon a time", max_new_tokens=20, stop=[stop], include_stop=True)
    assert with_it["text"] == cut["text"] + stop


def test_prompts_that_do_not_fit_are_refused(load: Load) -> None:
    from corral.inference.engines.base import Refused

    for kind in ("llama", "gguf"):
        engine = load(kind)
        with pytest.raises(Refused, match="The prompt is empty"):
            write(engine, "")
        with pytest.raises(Refused, match="shorten it"):
            write(engine, "word " * 9000)
        with pytest.raises(Refused, match="shorten it"):
            chat(engine, messages=ASK * 900)
        assert write(engine, "word " * 9000, truncate=20, max_new_tokens=2)["input_length"] == 20
        assert write(engine, "Ünïcödé 日本語 \U0001f984", max_new_tokens=4)["output_length"] <= 4


def test_a_caller_who_leaves_ends_llama_cpps_work(load: Load) -> None:
    from corral.inference.engines.base import Job

    engine = load("gguf")
    gone = threading.Event()
    heard: list[dict[str, Any]] = []

    def hear(event: dict[str, Any]) -> None:
        heard.append(event)
        gone.set()

    params = {"prompt": "Once", "max_new_tokens": 4000, "stream": True}
    engine.run(Job("generate", params, emit=hear, cancelled=gone))
    assert len(heard) < 10
    began = time.monotonic()
    write(engine, "Once", max_new_tokens=2)
    assert time.monotonic() - began < 20


def test_a_template_that_refuses_or_fails_is_told(load: Load) -> None:
    from corral.inference.engines.base import Refused

    engine = load("gpt2")
    engine._tokenizer.chat_template = "{{ raise_exception('no system messages, please') }}"  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="no system messages, please"):
        chat(engine)
    engine._tokenizer.chat_template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="does not take these messages"):
        chat(engine)
    engine._tokenizer.chat_template = None  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="no chat template"):
        chat(engine)


def test_callers_have_room_for_as_much_as_the_weights_size_allows() -> None:
    from corral.inference.engines.llama_cpp import SLOTS, plan

    large = {
        "general.architecture": "llama",
        "llama.context_length": 131_072,
        "llama.block_count": 32,
        "llama.embedding_length": 4096,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
    }
    context, cells = plan(large, 4_700_000_000)
    # 128 KiB a token, in half of the weights' size
    assert context == cells
    assert cells * 131_072 <= 4_700_000_000 / 2 < (cells + 256) * 131_072
    assert plan(large | {"llama.context_length": 512}, 4_700_000_000) == (512, SLOTS * 512)
    assert plan({}, 1000)[0] >= 2048, "a file that says nothing of itself"


def test_a_damaged_gguf_file_says_so(tmp_path: Path) -> None:
    from corral.inference import engines

    (tmp_path / "m.gguf").write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 64)
    with pytest.raises(ValueError, match="damaged"):
        engines.load("llama-cpp", tmp_path, {"gguf": "m.gguf"})
    whole = (models_chat.smollm() / models_chat.GGUF).read_bytes()
    (tmp_path / "m.gguf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RuntimeError):
        engines.load("llama-cpp", tmp_path, {"gguf": "m.gguf"})
