"""Who is asking, and what everybody may know of users and organizations.

Shapes as huggingface_hub 2.4.0 reads them: `HfApi.whoami`, `User` and `Organization` in `hf_api.py`.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import avatars, orgs, people, rights, tokens
from corral.accounts.people import Account
from corral.api.deps import Body, Ctx
from corral.api.wire import Json, origin
from corral.context import Context
from corral.core.actor import TokenRole
from corral.core.clock import iso
from corral.core.errors import BadRequest, Forbidden
from corral.core.ids import RepoType
from corral.repos import lookup
from corral.storage import schema as t

router = APIRouter()


def avatar_url(request: Request, name: str) -> str:
    return f"{origin(request)}/api/users/{name}/avatar"


@router.get("/api/whoami-v2")
def whoami(request: Request, ctx: Ctx) -> Response:
    """The caller, his organizations and the token he used; 401 for nobody."""
    user = people.get(ctx, rights.require_signed_in(ctx.actor))
    auth: dict[str, Any] = {"type": "session"}
    if ctx.actor.token_id is not None:
        token = tokens.get(ctx, ctx.actor.token_id)
        auth = {
            "type": "access_token",
            "accessToken": {"displayName": token.name, "role": token.role.value, "createdAt": iso(token.created_at)},
        }
    return Json(
        {
            "type": "user",
            "id": user.object_id,
            "name": user.name,
            "fullname": user.fullname or user.name,
            "email": user.email,
            "emailVerified": user.email_verified,
            "isPro": False,
            "canPay": False,
            "periodEnd": None,
            "billingMode": "prepaid",
            "avatarUrl": avatar_url(request, user.name),
            "orgs": [
                {
                    "type": "org",
                    "id": member.account.object_id,
                    "name": member.account.name,
                    "fullname": member.account.fullname or member.account.name,
                    "email": member.account.email,
                    "canPay": False,
                    "periodEnd": None,
                    "isEnterprise": False,
                    "avatarUrl": avatar_url(request, member.account.name),
                    "roleInOrg": member.role.value,
                }
                for member in orgs.orgs_of(ctx, user.id)
            ],
            "auth": auth,
        }
    )


@router.get("/api/users/{name:seg}/overview")
def user_overview(request: Request, ctx: Ctx, name: str) -> Response:
    user = people.find_user(ctx, name)
    return Json(
        {
            "_id": user.object_id,
            "user": user.name,
            "fullname": user.fullname or user.name,
            "avatarUrl": avatar_url(request, user.name),
            "type": "user",
            "isPro": False,
            "isFollowing": False,
            "details": user.bio or None,
            "createdAt": iso(user.created_at),
            "orgs": [
                {
                    "id": member.account.object_id,
                    "name": member.account.name,
                    "fullname": member.account.fullname or member.account.name,
                    "avatarUrl": avatar_url(request, member.account.name),
                }
                for member in orgs.orgs_of(ctx, user.id)
            ],
            **_counts(ctx, user),
        }
    )


@router.get("/api/organizations/{name:seg}/overview")
def org_overview(request: Request, ctx: Ctx, name: str) -> Response:
    org = people.find_org(ctx, name)
    return Json(
        {
            "_id": org.object_id,
            "name": org.name,
            "fullname": org.fullname or org.name,
            "avatarUrl": avatar_url(request, org.name),
            "type": "org",
            "isVerified": False,
            "isFollowing": False,
            "details": org.bio or None,
            "numUsers": len(orgs.members(ctx, org)),
            **_counts(ctx, org),
        }
    )


@router.get("/api/organizations/{name:seg}/members")
def org_members(request: Request, ctx: Ctx, name: str) -> Response:
    members = orgs.members(ctx, people.find_org(ctx, name))
    return Json(
        [
            {
                "_id": member.account.object_id,
                "user": member.account.name,
                "fullname": member.account.fullname or member.account.name,
                "avatarUrl": avatar_url(request, member.account.name),
                "type": "user",
                "isPro": False,
                "role": member.role.value,
            }
            for member in members
        ]
    )


@router.get("/api/users/{name:seg}/avatar")
@router.get("/api/organizations/{name:seg}/avatar")
def avatar(ctx: Ctx, name: str) -> Response:
    """A picture that is worked out from the name."""
    account = people.find(ctx, name)
    return Response(
        avatars.svg(account.name if account else name, is_org=account is not None and account.is_org),
        media_type="image/svg+xml",
        headers={"Cache-Control": "public, max-age=86400", "Content-Security-Policy": "default-src 'none'"},
    )


@router.get("/api/settings/tokens")
def list_tokens(ctx: Ctx) -> Response:
    """The caller's access tokens, newest first, without their values."""
    return Json(
        [
            {
                "id": token.id,
                "displayName": token.name,
                "role": token.role.value,
                "hint": token.hint,
                "createdAt": iso(token.created_at),
                "lastUsedAt": None if token.last_used_at is None else iso(token.last_used_at),
                "expiresAt": None if token.expires_at is None else iso(token.expires_at),
            }
            for token in tokens.list_tokens(ctx, rights.require_signed_in(ctx.actor))
        ]
    )


@router.post("/api/settings/tokens")
def create_token(ctx: Ctx, body: Body) -> Response:
    """Make a token from `{displayName, role}`. Its value is in this answer and never again.

    A token may make only tokens that may do no more than itself.
    """
    user_id = _may_manage_tokens(ctx)
    try:
        role = TokenRole(body.get("role") or "read")
    except ValueError:
        raise BadRequest(f"The role {body.get('role')!r} is not one of read, write, admin.") from None
    if ctx.actor.token_role is TokenRole.WRITE and role is TokenRole.ADMIN:
        raise Forbidden("A token with the role 'write' cannot make one with the role 'admin'.")
    name = body.get("displayName")
    value = tokens.create(ctx, user_id, name if isinstance(name, str) else "", role)
    return Json({"token": value, "role": role.value}, status_code=201)


@router.delete("/api/settings/tokens/{token_id:int}")
def revoke_token(ctx: Ctx, token_id: int) -> Response:
    tokens.revoke(ctx, _may_manage_tokens(ctx), token_id)
    return Json({"success": True})


def _may_manage_tokens(ctx: Context) -> int:
    user_id = rights.require_signed_in(ctx.actor)
    if not ctx.actor.may_write:
        raise Forbidden("This token may only read: use one with the role 'write' to manage tokens.")
    return user_id


def _counts(ctx: Context, account: Account) -> dict[str, int]:
    """How many repositories of each type the caller may see under the account."""
    query = (
        select(t.repos.c.type, func.count())
        .where(t.repos.c.owner_id == account.id, lookup.visible(ctx))
        .group_by(t.repos.c.type)
    )
    with ctx.db.read() as connection:
        counts: dict[str, int] = dict(connection.execute(query).tuples().all())
    names = {RepoType.MODEL: "numModels", RepoType.DATASET: "numDatasets", RepoType.SPACE: "numSpaces"}
    return {name: counts.get(kind.value, 0) for kind, name in names.items()}
