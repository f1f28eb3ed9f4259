"""What page handlers ask for: the hub as the visitor sees it, and forms that only this hub's pages can send."""

from __future__ import annotations

import secrets
from typing import Annotated
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import Depends, Form
from starlette.requests import Request

from corral.accounts import sessions
from corral.context import Context
from corral.core.actor import ANONYMOUS
from corral.core.errors import HubError
from corral.web.address import here

#: names a visitor without a session, so that sign-in forms have a CSRF token too
VISITOR = "visitor"


class SignInFirst(HubError):
    """The page is for people who are signed in; the answer leads them to the form and back."""

    status = 303
    code = "SignInFirst"

    def __init__(self, target: str) -> None:
        super().__init__("Sign in to see this page.")
        self.headers["Location"] = f"/login?next={quote(target, safe='')}"


async def _context(request: Request) -> Context:
    hub: Context = request.app.state.ctx
    cookie = request.cookies.get(sessions.COOKIE)
    actor = await run_sync(sessions.actor_of, hub, cookie) if cookie else ANONYMOUS
    request.state.actor = actor
    return hub.acting_as(actor)


PageCtx = Annotated[Context, Depends(_context)]


async def _member(request: Request, ctx: PageCtx) -> Context:
    if ctx.actor.is_anonymous:
        raise SignInFirst(here(request) if request.method == "GET" else "/")
    return ctx


#: as PageCtx, of somebody who is signed in
MemberCtx = Annotated[Context, Depends(_member)]


def csrf_key(request: Request) -> str:
    """What this browser's CSRF tokens hang on: its session, or the random name of a visitor."""
    key = request.cookies.get(sessions.COOKIE) or request.cookies.get(VISITOR)
    if key is None:
        # made once per answer: the page and its Set-Cookie header must agree
        key = getattr(request.state, "visitor", None) or secrets.token_urlsafe(24)
        request.state.visitor = key
    return key


async def _check_csrf(request: Request, ctx: PageCtx, csrf: Annotated[str, Form()] = "") -> None:
    key = request.cookies.get(sessions.COOKIE) or request.cookies.get(VISITOR) or ""
    sessions.check_csrf(ctx, key, csrf)


#: on every route that takes a form
CheckedForm = Depends(_check_csrf)

Field = Annotated[str, Form()]
