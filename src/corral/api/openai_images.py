"""OpenAI's endpoints about pictures: `/v1/images/generations`, `/v1/images/edits`, `/v1/images/variations`.

`model` is a repository id. Beside OpenAI's members a request may have `seed`, `negative_prompt`, `guidance_scale`,
`num_inference_steps`, `scheduler`, `strength` and `lora_scale`. Shapes: OpenAI's API reference and its Python client
(openai 3.57).
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from corral.api.calling import answered, json_object, named, outcome, streamed, told, wants_events, whole_body
from corral.api.deps import Ctx
from corral.api.forms import whole_form
from corral.api.openai import call_model, model_of
from corral.context import Context
from corral.core.errors import BadRequest, NotSupported
from corral.inference.calls import Call, Event, Failure, Media, Progress, Result
from corral.inference.calls import Request as Asked
from corral.inference.tasks import base, text_to_image

router = APIRouter()

MOST = 10
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
#: what a form's members, which are texts, become
_NUMBERS = {"n": int, "seed": int, "num_inference_steps": int, "partial_images": int} | dict.fromkeys(
    ("guidance_scale", "strength", "lora_scale"), float
)


@router.post("/v1/images/generations")
async def generate(request: Request, ctx: Ctx) -> Response:
    """Pictures of what `prompt` says, as base64."""
    body = json_object(await whole_body(request))
    asked = text_to_image.request(body.get("prompt"), "'prompt'", dict(body) | _size(body))
    return await _answer(request, ctx, body, asked, "image_generation")


@router.post("/v1/images/edits")
async def edit(request: Request, ctx: Ctx) -> Response:
    """`image` drawn anew after `prompt`: where `mask` (or the picture itself) is transparent, else all of it."""
    members = await whole_form(request, holds="'image', 'prompt' and 'model'", files=4)
    values = _values(members)
    files = [await _file(members, "image")]
    if "mask" in members:
        files.append(await _file(members, "mask"))
    params = _drawn(values) | {"prompt": text_to_image.prompt(values.get("prompt"), "'prompt'")}
    asked = Asked("image-to-image", params | {"mask_is_alpha": True}, tuple(files))
    return await _answer(request, ctx, values, asked, "image_edit")


@router.post("/v1/images/variations")
async def vary(request: Request, ctx: Ctx) -> Response:
    """Pictures like `image`."""
    members = await whole_form(request, holds="'image' and 'model'", files=4)
    values = _values(members)
    asked = Asked("image-to-image", _drawn(values), (await _file(members, "image"),))
    return await _answer(request, ctx, values, asked, "image_variation")


async def _answer(request: Request, ctx: Context, body: Mapping[str, Any], asked: Asked, kind: str) -> Response:
    _check(body)
    name, many = model_of(body), base.number(body, "n", 1, MOST, whole=True) or 1
    if base.flag(body, "stream"):
        if many > 1:
            raise NotSupported("'n' other than 1 is not supported with 'stream': send several requests.")
        pictures = base.number(body, "partial_images", 0, 3, whole=True) or 0
        _, _, call = await call_model(request, ctx, name, asked)
        return await streamed(request, call, partial(_events, kind, pictures))
    calls: list[Call] = []
    try:
        for number in range(many):
            service, model, call = await call_model(request, ctx, name, _numbered(asked, number))
            calls.append(call)
        if wants_events(request) and many == 1:
            return await told(service, model, calls[0], lambda result: result.value)
        results = [await outcome(request, call) for call in calls]
    except BaseException:
        # the others are of no use to anybody
        for call in calls:
            call.cancel()
        raise
    return answered(results[0], _shape([result.value for result in results]))


def _numbered(asked: Asked, number: int) -> Asked:
    """The request for one of several pictures: each has a seed of its own."""
    seed = asked.params.get("seed")
    if seed is None or not number:
        return asked
    return Asked(asked.op, asked.params | {"seed": seed + number}, asked.files)


def _check(body: Mapping[str, Any]) -> None:
    """Raises NotSupported for what would not be in the answer as it was asked for."""
    if body.get("response_format") not in (None, "b64_json"):
        raise NotSupported('Pictures are not kept here: ask for them in the answer, with response_format "b64_json".')
    if body.get("output_format") not in (None, "png"):
        raise NotSupported("'output_format' other than \"png\" is not supported: leave it out.")
    if body.get("background") not in (None, "auto", "opaque"):
        raise NotSupported("'background' other than \"opaque\" is not supported: leave it out.")


def _size(body: Mapping[str, Any]) -> dict[str, int]:
    size = body.get("size")
    if size in (None, "auto"):
        return {}
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if not found:
        raise BadRequest('\'size\' must be "auto", or width and height in pixels: "512x512".')
    sides = {"width": int(found[1]), "height": int(found[2])}
    return base.numbered(sides, width=(1, text_to_image.LARGEST), height=(1, text_to_image.LARGEST))


def _drawn(values: Mapping[str, Any]) -> dict[str, Any]:
    return text_to_image.drawn(values) | base.numbered(values, strength=(0.0, 1.0)) | _size(values)


def _values(members: FormData) -> dict[str, Any]:
    values: dict[str, Any] = {k: v for k, v in members.items() if isinstance(v, str) and v}
    for name in _NUMBERS.keys() & values.keys():
        try:
            values[name] = _NUMBERS[name](values[name])
        except ValueError:
            raise BadRequest(f"'{name}' must be a number.") from None
    if "stream" in values:
        values["stream"] = values["stream"].lower() == "true"
    return values


async def _file(members: FormData, name: str) -> bytes:
    files = [f for key in (name, f"{name}[]") for f in members.getlist(key)]
    if not files or not isinstance(files[0], UploadFile):
        raise BadRequest(f"'{name}' must be a file of the form: a picture.")
    if len(files) > 1:
        raise NotSupported(f"Several pictures as '{name}' are not supported: send one.")
    return await files[0].read()


def _shape(pictures: list[Any]) -> dict[str, Any]:
    about = _about(pictures[0]) if isinstance(pictures[0], Media) else {}
    data = [{"b64_json": _encoded(one), "seed": one.about.get("seed")} for one in pictures]
    return {"created": int(time.time()), "data": data} | about


def _about(picture: Media) -> dict[str, Any]:
    size = f"{picture.about.get('width')}x{picture.about.get('height')}"
    return {"size": size, "output_format": "png", "background": "opaque", "quality": "auto"}


def _encoded(picture: Media) -> str:
    return base64.b64encode(picture.data).decode()


def _events(kind: str, pictures: int, events: list[Event], state: dict[str, Any]) -> list[bytes]:
    out: list[bytes] = []
    for event in events:
        match event:
            case Progress(picture=Media() as picture) if state.get("shown", 0) < pictures:
                value = {"partial_image_index": state.get("shown", 0), "b64_json": _encoded(picture)}
                state["shown"] = state.get("shown", 0) + 1
                out.append(_event(f"{kind}.partial_image", value | _about(picture)))
            case Result(value):
                out.append(_event(f"{kind}.completed", {"b64_json": _encoded(value)} | _about(value)))
            case Failure(error):
                out.append(named("error", {"error": {"message": error.message, "code": error.code}}))
    return out


def _event(kind: str, value: dict[str, Any]) -> bytes:
    return named(kind, {"type": kind, "created_at": int(time.time())} | value)
