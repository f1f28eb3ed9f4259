"""OpenAI's endpoints over the hub's models: `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models`.

`model` is a repository id. Requests wait while the model loads, since these clients know no loading state; send
`x-wait-for-model: false` to be refused instead. Shapes: OpenAI's API reference and huggingface_hub 2.4.0.
"""

from __future__ import annotations

import base64
import secrets
import struct
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import Response

from corral import __version__
from corral.api.calling import (
    answered,
    find,
    json_object,
    outcome,
    sse,
    streamed,
    submit,
    told,
    wants_events,
    whole_body,
)
from corral.api.deps import Ctx
from corral.api.wire import Json
from corral.context import Context
from corral.core.errors import BadRequest, NotSupported, Unprocessable
from corral.inference import models
from corral.inference.calls import Call, Event, Failure, Result, Token
from corral.inference.calls import Request as Asked
from corral.inference.models import Model
from corral.inference.service import InferenceService
from corral.inference.tasks import base, text_generation

router = APIRouter()

_FINISH = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
#: what is refused rather than passed over, since the answer would not be what was asked for
_UNSUPPORTED = ("tools", "functions", "response_format", "logit_bias")
_MOST_MESSAGES = 1000
_DEFAULT_TOKENS = 1024


@router.get("/v1/models")
async def list_models(ctx: Ctx) -> Response:
    """Models that can run here and that the caller may see, newest first."""
    rows = await run_sync(models.runnable, ctx)
    entries = [
        {"id": name, "object": "model", "created": created // 1000, "owned_by": name.partition("/")[0]}
        for name, created in rows
    ]
    return Json({"object": "list", "data": entries})


@router.post("/v1/chat/completions")
async def chat(request: Request, ctx: Ctx) -> Response:
    """A model's turn in a conversation, streamed or whole."""
    body = json_object(await whole_body(request))
    return await _chat(request, ctx, body, model_of(body))


@router.post("/inference/{owner:seg}/{name:seg}/v1/chat/completions")
async def chat_with(request: Request, ctx: Ctx, owner: str, name: str) -> Response:
    """As above for one model, whatever `model` says: where `InferenceClient(model=URL).chat_completion` goes."""
    return await _chat(request, ctx, json_object(await whole_body(request)), f"{owner}/{name}")


@router.post("/v1/completions")
async def complete(request: Request, ctx: Ctx) -> Response:
    """Text that goes on from `prompt`, streamed or whole."""
    body = json_object(await whole_body(request))
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    params = _generation(body) | {"prompt": base.text(prompt, "'prompt'")}
    asked = Asked("generate", params, stream=params["stream"])
    name = model_of(body)
    _, _, call = await call_model(request, ctx, name, asked)
    shape = _Completion(name, params)
    if asked.stream:
        return await streamed(request, call, partial(_events, shape))
    result = await outcome(request, call)
    return answered(result, shape.whole(result.value))


@router.post("/v1/embeddings")
async def embed(request: Request, ctx: Ctx) -> Response:
    """A vector for each text of `input`."""
    body = json_object(await whole_body(request))
    given = body.get("input")
    texts = [base.text(given, "'input'")] if isinstance(given, str) else base.texts(given, "'input'")
    packed = base.choice(body, "encoding_format", ("float", "base64")) == "base64"
    dimensions = base.number(body, "dimensions", 1, 100_000, whole=True)
    name = model_of(body)
    asked = Asked("embed", {"texts": texts, "dimensions": dimensions, "normalize": True})
    _, _, call = await call_model(request, ctx, name, asked)
    done = await outcome(request, call)
    result = done.value
    data = [
        {"object": "embedding", "index": i, "embedding": _packed(vector) if packed else vector}
        for i, vector in enumerate(result["vectors"])
    ]
    usage = {"prompt_tokens": result["tokens"], "total_tokens": result["tokens"]}
    return answered(done, {"object": "list", "data": data, "model": name, "usage": usage})


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


async def _chat(request: Request, ctx: Context, body: dict[str, Any], name: str) -> Response:
    params = _generation(body) | {"messages": _messages(body.get("messages"))}
    asked = Asked("chat", params, stream=params["stream"])
    service, model, call = await call_model(request, ctx, name, asked)
    shape = _Chat(name, params)
    if wants_events(request):
        return await told(service, model, call, lambda result: shape.whole(result.value))
    if asked.stream:
        return await streamed(request, call, partial(_events, shape))
    result = await outcome(request, call)
    return answered(result, shape.whole(result.value))


async def call_model(request: Request, ctx: Context, name: str, asked: Asked) -> tuple[InferenceService, Model, Call]:
    """Hand `asked` to the model of that name; it waits for the model to load unless told not to."""
    wait = request.headers.get("x-wait-for-model", "true").lower() not in ("false", "0")
    service, model = await find(request, ctx, name)
    return service, model, await submit(request, ctx, service, model, asked, wait=wait or wants_events(request))


def model_of(body: Mapping[str, Any]) -> str:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise BadRequest("'model' must be the id of a model on this hub: owner/name.")
    return name


def _generation(body: Mapping[str, Any]) -> dict[str, Any]:
    for name in _UNSUPPORTED:
        if body.get(name) and body[name] != {"type": "text"}:
            raise NotSupported(f"'{name}' is not supported: leave it out.")
    if body.get("n") not in (None, 1):
        raise NotSupported("'n' other than 1 is not supported: send several requests.")
    most = body.get("max_completion_tokens", body.get("max_tokens"))
    options = body.get("stream_options")
    return text_generation.sampling(body) | {
        "max_new_tokens": base.number({"max_tokens": most}, "max_tokens", 1, 1_000_000, whole=True) or _DEFAULT_TOKENS,
        "stop": text_generation.stops(body.get("stop")),
        "stream": base.flag(body, "stream") or False,
        "usage": isinstance(options, Mapping) and options.get("include_usage") is True,
        "logprobs": bool(body.get("logprobs")),
        # as the model's own generation_config.json has it, where the caller says nothing
        "sample_by_default": True,
    }


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise BadRequest("'messages' must be a list of messages that is not empty.")
    if len(value) > _MOST_MESSAGES:
        raise Unprocessable(f"'messages' has more than {_MOST_MESSAGES} messages: leave out old ones.")
    return [_message(m, f"'messages[{i}]'") for i, m in enumerate(value)]


def _message(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not isinstance(value.get("role"), str):
        raise BadRequest(f"{where} must be an object with 'role' and 'content'.")
    content = value.get("content")
    if isinstance(content, list):
        if any(not isinstance(part, Mapping) or part.get("type") != "text" for part in content):
            raise NotSupported(f"{where} has parts that are not text, which these models do not read.")
        content = "".join(base.text(part.get("text"), f"{where}.content") for part in content)
    return {"role": value["role"], "content": base.text(content, f"{where}.content")}


class _Completion:
    """Shapes of one answer of /v1/completions."""

    prefix, whole_kind, piece_kind = "cmpl", "text_completion", "text_completion"

    def __init__(self, model: str, params: Mapping[str, Any]) -> None:
        self.params = params
        self._head = {
            "id": f"{self.prefix}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": f"corral-{__version__}",
        }

    def whole(self, result: dict[str, Any]) -> dict[str, Any]:
        choice = self.choice(result["text"], result["tokens"]) | {"finish_reason": _FINISH[result["finish_reason"]]}
        return self._head | {"object": self.whole_kind, "choices": [choice], "usage": usage(result)}

    def piece(self, token: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
        choice = self.delta(token["text"] if token else "", [token] if token else []) | {"finish_reason": finish}
        return self._head | {"object": self.piece_kind, "choices": [choice]}

    def counted(self, result: dict[str, Any]) -> dict[str, Any]:
        return self._head | {"object": self.piece_kind, "choices": [], "usage": usage(result)}

    def choice(self, text: str, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        logprobs = None
        if self.params["logprobs"]:
            logprobs = {"tokens": [t["text"] for t in tokens], "token_logprobs": [t["logprob"] for t in tokens]}
        return {"index": 0, "text": text, "logprobs": logprobs}

    def delta(self, text: str, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        return self.choice(text, tokens)


class _Chat(_Completion):
    """Shapes of one answer of /v1/chat/completions."""

    prefix, whole_kind, piece_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice(self, text: str, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        return {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": self._logprobs(tokens)}

    def delta(self, text: str, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        return {"index": 0, "delta": {"role": "assistant", "content": text}, "logprobs": self._logprobs(tokens)}

    def _logprobs(self, tokens: list[dict[str, Any]]) -> dict[str, Any] | None:
        if not self.params["logprobs"]:
            return None
        content = [
            {"token": t["text"], "logprob": t["logprob"], "bytes": list(t["text"].encode()), "top_logprobs": []}
            for t in tokens
        ]
        return {"content": content}


def usage(result: dict[str, Any]) -> dict[str, int]:
    read, written = result["input_length"], len(result["tokens"])
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _events(shape: _Completion, events: list[Event], state: dict[str, Any]) -> list[bytes]:
    out: list[bytes] = []
    for event in events:
        match event:
            case Token(value) if value["text"]:
                out.append(sse(shape.piece(value)))
            case Result(value):
                out.append(sse(shape.piece(None, _FINISH[value["finish_reason"]])))
                if shape.params["usage"]:
                    out.append(sse(shape.counted(value)))
                out.append(b"data: [DONE]\n\n")
            case Failure(error):
                out.append(sse({"error": error.message, "error_type": "generation"}))
    return out
