"""Likes (`huggingface_hub` 2.4.0 `HfApi.unlike`, `list_liked_repos`, `list_repo_likers`)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.api.accounts import avatar_url
from corral.api.deps import Ctx, Rid
from corral.api.wire import Json, next_link
from corral.catalogue import likes
from corral.core.clock import iso
from corral.core.errors import BadRequest, RepoNotFound
from corral.core.ids import RepoId, RepoType
from corral.repos import lookup

router = APIRouter()

_PAGE = 1000


def _before(cursor: str) -> tuple[int, int] | None:
    if not cursor:
        return None
    at, _, number = cursor.partition("-")
    if not (at.isdecimal() and number.isdecimal()) or len(cursor) > 40:
        raise BadRequest("The cursor is not one that this list has given.")
    return int(at), int(number)


@router.post("/api/{types:types}/{repo:repo}/like")
def like(ctx: Ctx, rid: Rid) -> Response:
    """Like a repository. Liking twice is liking once."""
    likes.like(ctx, lookup.find(ctx, rid))
    return Json({"success": True})


@router.delete("/api/{types:types}/{repo:repo}/like")
def unlike(ctx: Ctx, rid: Rid) -> Response:
    """Take a like back."""
    likes.unlike(ctx, lookup.find(ctx, rid))
    return Json({"success": True})


@router.api_route("/api/{types:types}/{name:seg}/like", methods=["POST", "DELETE"])
def like_one_segment(ctx: Ctx, types: str, name: str) -> Response:
    """Ids without an owner parse, and name nothing here."""
    lookup.find(ctx, RepoId.parse(RepoType.from_plural(types), name))
    raise RepoNotFound


@router.get("/api/{types:types}/{repo:repo}/likers")
def likers(request: Request, ctx: Ctx, rid: Rid, cursor: str = "", limit: int = _PAGE) -> Response:
    """Who likes it, newest first, in pages."""
    size = max(1, min(limit, _PAGE))
    found = likes.likers(ctx, lookup.find(ctx, rid), before=_before(cursor), limit=size + 1)
    page = found[:size]
    headers = next_link(request, cursor=f"{page[-1].at}-{page[-1].user_id}") if len(found) > size else None
    return Json(
        [
            {
                "user": who.name,
                "fullname": who.fullname or who.name,
                "avatarUrl": avatar_url(request, who.name),
                "type": "user",
                "likedAt": iso(who.at),
            }
            for who in page
        ],
        headers=headers,
    )


@router.get("/api/users/{name:seg}/likes")
def liked(request: Request, ctx: Ctx, name: str, cursor: str = "", limit: int = _PAGE) -> Response:
    """What a user likes, as far as the caller may see it, newest first, in pages."""
    size = max(1, min(limit, _PAGE))
    found = likes.liked(ctx, name, before=_before(cursor), limit=size + 1)
    page = found[:size]
    headers = next_link(request, cursor=f"{page[-1].at}-{page[-1].repo_id}") if len(found) > size else None
    return Json(
        [{"createdAt": iso(one.at), "repo": {"name": str(one.rid), "type": one.rid.type}} for one in page],
        headers=headers,
    )
