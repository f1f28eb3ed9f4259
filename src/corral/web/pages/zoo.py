"""The zoo: official repositories that an administrator adds with one click, and how far that is."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from corral.context import Context
from corral.core.errors import NotFound
from corral.core.ids import RepoType
from corral.starter import shelf
from corral.starter.additions import Additions
from corral.starter.shelf import Offer
from corral.starter.status import Status
from corral.web.address import repo_url
from corral.web.deps import CheckedForm, MemberCtx, PageCtx
from corral.web.render import go, page
from corral.web.views import Task

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Stall:
    """An offer as the page shows it. `url` is the repository's page where it is here."""

    offer: Offer
    kind: str
    icon: str
    url: str
    status: Status | None

    @property
    def works(self) -> bool:
        return not self.url and self.status is not None and self.status.state == "working"

    @property
    def problem(self) -> str:
        failed = not self.url and self.status is not None and self.status.state == "failed"
        return self.status.words if failed and self.status else ""


def _stall(ctx: Context, additions: Additions, offer: Offer) -> Stall:
    type = offer.rid.type
    task = Task.of(offer.task) if offer.task else None
    kind = task.label if task else {RepoType.DATASET: "Data set", RepoType.SPACE: "Space"}.get(type, "Model")
    url = repo_url(offer.rid) if shelf.is_here(ctx, offer) else ""
    return Stall(offer, kind, task.icon if task else type.value, url, additions.status(offer))


@router.get("/zoo")
def zoo(request: Request, ctx: PageCtx) -> Response:
    additions: Additions = request.app.state.additions
    stalls = [_stall(ctx, additions, offer) for offer in shelf.offers()]
    missing = [stall.offer for stall in stalls if not stall.url and not stall.works]
    return page(
        request,
        ctx,
        "zoo.html",
        stalls=stalls,
        may_add=ctx.actor.is_admin,
        missing=missing,
        megabytes=shelf.megabytes(missing),
        works=any(stall.works for stall in stalls),
    )


@router.post("/zoo/add", dependencies=[CheckedForm])
def add(request: Request, ctx: MemberCtx, name: Annotated[list[str], Form()]) -> Response:
    additions: Additions = request.app.state.additions
    # the socket that this request came to, not the address that a proxy before it has
    host, port = request.scope["server"]
    host = f"[{host}]" if ":" in host else host
    additions.add(ctx, shelf.named(name), f"http://{host}:{port}")
    return go("/zoo")


@router.get("/zoo/{name:word}/picture")
def picture(name: str) -> Response:
    (offer,) = shelf.named([name])
    if offer.picture is None:
        raise NotFound(f"{offer.rid.name} has no picture.")
    kind = mimetypes.guess_type(offer.picture.name)[0]
    headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
    return FileResponse(offer.picture, media_type=kind, headers=headers)
