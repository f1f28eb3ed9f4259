"""What the two faces of inference share: reading a request, handing it to the service, following what comes back."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from anyio.to_thread import run_sync
from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from corral.api.wire import Json
from corral.context import Context
from corral.core.errors import BadRequest, HubError, TooLarge
from corral.core.ids import RepoId, RepoType
from corral.inference.calls import Call, Event, Failure, Media, Progress, Result, Token
from corral.inference.calls import Request as Asked
from corral.inference.models import Model
from corral.inference.service import InferenceService
from corral.repos.lookup import Right

#: bytes of a request, pictures among them
MAX_BODY = 32 * 2**20
#: seconds between two looks at a call's place in the queue
_LOOK = 0.5
SSE = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def find(
    request: Request, ctx: Context, model_id: str, right: Right = Right.DOWNLOAD
) -> tuple[InferenceService, Model]:
    """The service and the model, for a caller who may run it. Raises RepoNotFound, GatedRepo."""
    service: InferenceService = request.app.state.inference
    rid = RepoId.parse(RepoType.MODEL, model_id)
    return service, await run_sync(partial(service.models.find, ctx, rid, right=right))


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


class Events(StreamingResponse):
    """Server-sent events of calls, which end with it: also where the caller goes away while a line is being sent, when
    the generator of the lines would hear of it late or never."""

    def __init__(self, lines: AsyncIterator[bytes], calls: Sequence[Call]) -> None:
        super().__init__(lines, media_type="text/event-stream", headers=SSE)
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # does nothing to those that are done
            for call in self._calls:
                call.cancel()


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
    leaving = asyncio.ensure_future(left(request))
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


async def left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def outcome(request: Request, call: Call) -> Result:
    """The result. Raises what went wrong."""
    queue = _follow(call)
    while True:
        event = await _next(request, queue, call)
        if isinstance(event, Failure):
            raise event.error
        if isinstance(event, Result):
            return event


def answered(result: Result, value: Any) -> Response:
    """`value` as JSON or as the bytes that it is; the headers say what it took, as Hugging Face's did."""
    headers = {"x-compute-time": f"{result.seconds:.3f}"}
    if isinstance(value, Media):
        return Response(value.data, media_type=value.type, headers=headers)
    return Json(value, headers=headers)


def wants_events(request: Request) -> bool:
    """Whether the caller asks to hear of everything on the way: the widgets do."""
    return request.headers.get("x-corral-events", "").lower() in ("true", "1")


async def told(service: InferenceService, model: Model, call: Call, shape: Callable[[Result], Any]) -> Response:
    """Server-sent events for people who wait: `place` in the queue, `progress`, `token`, then `result` or `error`.

    `result` holds the answer (`value`, or `media` as a data URL), the `seconds` it took, and on which `machine`.
    """
    queue = _follow(call)

    async def lines() -> AsyncIterator[bytes]:
        last: object = None
        while True:
            try:
                event = await asyncio.wait_for(queue.get(), _LOOK)
            except TimeoutError:
                # in a thread, since the service may be busy ending a model
                place, (state, _) = await run_sync(lambda: (service.place(model, call), service.state(model)))
                if place is not None and (seen := (place.number, place.of, round(place.seconds))) != last:
                    last = seen
                    where = {"number": place.number, "of": place.of, "seconds": round(place.seconds, 1)}
                    yield named("place", where | {"state": state})
                continue
            match event:
                case Token(value):
                    yield named("token", value)
                case Progress(done, total, picture):
                    shown = {"picture": data_url(picture)} if picture else {}
                    yield named("progress", {"done": done, "total": total} | shown)
                case Result():
                    yield named("result", _shown(event, shape(event)))
                    return
                case Failure(error):
                    yield named("error", {"status": error.status, "code": error.code, "error": error.message})
                    return

    return Events(lines(), [call])


def _shown(result: Result, value: Any) -> dict[str, Any]:
    shown = {"seconds": round(result.seconds, 3), "machine": machine()}
    if isinstance(value, Media):
        return shown | {"media": data_url(value), "about": value.about}
    return shown | {"value": value}


def data_url(media: Media) -> str:
    return f"data:{media.type};base64,{base64.b64encode(media.data).decode()}"


def machine() -> str:
    """What models run on here, for people."""
    return f"{os.cpu_count() or 1} CPU cores"


def named(kind: str, value: Any) -> bytes:
    return b"event: " + kind.encode() + b"\n" + sse(value)


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
        while True:
            events: list[Event] = [event]
            while not queue.empty():
                events.append(queue.get_nowait())
            for line in shape(events, state):
                yield line
            if isinstance(events[-1], Result | Failure):
                return
            event = await queue.get()

    return Events(lines(), [call])
