"""OpenAI's endpoints over the hub's models: `/v1/models`, `/v1/embeddings`, and what the others share.

`model` is a repository id. Requests wait while the model loads, since these clients know no loading state; send
`x-wait-for-model: false` to be refused instead. Shapes: OpenAI's API reference and huggingface_hub 2.4.0.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import Response

from corral.api.calling import (
    answered,
    find,
    json_object,
    outcome,
    submit,
    wants_events,
    whole_body,
)
from corral.api.deps import Ctx
from corral.api.wire import Json
from corral.context import Context
from corral.core.errors import BadRequest
from corral.inference import models
from corral.inference.calls import Call
from corral.inference.calls import Request as Asked
from corral.inference.models import Model
from corral.inference.service import InferenceService
from corral.inference.tasks import base

router = APIRouter()


@router.get("/v1/models")
async def list_models(ctx: Ctx) -> Response:
    """Models that can run here and that the caller may see, newest first."""
    rows = await run_sync(models.runnable, ctx)
    entries = [
        {"id": name, "object": "model", "created": created // 1000, "owned_by": name.partition("/")[0]}
        for name, created in rows
    ]
    return Json({"object": "list", "data": entries})


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
