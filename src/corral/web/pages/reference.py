"""`/docs`: every call of the API, from the same description that `/.well-known/openapi.json` gives."""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.web.deps import PageCtx
from corral.web.render import page

router = APIRouter(include_in_schema=False)

#: what a newcomer reads first; the other chapters follow by name
_FIRST = ("Repositories", "Upload", "Download", "Lists and search", "Inference", "Inference in OpenAI's shapes")


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    summary: str
    text: str
    query: list[str]


@router.get("/docs")
def reference(request: Request, ctx: PageCtx) -> Response:
    chapters: dict[str, list[Call]] = defaultdict(list)
    for path, methods in _description(request)["paths"].items():
        for method, told in methods.items():
            if method != "head":
                chapters[told["tags"][0]].append(_call(method, path, told))
    order = sorted(chapters, key=lambda title: (_FIRST.index(title) if title in _FIRST else len(_FIRST), title.lower()))
    return page(request, ctx, "reference.html", chapters=[(title, chapters[title]) for title in order])


def _description(request: Request) -> dict[str, Any]:
    with warnings.catch_warnings():
        # a route that answers GET and HEAD is described twice under one name, and HEAD is left out here
        warnings.filterwarnings("ignore", message="Duplicate Operation ID")
        description: dict[str, Any] = request.app.openapi()
        return description


def _call(method: str, path: str, told: dict[str, Any]) -> Call:
    summary, _, more = str(told.get("description") or told.get("summary") or "").partition("\n")
    query = [p["name"] for p in told.get("parameters", ()) if p["in"] == "query"]
    return Call(method.upper(), path, summary, more.strip(), query)
