"""Running models: the classic Inference API, `POST /inference/OWNER/NAME`, streamed or whole.

Bodies and answers are those of Hugging Face's Inference API and of text-generation-inference, as `InferenceClient`
(huggingface_hub 2.4.0) sends and reads them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import Response

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
from corral.core.errors import BadRequest, NotSupported
from corral.inference.calls import Event, Failure, Result, Token
from corral.inference.calls import Request as Asked
from corral.inference.models import Model
from corral.inference.tasks import TASKS, drawing, text_generation
from corral.inference.tasks.base import Body, Task
from corral.inference.widget import describe
from corral.repos.lookup import Right

router = APIRouter()


@router.get("/inference/{owner:seg}/{name:seg}")
async def status(request: Request, ctx: Ctx, owner: str, name: str) -> Response:
    """What the model is for, whether it can run here, and its state: what the widget on its page shows."""
    service, model = await find(request, ctx, f"{owner}/{name}", Right.READ)
    return Json(await run_sync(describe, service, model))


@router.post("/inference/{owner:seg}/{name:seg}")
async def infer(request: Request, ctx: Ctx, owner: str, name: str) -> Response:
    """Run the model. 503 with `estimated_time` while it loads, unless `x-wait-for-model: true`.

    With `x-corral-events: true` the answer is a stream of events instead: `api.calling.told`.
    """
    return await _infer(request, ctx, f"{owner}/{name}", None)


@router.post("/inference/{owner:seg}/{name:seg}/pipeline/{task:seg}")
async def infer_task(request: Request, ctx: Ctx, owner: str, name: str, task: str) -> Response:
    """As above, for a model that does more than one task."""
    return await _infer(request, ctx, f"{owner}/{name}", task)


@router.post("/inference/{owner:seg}/{name:seg}/rerank")
async def rerank(request: Request, ctx: Ctx, owner: str, name: str) -> Response:
    """As above for text-ranking: where clients of text-embeddings-inference send `{"query", "texts"}`."""
    return await _infer(request, ctx, f"{owner}/{name}", "text-ranking")


async def _infer(request: Request, ctx: Context, model_id: str, asked: str | None) -> Response:
    raw = await whole_body(request)
    service, model = await find(request, ctx, model_id)
    task, body = _task(model, raw, asked)
    wanted = task.request(body)
    events = wants_events(request)
    call = await submit(request, ctx, service, model, wanted, wait=events or _waits(request, body))
    if events:
        return await told(service, model, call, lambda result: (task.shown or task.answer)(wanted, result.value))
    if wanted.stream:
        return await streamed(request, call, partial(_tgi_events, wanted))
    result = await outcome(request, call)
    return answered(result, task.answer(wanted, result.value))


def _task(model: Model, raw: bytes, asked: str | None) -> tuple[Task, Body]:
    found = model.detection
    if found.engine is None or found.task not in TASKS:
        raise NotSupported(found.problem)
    tasks = (found.task, *found.also)
    takes_bytes = any(TASKS[one].takes_bytes for one in tasks if asked in (None, one))
    plain = takes_bytes and raw.lstrip()[:1] != b"{"
    body = Body(data=raw) if plain else Body(value=json_object(raw))
    if found.engine == "embedding" and asked in (None, *_TWINS):
        # these two run on the same models; which one is meant shows in the input, as it did at Hugging Face
        pair = isinstance(body.value.get("inputs"), dict)
        return TASKS[asked or _TWINS[not pair]], body
    if found.engine == "sequence-classification" and asked in _VERDICTS:
        # any of these may be asked; the engine refuses what a model's labels do not allow
        return TASKS[asked], body
    if asked not in (None, *tasks):
        raise BadRequest(f"{model.name} is for {' and '.join(tasks)}, not for {asked}.")
    if asked is None and found.also:
        asked = drawing.meant(tasks, body)
    return TASKS[asked or found.task], body


_TWINS = ("sentence-similarity", "feature-extraction")
_VERDICTS = ("text-classification", "zero-shot-classification", "text-ranking")


def _waits(request: Request, body: Body) -> bool:
    header = request.headers.get("x-wait-for-model", "").lower()
    return header in ("true", "1") or (not header and body.options.get("wait_for_model") is True)


def _tgi_events(asked: Asked, events: list[Event], state: dict[str, Any]) -> list[bytes]:
    """TGI's last token event carries the whole text, so each token is held until the next comes."""
    out: list[bytes] = []
    for event in events:
        held: dict[str, Any] | None = state.pop("held", None)
        match event:
            case Token(value):
                if held is not None:
                    out.append(sse(held))
                state["index"] = state.get("index", 0) + 1
                token = {"index": state["index"], "token": text_generation.token(value)}
                if value.get("top"):
                    token["top_tokens"] = [text_generation.top_token(one) for one in value["top"]]
                state["held"] = token | {"generated_text": None, "details": None}
            case Result(value):
                if held is None:
                    nothing = {"id": 0, "text": "", "logprob": 0.0, "special": True}
                    held = {"index": 1, "token": nothing}
                details = text_generation.details(value, asked) | {"input_length": value["input_length"]}
                out.append(sse(held | {"generated_text": value["text"], "details": details}))
            case Failure(error):
                out.append(sse({"error": error.message, "error_type": "generation"}))
    return out
