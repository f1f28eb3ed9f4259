"""What people said of a model's answers, for those who may write to it: look, then accept or set aside."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from corral.community import feedback, feedback_audit, feedback_data
from corral.core.errors import BadRequest, NotFound
from corral.core.ids import RepoType
from corral.repos.lookup import Right
from corral.web import shaping
from corral.web.address import PageId, repo_url
from corral.web.deps import CheckedForm, Field, MemberCtx
from corral.web.render import go, page, with_query

router = APIRouter(include_in_schema=False)

_STATES = (feedback.PENDING, feedback.ACCEPTED, feedback.REJECTED)
#: characters of an input or output that are shown
_SHOWN = 2000


@router.get("/{page:page}/feedback")
def opinions(
    request: Request, ctx: MemberCtx, rid: PageId, status: str = feedback.PENDING, before: int | None = None
) -> Response:
    status = status if status in _STATES else feedback.PENDING
    repo, _, head = shaping.opened(ctx, rid, "feedback", Right.WRITE)
    if repo.type is not RepoType.MODEL:
        raise NotFound("Only models have feedback.")
    found = feedback.page(ctx, repo, status, before)
    counts = feedback.counts(ctx, repo)
    return page(
        request,
        ctx,
        "feedback.html",
        head=head,
        state=status,
        states=[(name, with_query(request, status=name, before=None), getattr(counts, name)) for name in _STATES],
        found=[(entry, _said(entry.opinion.input), _said(entry.opinion.output)) for entry in found],
        odd=feedback_audit.signs(ctx, repo, found),
        later=with_query(request, before=found[-1].id) if len(found) == feedback.PAGE else "",
        data_set=feedback_data.home(repo),
        waiting=counts.pending,
    )


def _said(value: Any) -> str:
    """An input or output for people: the words where there are some, else JSON."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        lines = [f"{m.get('role')}: {m.get('content')}" for m in value["messages"] if isinstance(m, dict)]
        value = "\n".join(lines)
    elif isinstance(value, dict) and isinstance(value.get("inputs"), str):
        value = value["inputs"]
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@router.post("/{page:page}/feedback", dependencies=[CheckedForm])
def decide(ctx: MemberCtx, rid: PageId, ids: Annotated[list[str] | None, Form()] = None, what: Field = "") -> Response:
    repo, _, _ = shaping.opened(ctx, rid, "feedback", Right.WRITE)
    if not ids:
        raise BadRequest("Choose at least one opinion.")
    match what:
        case "accept":
            target, _ = feedback_data.accept(ctx, repo, ids)
            return go(repo_url(target.rid), "accepted")
        case "reject":
            feedback.reject(ctx, repo, ids)
            return go(repo_url(repo.rid, "feedback"))
    raise BadRequest("Choose what to do.")
