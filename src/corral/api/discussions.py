"""Discussions and pull requests, as `huggingface_hub` 2.4.0 reads them (`community.py`, `hf_api.py`)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from markdown_it import MarkdownIt
from starlette.requests import Request
from starlette.responses import Response

from corral.api.accounts import avatar_url
from corral.api.deps import Body, Ctx, Rid
from corral.api.wire import Json, origin
from corral.community import discussions
from corral.community.discussions import Author, Discussion, Happening
from corral.context import Context
from corral.core.clock import iso
from corral.core.errors import BadRequest
from corral.core.ids import RepoId
from corral.repos import lookup, read
from corral.repos.lookup import Repo

router = APIRouter()

#: without HTML, so that what it makes of a comment does no harm (links to javascript: are refused by the parser)
_MARKDOWN = MarkdownIt("commonmark", {"html": False})

#: characters of a pull request's diff
_MOST_DIFF = 2**20

_BASE = "/api/{types:types}/{repo:repo}/discussions"
_ONE = _BASE + "/{num:int}"


def _author(request: Request, author: Author) -> dict[str, Any]:
    return {
        "_id": author.object_id,
        "name": author.name,
        "fullname": author.fullname or author.name,
        "avatarUrl": avatar_url(request, author.name),
        "type": "user",
    }


def _discussion(request: Request, repo: Repo, one: Discussion) -> dict[str, Any]:
    return {
        "num": one.num,
        "title": one.title,
        "status": one.status,
        "author": _author(request, one.author),
        "createdAt": iso(one.created_at),
        "isPullRequest": one.is_pull_request,
        "repo": {"name": repo.full_name, "type": repo.type},
        "repoOwner": {"name": repo.rid.owner},
        "numComments": one.comments,
        "pinned": False,
        "topReactions": [],
        "numReactionUsers": 0,
    }


def _event(request: Request, happening: Happening) -> dict[str, Any]:
    data = happening.data
    if happening.type == "comment":
        by = _author(request, happening.author)
        data = {
            "edited": data["edited"],
            "hidden": data["hidden"],
            "numEdits": len(data["history"]),
            "latest": {
                "raw": data["raw"],
                "html": _MARKDOWN.render(data["raw"]),
                "updatedAt": iso(data["updated_at"]),
                "author": by,
            },
            "history": [{"raw": past["raw"], "updatedAt": iso(past["updated_at"])} for past in data["history"]],
        }
    return {
        "id": happening.object_id,
        "type": happening.type,
        "author": _author(request, happening.author),
        "createdAt": iso(happening.created_at),
        "data": data,
    }


def _found(ctx: Context, rid: RepoId, num: int) -> tuple[Repo, Discussion]:
    repo = lookup.find(ctx, rid)
    return repo, discussions.find(ctx, repo, num)


def _text(body: dict[str, Any], key: str, *, needed: bool = True) -> str:
    value = body.get(key)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"The member {key!r} must be a text.")
    return value


@router.get(_BASE)
def list_discussions(
    request: Request, ctx: Ctx, rid: Rid, p: int = 0, type: str = "all", status: str = "all", author: str = ""
) -> Response:
    """The `p`-th page (from 0), newest first."""
    if type not in ("all", "discussion", "pull_request"):
        raise BadRequest("type must be all, discussion or pull_request.")
    if status not in ("all", "open", "closed"):
        raise BadRequest("status must be all, open or closed.")
    if not 0 <= p < 10**6:
        raise BadRequest("p must be the number of a page, from 0.")
    repo = lookup.find(ctx, rid)
    page = discussions.page(
        ctx,
        repo,
        p,
        pull_requests=None if type == "all" else type == "pull_request",
        status=None if status == "all" else status,
        author=author or None,
    )
    return Json(
        {
            "discussions": [_discussion(request, repo, one) for one in page.discussions],
            "count": page.count,
            "start": page.start,
            "numClosedDiscussions": page.closed,
        }
    )


@router.post(_BASE)
def create_discussion(request: Request, ctx: Ctx, rid: Rid, body: Body) -> Response:
    """Open a discussion, or a pull request as a draft."""
    repo = lookup.find(ctx, rid)
    title, description = _text(body, "title"), _text(body, "description", needed=False)
    if body.get("pullRequest"):
        if len(title.strip()) < discussions.LEAST_TITLE:
            raise BadRequest(f"A title has at least {discussions.LEAST_TITLE} characters.", code="InvalidTitle")
        num = discussions.open_pull_request(ctx, repo, title, description, draft=True)
    else:
        num = discussions.open_discussion(ctx, repo, title, description)
    one = discussions.find(ctx, repo, num)
    url = f"{origin(request)}/{repo.rid.path}/discussions/{num}"
    return Json({"num": num, "url": url, "pullRequest": one.is_pull_request, "title": one.title})


@router.get(_ONE)
def discussion_details(request: Request, ctx: Ctx, rid: Rid, num: int, diff: str = "") -> Response:
    """All that happened in it; of a pull request its commits, conflicts and, with `diff=1`, its diff."""
    repo, one = _found(ctx, rid, num)
    events = [_event(request, happening) for happening in discussions.happenings(ctx, one)]
    answer = _discussion(request, repo, one)
    if one.is_pull_request:
        brought = discussions.changes(ctx, repo, one)
        events += [
            {
                "id": commit.oid[:24],
                "type": "commit",
                "author": {"name": commit.author.name, "fullname": commit.author.name, "type": "user"},
                "createdAt": iso(commit.date),
                "data": {"subject": commit.title, "oid": commit.oid},
            }
            for commit in brought.commits
        ]
        events.sort(key=lambda event: event["createdAt"])
        answer["changes"] = {"base": one.base, "mergeCommitId": one.merge_commit}
        answer["filesWithConflicts"] = list(brought.conflicts)
        if diff in ("1", "true"):
            answer["diff"] = _diff(ctx, repo, brought)
    return Json(answer | {"events": events})


def _diff(ctx: Context, repo: Repo, brought: discussions.Changes) -> str:
    if not brought.head or brought.head == brought.base:
        return ""
    text = "".join(change.patch for change in read.diff(ctx, repo, brought.head, base=brought.base))
    return text if len(text) <= _MOST_DIFF else text[:_MOST_DIFF] + "\n… the rest is left out\n"


@router.post(_ONE + "/comment")
def add_comment(request: Request, ctx: Ctx, rid: Rid, num: int, body: Body) -> Response:
    repo, one = _found(ctx, rid, num)
    return Json({"newMessage": _event(request, discussions.comment(ctx, repo, one, _text(body, "comment")))})


@router.post(_ONE + "/title")
def change_title(request: Request, ctx: Ctx, rid: Rid, num: int, body: Body) -> Response:
    repo, one = _found(ctx, rid, num)
    return Json({"newTitle": _event(request, discussions.rename(ctx, repo, one, _text(body, "title")))})


@router.post(_ONE + "/status")
def change_status(request: Request, ctx: Ctx, rid: Rid, num: int, body: Body) -> Response:
    repo, one = _found(ctx, rid, num)
    text = _text(body, "comment", needed=False)
    return Json({"newStatus": _event(request, discussions.set_status(ctx, repo, one, _text(body, "status"), text))})


@router.post(_ONE + "/merge")
def merge(ctx: Ctx, rid: Rid, num: int, body: Body) -> Response:
    """Merge a pull request, with a comment if there is one to make."""
    repo, one = _found(ctx, rid, num)
    oid = discussions.merge(ctx, repo, one, _text(body, "comment", needed=False))
    return Json({"num": num, "status": discussions.MERGED, "mergeCommitId": oid})


@router.post(_ONE + "/comment/{comment:seg}/edit")
def edit_comment(request: Request, ctx: Ctx, rid: Rid, num: int, comment: str, body: Body) -> Response:
    repo, one = _found(ctx, rid, num)
    edited = discussions.edit_comment(ctx, repo, one, comment, _text(body, "content"))
    return Json({"updatedComment": _event(request, edited)})


@router.post(_ONE + "/comment/{comment:seg}/hide")
def hide_comment(request: Request, ctx: Ctx, rid: Rid, num: int, comment: str) -> Response:
    repo, one = _found(ctx, rid, num)
    return Json({"updatedComment": _event(request, discussions.hide_comment(ctx, repo, one, comment))})
