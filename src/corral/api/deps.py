"""What handlers ask for: `ctx: Ctx` is the hub as the caller of this request sees it."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import Depends
from starlette.requests import Request

from corral.accounts import sessions, tokens
from corral.api.body import json_body
from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor
from corral.core.errors import Unauthorized
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


async def _context(request: Request) -> Context:
    hub: Context = request.app.state.ctx
    token, cookie = bearer(request), request.cookies.get("token")
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

#: the JSON object that the body holds
Body = Annotated[dict[str, Any], Depends(json_body)]
