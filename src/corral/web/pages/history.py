"""What happened to a repository: its commits, and one of them with its diff."""

from __future__ import annotations

from itertools import groupby

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import people
from corral.context import Context
from corral.repos import lookup, read
from corral.repos.lookup import Right
from corral.repos.read import CommitInfo
from corral.web import diffs, format, shaping
from corral.web.address import PageId
from corral.web.deps import PageCtx
from corral.web.pages.files import revisions
from corral.web.render import page, with_query

router = APIRouter(include_in_schema=False)

_ROWS = 50


def known_names(ctx: Context, commits: list[CommitInfo]) -> set[str]:
    """Which of the commits' authors are accounts here: only those have a page to link to."""
    return people.names_known(ctx, (commit.author.name for commit in commits))


@router.get("/{page:page}/commits/{rev:word}")
def commits(request: Request, ctx: PageCtx, rid: PageId, rev: str, p: int = 0) -> Response:
    repo, _, head = shaping.opened(ctx, rid, "files")
    commit = read.commit_of(ctx, repo, rev)
    p = max(0, p)
    found = read.history(ctx, repo, commit, skip=p * _ROWS, limit=_ROWS + 1)
    shown = found[:_ROWS]
    return page(
        request,
        ctx,
        "commits.html",
        head=head,
        rev=rev,
        days=[(day, list(of_day)) for day, of_day in groupby(shown, lambda c: format.day(c.date))],
        people=known_names(ctx, shown),
        total=read.count_commits(ctx, repo, commit, 10_000),
        revisions=revisions(ctx, repo, rev, "commits"),
        earlier=with_query(request, p=p - 1 or None) if p else "",
        later=with_query(request, p=p + 1) if len(found) > _ROWS else "",
    )


@router.get("/{page:page}/commit/{sha:word}")
def commit(request: Request, ctx: PageCtx, rid: PageId, sha: str) -> Response:
    repo, _, head = shaping.opened(ctx, rid, "files")
    oid = read.commit_of(ctx, repo, sha)
    lookup.require(ctx, repo, Right.DOWNLOAD)
    info = read.commit_info(ctx, repo, oid)
    files = diffs.files(repo.rid, oid, read.diff(ctx, repo, oid))
    return page(
        request,
        ctx,
        "commit.html",
        head=head,
        commit=info,
        people=known_names(ctx, [info]),
        files=files,
        additions=sum(file.additions for file in files),
        deletions=sum(file.deletions for file in files),
    )
