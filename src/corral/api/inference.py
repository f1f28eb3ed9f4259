"""Running models: the classic Inference API, `POST /inference/OWNER/NAME`, streamed or whole.

Bodies and answers are those of Hugging Face's Inference API and of text-generation-inference, as `InferenceClient`
(huggingface_hub 2.4.0) sends and reads them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from corral.api.deps import Ctx
from corral.api.wire import Json
from corral.context import Context
from corral.core.errors import BadRequest, HubError, NotSupported, TooLarge
from corral.core.ids import RepoId, RepoType
from corral.inference.calls import Call, Event, Failure, Result, Token
from corral.inference.calls import Request as Asked
from corral.inference.models import Model
from corral.inference.service import InferenceService
from corral.inference.tasks import TASKS, text_generation
from corral.inference.tasks.base import Body, Task
from corral.inference.widget import describe

router = APIRouter()

#: bytes of a request, pictures among them
MAX_BODY = 32 * 2**20


@router.get("/inference/{owner:seg}/{name:seg}")
async def status(request: Request, ctx: Ctx, owner: str, name: str) -> Response:
    """What the model is for, whether it can run here, and its state: what the widget on its page shows."""
    service, model = await find(request, ctx, f"{owner}/{name}")
    return Json(describe(service, model))


@router.post("/inference/{owner:seg}/{name:seg}")
async def infer(request: Request, ctx: Ctx, owner: str, name: str) -> Response:
    """Run the model. 503 with `estimated_time` while it loads, unless `x-wait-for-model: true`."""
    return await _infer(request, ctx, f"{owner}/{name}", None)


@router.post("/inference/{owner:seg}/{name:seg}/pipeline/{task:seg}")
async def infer_task(request: Request, ctx: Ctx, owner: str, name: str, task: str) -> Response:
    """As above, for a model that does more than one task."""
    return await _infer(request, ctx, f"{owner}/{name}", task)


async def _infer(request: Request, ctx: Context, model_id: str, asked: str | None) -> Response:
    raw = await whole_body(request)
    service, model = await find(request, ctx, model_id)
    task, body = _task(model, raw, asked)
    wanted = task.request(body)
    call = await submit(request, ctx, service, model, wanted, wait=_waits(request, body))
    if wanted.stream:
        return await streamed(request, call, partial(_tgi_events, wanted))
    return Json(task.answer(wanted, await outcome(request, call)))


def _task(model: Model, raw: bytes, asked: str | None) -> tuple[Task, Body]:
    found = model.detection
    if found.engine is None or found.task not in TASKS:
        raise NotSupported(found.problem)
    task = TASKS[found.task]
    picture = task.input == "image" and raw.lstrip()[:1] != b"{"
    body = Body(data=raw) if picture else Body(value=json_object(raw))
    if found.engine == "embedding" and asked in (None, *_TWINS):
        # these two run on the same models; which one is meant shows in the input, as it did at Hugging Face
        pair = isinstance(body.value.get("inputs"), dict)
        return TASKS[asked or _TWINS[not pair]], body
    if asked not in (None, task.name):
        raise BadRequest(f"{model.name} is for {task.name}, not for {asked}.")
    return task, body


_TWINS = ("sentence-similarity", "feature-extraction")


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
                token = {k: value[k] for k in ("id", "text", "logprob", "special")}
                state["index"] = state.get("index", 0) + 1
                state["held"] = {"index": state["index"], "token": token, "generated_text": None, "details": None}
            case Result(value):
                if held is None:
                    nothing = {"id": 0, "text": "", "logprob": 0.0, "special": True}
                    held = {"index": 1, "token": nothing}
                details = text_generation.details(value, asked) | {"input_length": value["input_length"]}
                out.append(sse(held | {"generated_text": value["text"], "details": details}))
            case Failure(error):
                out.append(sse({"error": error.message, "error_type": "generation"}))
    return out


# --- shared with the OpenAI-shaped endpoints -------------------------------------------------------------------------


async def find(request: Request, ctx: Context, model_id: str) -> tuple[InferenceService, Model]:
    """The service and the model, as the caller may see it. Raises RepoNotFound."""
    service: InferenceService = request.app.state.inference
    rid = RepoId.parse(RepoType.MODEL, model_id)
    return service, await run_sync(service.models.find, ctx, rid)


async def submit(
    request: Request, ctx: Context, service: InferenceService, model: Model, asked: Asked, *, wait: bool
) -> Call:
    caller = ctx.actor.name or (request.client.host if request.client else "nobody")
    return await run_sync(partial(service.submit, ctx, model, asked, caller=caller, wait=wait))


async def whole_body(request: Request) -> bytes:
    """Raises TooLarge above MAX_BODY."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise TooLarge(f"The body is longer than the {MAX_BODY} bytes that a model is given.")
    return bytes(data)


def json_object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="InvalidJson") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.", code="InvalidJson")
    return value


def sse(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _follow(call: Call) -> asyncio.Queue[Event]:
    """The call's events, from the worker's thread to this one."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event] = asyncio.Queue()

    def hand_over(event: Event) -> None:
        # the loop is closed when the hub ends first
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(queue.put_nowait, event)

    call.listen(hand_over)
    return queue


async def _next(request: Request, queue: asyncio.Queue[Event], call: Call) -> Event:
    """The next event; the call is cancelled when the caller goes away before it. The body has been read."""
    coming = asyncio.ensure_future(queue.get())
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if coming.done():
            return coming.result()
        raise HubError("The caller went away.", status=499, code="Cancelled")
    except BaseException:
        call.cancel()
        raise
    finally:
        for task in (coming, leaving):
            task.cancel()
        await asyncio.gather(coming, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def outcome(request: Request, call: Call) -> Any:
    """The result. Raises what went wrong."""
    queue = _follow(call)
    while True:
        event = await _next(request, queue, call)
        if isinstance(event, Failure):
            raise event.error
        if isinstance(event, Result):
            return event.value


async def streamed(request: Request, call: Call, shape: Any) -> Response:
    """Server-sent events. `shape(events, state)` gives the bytes for some events.

    The answer starts with the first event, so that a refusal still has its status.
    """
    queue = _follow(call)
    first: Event = await _next(request, queue, call)
    if isinstance(first, Failure):
        raise first.error

    async def lines() -> AsyncIterator[bytes]:
        state: dict[str, Any] = {}
        event: Event = first
        try:
            while True:
                events: list[Event] = [event]
                while not queue.empty():
                    events.append(queue.get_nowait())
                for line in shape(events, state):
                    yield line
                if not isinstance(events[-1], Token):
                    return
                event = await queue.get()
        finally:
            # does nothing to a call that is done; else the caller has gone away
            call.cancel()

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)
