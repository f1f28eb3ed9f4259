"""Signing in on a device without a browser of its own: RFC 8628, the default of `hf auth login`.

The device shows a short code; its owner types it on the page `/oauth/device`, where he is signed in, and says yes;
meanwhile the device asks every few seconds whether it has a token. The token is an ordinary one: it is listed in the
settings and does not run out, so there is no refresh token.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from corral.accounts import rights, tokens
from corral.accounts.tokens import digest
from corral.context import Context
from corral.core.actor import TokenRole
from corral.core.clock import Millis, iso
from corral.core.errors import Forbidden, HubError, NotFound
from corral.storage import schema as t

#: the only client there is a device flow for: huggingface_hub (constants.py, DEVICE_CODE_OAUTH_CLIENT_ID)
CLI_CLIENT = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
#: seconds that a code can be typed in, and between two questions of the device
LIFETIME = 900
INTERVAL = 3
#: no vowels, so that no words come out, and nothing that looks like another letter
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
#: of a client's name in the grant and on the page
_MAX_CLIENT = 128


class OAuthError(HubError):
    """A refusal of the token endpoint; `code` is one of RFC 6749 section 5.2 or RFC 8628 section 3.5."""

    status = 400
    code = "invalid_request"


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the device is given: `device_code` is its secret, `user_code` what its owner types."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Request:
    """What the page shows before its visitor says yes or no."""

    user_code: str
    client: str
    created_at: Millis


def begin(ctx: Context, client_id: str, scope: str = "") -> DeviceCode:
    """Open a request; those that have run out are swept by the way. Raises OAuthError without a client id."""
    if not client_id or len(client_id) > _MAX_CLIENT:
        raise OAuthError("Send the client's id as the form member client_id.", code="invalid_client")
    code = DeviceCode(secrets.token_urlsafe(32), _user_code())
    now = ctx.clock()
    row = {
        "device_hash": digest(code.device_code),
        "user_code": code.user_code,
        "client_id": client_id,
        "scope": scope[:_MAX_CLIENT],
        "status": "pending",
        "created_at": now,
        "expires_at": now + LIFETIME * 1000,
    }
    with ctx.db.write() as connection:
        # kept a while longer, so that a device that is late hears `expired_token`
        connection.execute(delete(t.device_grants).where(t.device_grants.c.expires_at < now - LIFETIME * 1000))
        connection.execute(insert(t.device_grants).values(row))
    return code


def find(ctx: Context, user_code: str) -> Request:
    """The open request with this code, however it was typed. Raises NotFound when there is none (any more)."""
    g = t.device_grants.c
    query = select(g.user_code, g.client_id, g.created_at).where(
        g.user_code == normal(user_code), g.status == "pending", g.expires_at > ctx.clock()
    )
    with ctx.db.read() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            "There is no request with this code: check it, or run `hf auth login` again if it is older than "
            f"{LIFETIME // 60} minutes."
        )
    client = "the Hugging Face client (hf)" if row.client_id == CLI_CLIENT else row.client_id
    return Request(row.user_code, client, row.created_at)


def decide(ctx: Context, user_code: str, approve: bool) -> None:
    """Give the device a token of the actor's, or refuse it one.

    Raises NotFound when the request is not open, and Unauthorized or Forbidden unless the actor is signed in on a
    page: a token may not make another one.
    """
    user_id = rights.require_signed_in(ctx.actor)
    if ctx.actor.token_role is not None:
        raise Forbidden("Sign in on the page to approve a device: an access token may not make another one.")
    request = find(ctx, user_code)
    g = t.device_grants.c
    with ctx.db.write() as connection:
        connection.execute(
            update(t.device_grants)
            .where(g.user_code == request.user_code, g.status == "pending")
            .values(status="approved" if approve else "denied", user_id=user_id)
        )


def poll(ctx: Context, device_code: str, client_id: str) -> str:
    """The access token, once the owner has said yes. It is handed out once.

    Raises OAuthError: authorization_pending, slow_down, access_denied, expired_token or invalid_grant.
    """
    g = t.device_grants.c
    mine = (g.device_hash == digest(device_code)) & (g.client_id == client_id)
    now = ctx.clock()
    with ctx.db.read() as connection:
        grant = connection.execute(select(t.device_grants).where(mine)).one_or_none()
    if grant is None or grant.status == "used":
        raise OAuthError("This device code is not known, or was used: begin again.", code="invalid_grant")
    if grant.status == "denied":
        raise OAuthError("The request was refused.", code="access_denied")
    if grant.expires_at <= now:
        raise OAuthError("The code ran out before it was approved: begin again.", code="expired_token")
    if grant.status == "pending":
        hurried = grant.polled_at is not None and now - grant.polled_at < INTERVAL * 500
        with ctx.db.write() as connection:
            connection.execute(update(t.device_grants).where(mine).values(polled_at=now))
        if hurried:
            raise OAuthError(f"Wait {INTERVAL} seconds between two questions.", code="slow_down")
        raise OAuthError("Nobody has entered the code yet.", code="authorization_pending")
    with ctx.db.write() as connection:
        claimed = connection.execute(
            update(t.device_grants).where(mine, g.status == "approved").values(status="used")
        ).rowcount
        if claimed != 1:
            raise OAuthError("This device code was used: begin again.", code="invalid_grant")
        name = f"hf auth login {iso(now)[:10]} {grant.user_code[:4]}"
        return tokens.add(ctx, connection, grant.user_id, name, TokenRole.WRITE)


def normal(user_code: str) -> str:
    """`BCDF-GHJK`, from that or `bcdfghjk` or `bcdf ghjk`."""
    letters = "".join(c for c in user_code.upper() if c in _ALPHABET)[:8]
    return f"{letters[:4]}-{letters[4:]}"


def _user_code() -> str:
    return normal("".join(secrets.choice(_ALPHABET) for _ in range(8)))
