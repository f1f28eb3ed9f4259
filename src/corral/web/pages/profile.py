"""The page of a user or an organization."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from corral.accounts import orgs, people, rights
from corral.catalogue import likes, search
from corral.catalogue.search import Filters, Sort
from corral.core.errors import NotFound
from corral.core.ids import GIT_TYPES
from corral.repos import lookup
from corral.web import markdown, shaping
from corral.web.deps import PageCtx
from corral.web.render import page
from corral.web.views import PLURALS

router = APIRouter(include_in_schema=False)

_ROWS = 12


@router.get("/{name:word}")
def profile(request: Request, ctx: PageCtx, name: str) -> Response:
    account = people.find(ctx, name)
    if account is None:
        raise NotFound(f"There is no user, organization or page called {name}.")
    if account.name != name:
        return RedirectResponse(f"/{account.name}", status_code=302)
    sections = []
    for type in GIT_TYPES:
        asked = Filters(type=type, author=account.name)
        repos = search.page(ctx, asked, Sort.MODIFIED, limit=_ROWS).repos
        total = len(repos) if len(repos) < _ROWS else search.count(ctx, asked, 10_000)
        sections.append((type, PLURALS[type], total, shaping.repo_cards(ctx, repos)))
    liked = [] if account.is_org else likes.liked(ctx, account.name, limit=6)
    found = lookup.by_ids(ctx, [like.repo_id for like in liked])
    return page(
        request,
        ctx,
        "profile.html",
        account=account,
        bio=markdown.render(account.bio) if account.bio else "",
        sections=sections,
        members=orgs.members(ctx, account) if account.is_org else [],
        orgs=[] if account.is_org else orgs.orgs_of(ctx, account.id),
        liked=shaping.repo_cards(ctx, [found[like.repo_id] for like in liked if like.repo_id in found]),
        may_create=rights.may_create(ctx.actor, account.id),
        may_admin=rights.may_admin(ctx.actor, account.id),
        is_me=account.id == ctx.actor.account_id,
    )
