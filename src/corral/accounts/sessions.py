"""Signed-in browsers: a signed random id in an HttpOnly cookie, of which the database keeps only the sha256."""

from __future__ import annotations

import secrets

from itsdangerous import BadSignature, Signer
from sqlalchemy import bindparam, delete, insert, select

from corral.accounts.tokens import digest
from corral.context import Context
from corral.core.actor import ANONYMOUS, Actor, OrgRole
from corral.core.clock import Millis
from corral.core.errors import Forbidden
from corral.storage import schema as t

#: the cookie's name, as on Hugging Face; set it HttpOnly, SameSite=Lax, and Secure over https
COOKIE = "token"
#: seconds that a session lasts
LIFETIME = 30 * 24 * 3600

#: one row for each organization that the user is in, at least one; built once, since every request runs it
_USER = (
    select(
        t.accounts.c.id,
        t.accounts.c.name,
        t.accounts.c.is_admin,
        t.org_members.c.org_id,
        t.org_members.c.role,
    )
    .join(t.sessions, t.sessions.c.user_id == t.accounts.c.id)
    .outerjoin(t.org_members, t.org_members.c.user_id == t.accounts.c.id)
    .where(t.sessions.c.hash == bindparam("digest"), t.sessions.c.expires_at > bindparam("now"))
)


def start(ctx: Context, user_id: int) -> str:
    """Sign the user in and return the cookie's value. Sessions that have run out are swept by the way."""
    session_id = secrets.token_urlsafe(32)
    now: Millis = ctx.clock()
    row = {
        "hash": digest(session_id),
        "user_id": user_id,
        "created_at": now,
        "expires_at": now + LIFETIME * 1000,
    }
    with ctx.db.write() as connection:
        connection.execute(delete(t.sessions).where(t.sessions.c.user_id == user_id, t.sessions.c.expires_at <= now))
        connection.execute(insert(t.sessions).values(row))
    return _signer(ctx).sign(session_id).decode()


def actor_of(ctx: Context, cookie: str) -> Actor:
    """Who is signed in with this cookie; ANONYMOUS when it is forged, has run out or was ended."""
    session_id = _unsign(ctx, cookie)
    if session_id is None:
        return ANONYMOUS
    with ctx.db.read() as connection:
        rows = connection.execute(_USER, {"digest": digest(session_id), "now": ctx.clock()}).all()
    if not rows:
        return ANONYMOUS
    return Actor(
        account_id=rows[0].id,
        name=rows[0].name,
        is_admin=rows[0].is_admin,
        orgs={row.org_id: OrgRole(row.role) for row in rows if row.org_id is not None},
    )


def end(ctx: Context, cookie: str) -> None:
    """Sign out: the cookie opens nothing any more."""
    session_id = _unsign(ctx, cookie)
    if session_id is not None:
        with ctx.db.write() as connection:
            connection.execute(delete(t.sessions).where(t.sessions.c.hash == digest(session_id)))


def end_all(ctx: Context, user_id: int) -> None:
    """Sign the user out everywhere, as a changed password does."""
    with ctx.db.write() as connection:
        connection.execute(delete(t.sessions).where(t.sessions.c.user_id == user_id))


def csrf_token(ctx: Context, key: str) -> str:
    """What a form must send back: only a page of this hub, shown to this browser, can know it.

    `key` is the browser's session cookie; for a visitor (sign-in and sign-up forms) it is a random value in an
    HttpOnly cookie of its own.
    """
    return ctx.sign("csrf", key)


def check_csrf(ctx: Context, key: str, token: str) -> None:
    """Raises Forbidden unless `token` is `csrf_token(ctx, key)`."""
    if not key or not ctx.signed("csrf", key, token):
        raise Forbidden("This form is out of date: load the page again and send it once more.", code="CsrfMismatch")


def _signer(ctx: Context) -> Signer:
    return Signer(ctx.secret, salt="corral.session")


def _unsign(ctx: Context, cookie: str) -> str | None:
    try:
        return _signer(ctx).unsign(cookie).decode()
    except (BadSignature, UnicodeError):
        return None
