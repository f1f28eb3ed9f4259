"""Opinions on a model's answers: given by anybody who is signed in, decided by who may write to the model.

Corral's own: Hugging Face has no such calls.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.api.deps import Body, Ctx
from corral.api.wire import Json, next_link, origin
from corral.community import feedback, feedback_audit, feedback_data
from corral.community.feedback import Entry, Opinion
from corral.community.feedback_audit import Sign
from corral.core.clock import iso
from corral.core.errors import BadRequest
from corral.core.ids import RepoId, RepoType
from corral.repos import lookup
from corral.repos.lookup import Repo, Right

router = APIRouter()

_BASE = "/api/models/{repo:repo}/feedback"
_RATINGS = {"up": True, "down": False}


def _model(ctx: Ctx, repo: str, right: Right = Right.READ) -> Repo:
    return lookup.find(ctx, RepoId.parse(RepoType.MODEL, repo), right)


@router.post(_BASE)
def give(ctx: Ctx, repo: str, body: Body) -> Response:
    """Keep an opinion: `{input, output, rating: up | down, note?, better?, commit?, task?, source?}`; its id."""
    rating = body.get("rating")
    if not isinstance(rating, str) or rating not in _RATINGS:
        raise BadRequest("The member 'rating' must be 'up' or 'down'.")
    texts = {key: body.get(key) or "" for key in ("note", "better", "commit", "task")}
    source = body.get("source") or "api"
    if not all(isinstance(text, str) for text in (*texts.values(), source)):
        raise BadRequest("'note', 'better', 'commit', 'task' and 'source' must be texts.")
    opinion = Opinion(input=body.get("input"), output=body.get("output"), good=_RATINGS[rating], source=source, **texts)
    return Json({"id": feedback.give(ctx, _model(ctx, repo), opinion)}, status_code=201)


@router.get(_BASE)
def opinions(
    request: Request, ctx: Ctx, repo: str, status: str = feedback.PENDING, before: int | None = None
) -> Response:
    """A page of opinions, newest first, with what makes one doubtful; for who may write to the model."""
    if status not in (feedback.PENDING, feedback.ACCEPTED, feedback.REJECTED):
        raise BadRequest("'status' must be pending, accepted or rejected.")
    model = _model(ctx, repo, Right.WRITE)
    found = feedback.page(ctx, model, status, before)
    odd = feedback_audit.signs(ctx, model, found)
    headers = next_link(request, before=str(found[-1].id)) if len(found) == feedback.PAGE else {}
    return Json([_shape(entry, odd.get(entry.object_id, [])) for entry in found], headers=headers)


def _shape(entry: Entry, odd: list[Sign]) -> dict[str, Any]:
    opinion = entry.opinion
    return {
        "id": entry.object_id,
        "status": entry.status,
        "rating": "up" if opinion.good else "down",
        "note": opinion.note,
        "better": opinion.better,
        "input": opinion.input,
        "output": opinion.output,
        "task": opinion.task,
        "commit": opinion.commit,
        "source": opinion.source,
        "rater": entry.rater,
        "createdAt": iso(entry.created_at),
        "signs": [{"kind": sign.kind, "text": sign.text} for sign in odd],
    }


@router.delete(_BASE + "/{opinion_id:seg}")
def withdraw(ctx: Ctx, repo: str, opinion_id: str) -> Response:
    """Take back an opinion of one's own that waits."""
    feedback.withdraw(ctx, _model(ctx, repo), opinion_id)
    return Json({"success": True})


@router.post(_BASE + "/accept")
def accept(request: Request, ctx: Ctx, repo: str, body: Body) -> Response:
    """Write opinions into a data set: `{ids, dataset?}`. Answers which one, and how many."""
    named = body.get("dataset")
    if named is not None and not isinstance(named, str):
        raise BadRequest("The member 'dataset' must be the id of a data set: owner/name.")
    into = RepoId.parse(RepoType.DATASET, named) if named else None
    target, number = feedback_data.accept(ctx, _model(ctx, repo, Right.WRITE), _ids(body), into)
    return Json({"dataset": target.full_name, "url": f"{origin(request)}/{target.rid.path}", "accepted": number})


@router.post(_BASE + "/reject")
def reject(ctx: Ctx, repo: str, body: Body) -> Response:
    """Set opinions aside: `{ids}`. Answers how many waited."""
    return Json({"rejected": feedback.reject(ctx, _model(ctx, repo, Right.WRITE), _ids(body))})


def _ids(body: dict[str, Any]) -> list[str]:
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
        raise BadRequest("The member 'ids' must be a list of ids of opinions.")
    return ids
