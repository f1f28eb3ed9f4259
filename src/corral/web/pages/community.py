"""Discussions and pull requests of a repository."""

from __future__ import annotations

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from corral.community import discussions
from corral.community.discussions import Discussion, Happening
from corral.context import Context
from corral.core.errors import BadRequest, HubError
from corral.repos import lookup, read
from corral.repos.lookup import Repo, Right
from corral.web import diffs, markdown, shaping
from corral.web.address import PageId, repo_url
from corral.web.deps import CheckedForm, Field, MemberCtx, PageCtx
from corral.web.render import go, page, with_query
from corral.web.sanitise import Base
from corral.web.views import Happened

router = APIRouter(include_in_schema=False)

_CHANGES_OF_STATUS = {"open": "reopened this", "closed": "closed this", "merged": "merged this"}


@router.get("/{page:page}/discussions")
def talks(request: Request, ctx: PageCtx, rid: PageId, p: int = 0, status: str = "open", type: str = "") -> Response:
    repo, _, head = shaping.opened(ctx, rid, "community")
    p = max(0, p)
    only = {"discussion": False, "pull_request": True}.get(type)
    found = discussions.page(ctx, repo, p, pull_requests=only, status=status)
    return page(
        request,
        ctx,
        "discussions.html",
        head=head,
        found=found,
        state=status,
        states=[(name, with_query(request, status=name, p=None), name == status) for name in ("open", "closed")],
        earlier=with_query(request, p=p - 1 or None) if p else "",
        later=with_query(request, p=p + 1) if found.start + len(found.discussions) < found.count else "",
    )


def _new(request: Request, ctx: Context, rid: PageId, title: str = "", text: str = "", problem: str = "") -> Response:
    _, _, head = shaping.opened(ctx, rid, "community")
    status = 400 if problem else 200
    return page(request, ctx, "discussion_new.html", status=status, head=head, title=title, text=text, problem=problem)


@router.get("/{page:page}/discussions/new")
def new_form(request: Request, ctx: MemberCtx, rid: PageId) -> Response:
    return _new(request, ctx, rid)


@router.post("/{page:page}/discussions/new", dependencies=[CheckedForm])
def start(request: Request, ctx: MemberCtx, rid: PageId, title: Field = "", text: Field = "") -> Response:
    repo = lookup.find(ctx, rid)
    try:
        num = discussions.open_discussion(ctx, repo, title, text)
    except BadRequest as error:
        return _new(request, ctx, rid, title, text, error.message)
    return go(repo_url(repo.rid, "discussions", str(num)))


@router.get("/{page:page}/discussions/{num:int}")
def talk(request: Request, ctx: PageCtx, rid: PageId, num: int) -> Response:
    return _talk(request, ctx, rid, num)


def _talk(request: Request, ctx: Context, rid: PageId, num: int, problem: HubError | None = None) -> Response:
    repo, _, head = shaping.opened(ctx, rid, "community")
    discussion = discussions.find(ctx, repo, num)
    brought = discussions.changes(ctx, repo, discussion) if discussion.is_pull_request else None
    files = []
    if brought is not None and brought.head and lookup.may(ctx, repo, Right.DOWNLOAD):
        changes = read.diff(ctx, repo, brought.head, base=brought.base)
        files = diffs.files(repo.rid, brought.head, changes)
    return page(
        request,
        ctx,
        "discussion.html",
        status=problem.status if problem else 200,
        head=head,
        talk=discussion,
        happened=[_shown(repo, one) for one in discussions.happenings(ctx, discussion)],
        brought=brought,
        files=files,
        may_say=head.may_write or discussion.author_id == ctx.actor.account_id,
        problem=problem.message if problem else "",
    )


def _shown(repo: Repo, one: Happening) -> Happened:
    html, words = Markup(""), ""
    match one.type:
        case "comment" if one.data["hidden"]:
            words = "hid this comment"
        case "comment":
            html = markdown.render(one.data["raw"], Base(repo.rid.path))
        case "status-change":
            words = _CHANGES_OF_STATUS.get(one.data["status"], f"set the status to {one.data['status']}")
        case "title-change":
            words = f"changed the title from “{one.data['from']}” to “{one.data['to']}”"
        case _:
            words = "changed this"
    return Happened(one.author.name, one.created_at, html, words, edited=bool(one.data.get("edited")))


@router.post("/{page:page}/discussions/{num:int}", dependencies=[CheckedForm])
def take_part(
    request: Request, ctx: MemberCtx, rid: PageId, num: int, what: Field = "", text: Field = "", title: Field = ""
) -> Response:
    repo = lookup.find(ctx, rid)
    discussion = discussions.find(ctx, repo, num)
    try:
        _act(ctx, repo, discussion, what, text, title)
    except HubError as error:
        return _talk(request, ctx, rid, num, error)
    return go(repo_url(repo.rid, "discussions", str(num)))


def _act(ctx: Context, repo: Repo, discussion: Discussion, what: str, text: str, title: str) -> None:
    match what:
        case "comment":
            discussions.comment(ctx, repo, discussion, text)
        case "close" | "open":
            status = discussions.CLOSED if what == "close" else discussions.OPEN
            discussions.set_status(ctx, repo, discussion, status, text)
        case "title":
            discussions.rename(ctx, repo, discussion, title)
        case "merge":
            lookup.require(ctx, repo, Right.WRITE)
            discussions.merge(ctx, repo, discussion, text)
        case _:
            raise BadRequest("Choose what to do.")
