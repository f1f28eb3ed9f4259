"""Signing up, in and out, and saying yes to a device."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import device, sessions, signin
from corral.context import Context
from corral.core.errors import HubError
from corral.web.address import local
from corral.web.deps import CheckedForm, Field, MemberCtx, PageCtx
from corral.web.render import go, page, set_cookie

router = APIRouter(include_in_schema=False)


def _enter(request: Request, ctx: Context, user_id: int, target: str, note: str = "") -> Response:
    response = go(target, note)
    set_cookie(request, response, sessions.COOKIE, sessions.start(ctx, user_id), sessions.LIFETIME)
    return response


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


@router.get("/join")
def join_form(request: Request, ctx: PageCtx, next: str = "/") -> Response:
    if not ctx.actor.is_anonymous:
        return go(local(next))
    return page(request, ctx, "join.html", next=local(next), problem="", name="", email="", fullname="")


@router.post("/join", dependencies=[CheckedForm])
def join(
    request: Request,
    ctx: PageCtx,
    name: Field = "",
    email: Field = "",
    fullname: Field = "",
    password: Field = "",
    next: Field = "/",
) -> Response:
    try:
        account = signin.sign_up(ctx, name.strip(), email, password, fullname)
    except HubError as error:
        return page(
            request,
            ctx,
            "join.html",
            status=error.status,
            next=local(next),
            problem=error.message,
            name=name,
            email=email,
            fullname=fullname,
        )
    return _enter(request, ctx, account.id, local(next), "welcome")


@router.get("/login")
def login_form(request: Request, ctx: PageCtx, next: str = "/") -> Response:
    if not ctx.actor.is_anonymous:
        return go(local(next))
    return page(request, ctx, "login.html", next=local(next), problem="", name="")


@router.post("/login", dependencies=[CheckedForm])
def login(request: Request, ctx: PageCtx, name: Field = "", password: Field = "", next: Field = "/") -> Response:
    try:
        account = signin.sign_in(ctx, name, password, _address(request))
    except HubError as error:
        return page(request, ctx, "login.html", status=error.status, next=local(next), problem=error.message, name=name)
    return _enter(request, ctx, account.id, local(next))


@router.post("/logout", dependencies=[CheckedForm])
def logout(request: Request, ctx: PageCtx) -> Response:
    cookie = request.cookies.get(sessions.COOKIE)
    if cookie:
        sessions.end(ctx, cookie)
    response = go("/")
    response.delete_cookie(sessions.COOKIE)
    return response


@router.get("/oauth/device")
def device_form(request: Request, ctx: MemberCtx, code: str = "") -> Response:
    return _device(request, ctx, code)


def _device(request: Request, ctx: Context, code: str, problem: str = "", done: str = "") -> Response:
    found = None
    if code and not done:
        try:
            found = device.find(ctx, code)
        except HubError as error:
            problem = problem or error.message
    return page(request, ctx, "device.html", found=found, code=code, problem=problem, done=done)


@router.post("/oauth/device/approval", dependencies=[CheckedForm])
def decide(request: Request, ctx: MemberCtx, code: Field = "", answer: Field = "") -> Response:
    """The form's answer. Its address differs from `POST /oauth/device`, where devices ask for a code."""
    if answer not in ("approve", "deny"):
        return _device(request, ctx, code)
    try:
        device.decide(ctx, code, answer == "approve")
    except HubError as error:
        return _device(request, ctx, "", error.message)
    return _device(request, ctx, code, done="approved" if answer == "approve" else "denied")
