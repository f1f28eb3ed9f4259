"""Access tokens: `hf_` and 34 letters, shown once, kept as their sha256.

A token is looked up with one query per request and never cached, so that revoking it works at once everywhere.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.context import Context
from corral.core.actor import Actor, OrgRole, TokenRole
from corral.core.clock import Millis
from corral.core.errors import BadRequest, Conflict, NotFound, Unauthorized
from corral.storage import schema as t

_LETTERS = string.ascii_letters
#: `last_used_at` is written at most this often for one token, so that reading does not write
_TOUCH_EVERY: Millis = 3_600_000
_GIVEN = re.compile(r"hf_[A-Za-z0-9_-]{16,200}")


@dataclass(frozen=True, slots=True)
class Token:
    """What the owner sees of a token: `hint` is its last four characters; the token itself is nowhere."""

    id: int
    name: str
    role: TokenRole
    hint: str
    created_at: Millis
    last_used_at: Millis | None
    expires_at: Millis | None


#: one row for each organization that the owner is in, at least one; built once, since every request runs it
_OWNER = (
    select(
        t.tokens.c.id.label("token_id"),
        t.tokens.c.role.label("token_role"),
        t.tokens.c.last_used_at,
        t.tokens.c.expires_at,
        t.accounts.c.id,
        t.accounts.c.name,
        t.accounts.c.is_admin,
        t.org_members.c.org_id,
        t.org_members.c.role,
    )
    .join(t.accounts, t.accounts.c.id == t.tokens.c.user_id)
    .outerjoin(t.org_members, t.org_members.c.user_id == t.accounts.c.id)
    .where(t.tokens.c.hash == bindparam("digest"))
)
_COLUMNS = tuple(t.tokens.c[name] for name in Token.__dataclass_fields__)


def create(
    ctx: Context,
    user_id: int,
    name: str,
    role: TokenRole,
    value: str | None = None,
    *,
    expires_at: Millis | None = None,
) -> str:
    """Make a token for the user and return it: this is the only time that it can be seen.

    `value` is for provisioning; it must begin with `hf_`. Raises BadRequest (name or value not acceptable) and
    Conflict (the value is in use).
    """
    try:
        with ctx.db.write() as connection:
            return add(ctx, connection, user_id, name, role, value, expires_at=expires_at)
    except IntegrityError:
        raise Conflict("This token is in use already: choose another value.") from None


def add(
    ctx: Context,
    connection: Connection,
    user_id: int,
    name: str,
    role: TokenRole,
    value: str | None = None,
    *,
    expires_at: Millis | None = None,
) -> str:
    """As `create`, within an open write transaction; raises IntegrityError for a value in use."""
    name = name.strip()
    if not name or len(name) > 96:
        raise BadRequest("Give the token a name of at most 96 characters, so that you know it again.")
    if value is not None and not _GIVEN.fullmatch(value):
        raise BadRequest("A token begins with 'hf_' and goes on with 16 to 200 letters, digits, '_' or '-'.")
    secret = value or "hf_" + "".join(secrets.choice(_LETTERS) for _ in range(34))
    row = {
        "user_id": user_id,
        "name": name,
        "role": role.value,
        "hash": digest(secret),
        "hint": secret[-4:],
        "created_at": ctx.clock(),
        "expires_at": expires_at,
    }
    connection.execute(insert(t.tokens).values(row))
    return secret


def digest(secret: str) -> str:
    """The form a random secret is stored in. It holds over 190 random bits, so a plain sha256 cannot be searched."""
    return hashlib.sha256(secret.encode()).hexdigest()


def actor_of(ctx: Context, secret: str) -> Actor:
    """Whose token this is and what he may touch; raises Unauthorized for an unknown or expired one."""
    with ctx.db.read() as connection:
        rows = connection.execute(_OWNER, {"digest": digest(secret)}).all()
    now = ctx.clock()
    if not rows or (rows[0].expires_at is not None and rows[0].expires_at <= now):
        raise Unauthorized("Invalid credentials in Authorization header")
    first = rows[0]
    if first.last_used_at is None or first.last_used_at < now - _TOUCH_EVERY:
        with ctx.db.write() as connection:
            connection.execute(update(t.tokens).where(t.tokens.c.id == first.token_id).values(last_used_at=now))
    return Actor(
        account_id=first.id,
        name=first.name,
        is_admin=first.is_admin,
        token_role=TokenRole(first.token_role),
        token_id=first.token_id,
        orgs={row.org_id: OrgRole(row.role) for row in rows if row.org_id is not None},
    )


def list_tokens(ctx: Context, user_id: int) -> list[Token]:
    """The user's tokens, newest first."""
    return _tokens(ctx, t.tokens.c.user_id == user_id)


def get(ctx: Context, token_id: int) -> Token:
    """Raises NotFound when it was revoked."""
    found = _tokens(ctx, t.tokens.c.id == token_id)
    if not found:
        raise NotFound("There is no such token.")
    return found[0]


@dataclass(frozen=True, slots=True)
class Owned:
    token: Token
    user_id: int


def find(ctx: Context, secret: str) -> Owned | None:
    """The token with this value and whose it is, without using it."""
    query = select(*_COLUMNS, t.tokens.c.user_id).where(t.tokens.c.hash == digest(secret))
    with ctx.db.read() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else Owned(_token(row[:-1]), row.user_id)


def revoke(ctx: Context, user_id: int, token_id: int) -> None:
    """Delete one of the user's tokens: from now on it opens nothing. Raises NotFound if he has no such token."""
    with ctx.db.write() as connection:
        gone = connection.execute(delete(t.tokens).where(t.tokens.c.id == token_id, t.tokens.c.user_id == user_id))
    if not gone.rowcount:
        raise NotFound("There is no such token among yours.")


def _tokens(ctx: Context, where: ColumnElement[bool]) -> list[Token]:
    with ctx.db.read() as connection:
        rows = connection.execute(select(*_COLUMNS).where(where).order_by(t.tokens.c.id.desc())).all()
    return [_token(row) for row in rows]


def _token(row: Sequence[Any]) -> Token:
    number, name, role, *rest = row
    return Token(number, name, TokenRole(role), *rest)
