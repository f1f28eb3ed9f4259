"""What handlers ask for: `ctx: Ctx` is the hub as the caller of this request sees it."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from fastapi import Depends
from starlette.requests import Request

from corral.accounts import sessions, tokens
from corral.api.body import json_body
from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor
from corral.core.errors import Forbidden, Unauthorized
from corral.core.ids import RepoId, RepoType


def bearer(request: Request) -> str | None:
    """The access token of the request: a Bearer token, or the password of Basic credentials (git and git-lfs)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise Unauthorized("The Authorization header holds no valid Basic credentials.") from None
            return password or user
    return None


def _actor(ctx: Context, token: str | None, cookie: str | None) -> Actor:
    if token:
        return tokens.actor_of(ctx, token)
    return sessions.actor_of(ctx, cookie) if cookie else ANONYMOUS


def check_same_site(request: Request) -> None:
    """Raise Forbidden when another site's page had the browser send its cookie along with a change.

    Browsers name the page's origin in every request that is not GET or HEAD; programs send none, and need a token.
    """
    source = request.headers.get("origin")
    if request.method in ("GET", "HEAD", "OPTIONS") or source is None:
        return
    if urlsplit(source).netloc != request.headers.get("host"):
        raise Forbidden("This request comes from another site's page: use the hub's own pages.", code="CsrfMismatch")


async def _context(request: Request) -> Context:
    hub: Context = request.app.state.ctx
    token, cookie = bearer(request), request.cookies.get(sessions.COOKIE)
    if cookie and not token:
        check_same_site(request)
    if token or cookie:
        actor = await run_sync(_actor, hub, token, cookie)
    else:
        actor = ANONYMOUS
    request.state.actor = actor
    return hub.acting_as(actor)


Ctx = Annotated[Context, Depends(_context)]


async def _rid(types: str, repo: str) -> RepoId:
    return RepoId.parse(RepoType.from_plural(types), repo)


async def _page_rid(prefix: str, repo: str) -> RepoId:
    return RepoId.parse(RepoType.from_plural(prefix.rstrip("/") or "models"), repo)


#: the id in `/api/{types:types}/{repo:repo}/…`
Rid = Annotated[RepoId, Depends(_rid)]
#: the id in `/{prefix:prefix}{repo:repo}/…`
PageRid = Annotated[RepoId, Depends(_page_rid)]


async def _body(request: Request) -> dict[str, Any]:
    return await json_body(request)


#: the JSON object that the body holds
Body = Annotated[dict[str, Any], Depends(_body)]
