"""GGUF models by llama.cpp: text that goes on from a prompt, and chats; several callers at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from corral.inference.engines import gguf_header, tools
from corral.inference.engines.base import Engine, Job, Refused
from corral.inference.engines.grammar import grammar
from corral.inference.engines.llama_server import LlamaServer, too_long
from corral.inference.engines.room import Room

#: callers at a time
SLOTS = 8
#: bytes for the keys and values of what callers read and write, at least; half of the weights' if that is more
CACHE = 256 * 2**20
#: no answer is longer than this many tokens
MOST_NEW = 4096
#: tokens of a prompt that takes so long to read that people are told how far it is
_LONG = 1024
#: seconds between two signs of life of an answer that is not streamed
_BEAT = 2.0
_ENDS = {"eos": "eos_token", "word": "stop_sequence", "limit": "length"}
#: a prompt's own tokens for each message, at most, beside one for each byte
_FRAME = 32


class LlamaCpp(Engine):
    parallel = SLOTS

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        file = folder / options["gguf"]
        header = gguf_header.read(file)
        self._context, cells = plan(header, file.stat().st_size)
        self._chats = bool(header.get("tokenizer.chat_template"))
        self._server = LlamaServer(file, cells, SLOTS)
        self._room = Room(cells)
        self._tools = bool(self._server.properties.get("chat_template_caps", {}).get("supports_tools"))

    def close(self) -> None:
        self._server.close()

    def run(self, job: Job) -> Any:
        match job.op:
            case "generate":
                return self._generate(job)
            case "chat":
                if not self._chats:
                    raise Refused("This model has no chat template, so it cannot chat: use text generation instead.")
                if job.params.get("tools") and (not self._tools or job.params["tool_choice"] == "required"):
                    return tools.understood(job, self._chat(tools.rewritten(job)))
                return self._chat(job)
        raise Refused(f"This model cannot do {job.op!r}: it generates text.")

    def _generate(self, job: Job) -> Any:
        params = job.params
        prompt: str | list[int] = params["prompt"]
        length = len(params["prompt"].encode())
        if truncate := params.get("truncate"):
            prompt = self._tokens(params["prompt"])[-truncate:]
            length = len(prompt)
        if not length:
            raise Refused("The prompt is empty: write something for the model to go on from.")
        body = _settings(params) | {"prompt": prompt, "return_tokens": True, "n_predict": self._most(params)}
        answer = _Answer(job)
        for event in self._events("/completion", body, job, length):
            if progress := event.get("prompt_progress"):
                answer.reading(progress)
                continue
            chances = event.get("completion_probabilities") or []
            ids = [c["id"] for c in chances] or event.get("tokens") or []
            if not event["stop"]:
                answer.add(event["content"], ids, chances)
                continue
            if params.get("include_stop") and event.get("stopping_word"):
                answer.add(event["stopping_word"], ids[:1] or [0], [])
            answer.end(_ENDS.get(event["stop_type"], "length"), event["tokens_evaluated"], event["tokens_predicted"])
        return answer.result()

    def _chat(self, job: Job) -> Any:
        params = job.params
        messages = params["messages"]
        body = _settings(params) | {"messages": messages, "max_tokens": self._most(params)}
        body |= {"stream_options": {"include_usage": True}}
        if params.get("tools"):
            functions = [tool | {"parameters": plain(tool.get("parameters") or {})} for tool in params["tools"]]
            body |= {"tools": [{"type": "function", "function": one} for one in functions], "tool_choice": "auto"}
            body |= {"parallel_tool_calls": params.get("parallel_tool_calls", True)}
        answer = _Answer(job)
        length = len(str(body.get("tools", ""))) + sum(len(str(m).encode()) + _FRAME for m in messages)
        finish = "length"
        for event in self._events("/v1/chat/completions", body, job, length):
            if progress := event.get("prompt_progress"):
                answer.reading(progress)
            for choice in event.get("choices", ()):
                delta = choice.get("delta") or {}
                chances = (choice.get("logprobs") or {}).get("content") or []
                answer.add(delta.get("content") or "", [c["id"] for c in chances], chances, delta)
                finish = {"stop": "eos_token"}.get(choice["finish_reason"], choice["finish_reason"] or finish)
            if usage := event.get("usage"):
                answer.end(finish, usage["prompt_tokens"], usage["completion_tokens"])
        return answer.result()

    def _most(self, params: dict[str, Any]) -> int:
        return min(params.get("max_new_tokens") or 100, self._context, MOST_NEW)

    def _tokens(self, text: str) -> list[int]:
        found: list[int] = self._server.ask("/tokenize", {"content": text, "add_special": True})["tokens"]
        return found

    def _events(self, path: str, body: dict[str, Any], job: Job, length: int) -> Iterator[dict[str, Any]]:
        """The server's events, while there is room for the prompt and the answer and somebody waits for it.

        `length` is what the prompt has in tokens at most.
        """
        most = body.get("n_predict") or body["max_tokens"]
        if length > self._context // SLOTS and isinstance(body.get("prompt"), str):
            length = len(self._tokens(body["prompt"]))
            if length > self._context:
                raise too_long(length, self._context)
        with self._room.of(min(length, self._context) + most, job.cancelled) as mine:
            events = self._server.stream(path, body) if mine else iter(())
            for event in events:
                yield event
                if job.cancelled.is_set():
                    return


def plan(header: dict[str, Any], size: int) -> tuple[int, int]:
    """How many tokens one caller may have, and all together, for a model of `size` bytes of weights."""
    kind = header.get("general.architecture", "")

    def number(name: str, default: int) -> int:
        value = header.get(f"{kind}.{name}", default)
        return int(max(value) if isinstance(value, list) and value else value or default)

    trained = number("context_length", 4096)
    layers, heads = number("block_count", 32), number("attention.head_count", 32)
    head = number("embedding_length", 4096) // max(1, heads)
    width = number("attention.key_length", head) + number("attention.value_length", head)
    # two bytes a number
    each = 2 * layers * number("attention.head_count_kv", heads) * width
    cells = max(max(CACHE, size // 2) // max(1, each), min(trained, 2048))
    cells = min(cells, SLOTS * trained) // 256 * 256
    return min(trained, cells), cells


def plain(schema: Any) -> Any:
    """A schema of a function without what llama.cpp, which turns it into a grammar, may never come to an end with."""
    costly = ("pattern", "minLength", "maxLength", "minItems", "maxItems", "format")
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if k not in costly or isinstance(v, dict)}
    return schema


def _settings(params: dict[str, Any]) -> dict[str, Any]:
    names = ("temperature", "top_k", "top_p", "typical_p", "frequency_penalty", "presence_penalty", "seed")
    body = {name: params[name] for name in names if params.get(name) is not None}
    if not params.get("sample_by_default"):
        asked = any(params.get(name) is not None for name in names[:4])
        sample = params.get("do_sample")
        if not (asked if sample is None else sample):
            body |= {"temperature": 0}
        else:
            # what is not asked for changes nothing, where llama.cpp has defaults of its own
            body = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0} | body
    if penalty := params.get("repetition_penalty"):
        body |= {"repeat_penalty": penalty, "repeat_last_n": -1}
    if "seed" in body:
        # to the bit the same only where the prompt is read the same way
        body |= {"seed": body["seed"] % 2**32, "cache_prompt": False}
    if (tops := params.get("tops")) is not None:
        # both names: its two kinds of answers differ
        body |= {"n_probs": max(1, tops), "logprobs": True, "top_logprobs": max(1, tops)}
    if wanted := params.get("grammar"):
        body |= {"grammar": grammar(wanted)}
    return body | {"stop": params.get("stop") or [], "return_progress": True}


class _Answer:
    """What comes back, put together and told on the way."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stream: bool = job.params.get("stream", False)
        self._tops: int | None = job.params.get("tops")
        self._beat = time.monotonic()
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._tokens: list[dict[str, Any]] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._end: dict[str, Any] = {"finish_reason": "length", "input_length": 0, "output_length": 0}

    def reading(self, progress: dict[str, Any]) -> None:
        if progress["total"] > _LONG and 0 < progress["processed"] < progress["total"]:
            self._job.progress(progress["processed"], progress["total"], None)

    def add(
        self, text: str, ids: list[int], chances: list[dict[str, Any]], delta: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """A piece: its text, its tokens and what is known of them, and what else a chat's `delta` holds."""
        reasoning = delta.get("reasoning_content") or ""
        calls = [self._call(one) for one in delta.get("tool_calls") or ()]
        if not (text or reasoning or calls or ids):
            return
        self._text.append(text)
        self._reasoning.append(reasoning)
        event: dict[str, Any] = {"id": ids[-1] if ids else 0, "text": text, "logprob": 0.0, "special": False}
        event |= {"reasoning": reasoning} if reasoning else {}
        event |= {"calls": calls} if calls else {}
        told = [_chance(c, self._tops or 0) | {"text": "", "special": False} for c in chances] or [event]
        told[-1] |= event | {k: told[-1][k] for k in ("id", "logprob")}
        for one in told:
            self._tokens.append(one)
            if self._stream:
                self._job.emit(one)
        if not self._stream and time.monotonic() - self._beat > _BEAT:
            self._beat = time.monotonic()
            self._job.progress(len(self._tokens), self._job.params.get("max_new_tokens") or MOST_NEW, None)

    def _call(self, piece: dict[str, Any]) -> dict[str, Any]:
        function = piece.get("function") or {}
        number, more = piece.get("index", 0), function.get("arguments") or ""
        if number not in self._calls:
            self._calls[number] = tools.call(function.get("name") or "", more)
            return self._calls[number] | {"index": number}
        self._calls[number]["arguments"] += more
        return {"index": number, "arguments": more}

    def end(self, reason: str, read: int, written: int) -> None:
        self._end = {"finish_reason": reason, "input_length": read, "output_length": written}

    def result(self) -> dict[str, Any]:
        return self._end | {
            "text": "".join(self._text),
            "reasoning": "".join(self._reasoning),
            "calls": list(self._calls.values()),
            "tokens": self._tokens,
        }


def _chance(given: dict[str, Any], tops: int) -> dict[str, Any]:
    # llama.cpp gives the least number there is for what cannot be
    found = {"id": given["id"], "token": given["token"], "logprob": max(given["logprob"], -9999.0)}
    top = [{k: t[k] for k in ("id", "token")} | {"logprob": max(t["logprob"], -9999.0)} for t in given["top_logprobs"]]
    return found | {"top": top[:tops]}
