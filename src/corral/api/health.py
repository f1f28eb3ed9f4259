"""For those who run the hub: alive, ready, and numbers for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import select
from starlette.responses import Response

from corral.api.deps import Ctx
from corral.api.wire import Json
from corral.storage import schema as t

router = APIRouter()


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> Response:
    """The process answers."""
    return Json({"status": "ok"})


@router.api_route("/readyz", methods=["GET", "HEAD"])
def readyz(ctx: Ctx) -> Response:
    """Database and store answer too; an error otherwise."""
    with ctx.db.read() as c:
        c.execute(select(t.instance.c.key).limit(1)).first()
    ctx.blobs.size("readyz")
    return Json({"status": "ready"})


@router.get("/metrics")
def metrics() -> Response:
    """Counters of this process in Prometheus' text form."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
