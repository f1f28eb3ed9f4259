"""A person's settings: the profile, the password, access tokens; and an organization's profile and members."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import orgs, people, rights, sessions, signin, tokens
from corral.accounts.people import Account
from corral.context import Context
from corral.core.actor import OrgRole, TokenRole
from corral.core.errors import BadRequest, HubError
from corral.web.deps import CheckedForm, Field, MemberCtx
from corral.web.render import go, page

router = APIRouter(include_in_schema=False)

ROLES = {
    TokenRole.READ: "Reads what you may read. Enough to download.",
    TokenRole.WRITE: "Also creates, uploads, changes and deletes. For training runs and scripts that publish.",
}


def _me(ctx: Context) -> Account:
    return people.get(ctx, rights.require_signed_in(ctx.actor))


def _profile(request: Request, ctx: Context, problem: HubError | None = None, where: str = "") -> Response:
    account = _me(ctx)
    return page(
        request,
        ctx,
        "settings_profile.html",
        status=problem.status if problem else 200,
        account=account,
        orgs=orgs.orgs_of(ctx, account.id),
        problem=problem.message if problem else "",
        where=where,
        tab="profile",
    )


@router.get("/settings")
def settings() -> Response:
    return go("/settings/profile")


@router.get("/settings/profile")
def profile(request: Request, ctx: MemberCtx) -> Response:
    return _profile(request, ctx)


@router.post("/settings/profile", dependencies=[CheckedForm])
def save_profile(
    request: Request,
    ctx: MemberCtx,
    fullname: Field = "",
    email: Field = "",
    bio: Field = "",
    website: Field = "",
    default_private: Field = "",
) -> Response:
    try:
        people.update_profile(
            ctx,
            _me(ctx),
            fullname=fullname,
            email=email,
            bio=bio,
            website=website,
            default_private=default_private == "yes",
        )
    except HubError as error:
        return _profile(request, ctx, error, "profile")
    return go("/settings/profile", "saved")


@router.post("/settings/password", dependencies=[CheckedForm])
def password(request: Request, ctx: MemberCtx, old: Field = "", new: Field = "") -> Response:
    try:
        signin.change_password(ctx, _me(ctx), old, new)
    except HubError as error:
        return _profile(request, ctx, error, "password")
    response = go("/login?next=/settings/profile", "password")
    response.delete_cookie(sessions.COOKIE)
    return response


def _tokens(request: Request, ctx: Context, *, value: str = "", problem: str = "", status: int = 200) -> Response:
    response = page(
        request,
        ctx,
        "settings_tokens.html",
        status=status,
        tokens=tokens.list_tokens(ctx, rights.require_signed_in(ctx.actor)),
        roles=[(role.value, text) for role, text in ROLES.items()],
        value=value,
        problem=problem,
        orgs=orgs.orgs_of(ctx, rights.require_signed_in(ctx.actor)),
        tab="tokens",
    )
    if value:
        response.headers["Cache-Control"] = "no-store"
    return response


@router.get("/settings/tokens")
def list_tokens(request: Request, ctx: MemberCtx) -> Response:
    return _tokens(request, ctx)


@router.post("/settings/tokens", dependencies=[CheckedForm])
def create_token(request: Request, ctx: MemberCtx, name: Field = "", role: Field = "read") -> Response:
    """The answer to the form shows the token, this once: nothing leads back to it."""
    try:
        if role not in {known.value for known in ROLES}:
            raise BadRequest("Choose what the token may do.")
        value = tokens.create(ctx, rights.require_signed_in(ctx.actor), name, TokenRole(role))
    except HubError as error:
        return _tokens(request, ctx, problem=error.message, status=error.status)
    return _tokens(request, ctx, value=value)


@router.post("/settings/tokens/revoke", dependencies=[CheckedForm])
def revoke_token(ctx: MemberCtx, token: Field = "") -> Response:
    if not token.isdigit():
        raise BadRequest("Choose a token of the list.")
    tokens.revoke(ctx, rights.require_signed_in(ctx.actor), int(token))
    return go("/settings/tokens", "revoked")


@router.get("/organizations/new")
def new_org_form(request: Request, ctx: MemberCtx) -> Response:
    return page(request, ctx, "new_org.html", name="", fullname="", problem="")


@router.post("/organizations/new", dependencies=[CheckedForm])
def new_org(request: Request, ctx: MemberCtx, name: Field = "", fullname: Field = "") -> Response:
    try:
        org = orgs.create_org(ctx, name.strip(), fullname=fullname, admin_id=rights.require_signed_in(ctx.actor))
    except HubError as error:
        return page(
            request, ctx, "new_org.html", status=error.status, name=name, fullname=fullname, problem=error.message
        )
    return go(f"/{org.name}", "saved")


def _org(request: Request, ctx: Context, name: str, problem: HubError | None = None) -> Response:
    org = people.find_org(ctx, name)
    rights.require_admin(ctx.actor, org.id)
    return page(
        request,
        ctx,
        "settings_org.html",
        status=problem.status if problem else 200,
        org=org,
        members=orgs.members(ctx, org),
        roles=[role.value for role in reversed(OrgRole)],
        problem=problem.message if problem else "",
        orgs=orgs.orgs_of(ctx, rights.require_signed_in(ctx.actor)),
        tab=org.name,
    )


@router.get("/organizations/{name:word}/settings")
def org_settings(request: Request, ctx: MemberCtx, name: str) -> Response:
    return _org(request, ctx, name)


@router.post("/organizations/{name:word}/settings", dependencies=[CheckedForm])
def save_org(
    request: Request,
    ctx: MemberCtx,
    name: str,
    fullname: Field = "",
    bio: Field = "",
    website: Field = "",
    default_private: Field = "",
) -> Response:
    try:
        people.update_profile(
            ctx,
            people.find_org(ctx, name),
            fullname=fullname,
            bio=bio,
            website=website,
            default_private=default_private == "yes",
        )
    except BadRequest as error:
        return _org(request, ctx, name, error)
    return go(f"/organizations/{name}/settings", "saved")


@router.post("/organizations/{name:word}/members", dependencies=[CheckedForm])
def set_member(request: Request, ctx: MemberCtx, name: str, user: Field = "", role: Field = "") -> Response:
    """Give a user a role, or take him out where the role is empty."""
    try:
        org, member = people.find_org(ctx, name), people.find_user(ctx, user.strip())
        if role:
            orgs.set_member(ctx, org, member, OrgRole(role))
        else:
            orgs.remove_member(ctx, org, member)
    except ValueError:
        raise BadRequest("Choose one of the roles.") from None
    except HubError as error:
        return _org(request, ctx, name, error)
    if not rights.may_admin(ctx.actor, org.id) or (not role and member.id == ctx.actor.account_id):
        return go(f"/{name}", "member")
    return go(f"/organizations/{name}/settings", "member")
