"""OAuth applications: programs that may ask the hub's users to sign in with their account here."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from corral.accounts.tokens import digest
from corral.context import Context
from corral.core.errors import BadRequest
from corral.storage import schema as t


@dataclass(frozen=True, slots=True)
class App:
    """`secret_hash` is None for a public client, which proves itself by PKCE."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    secret_hash: str | None

    def proves(self, secret: str) -> bool:
        return self.secret_hash is not None and hmac.compare_digest(self.secret_hash, digest(secret))


def find(ctx: Context, client_id: str) -> App | None:
    with ctx.db.read() as connection:
        row = connection.execute(select(t.oauth_apps).where(t.oauth_apps.c.client_id == client_id)).one_or_none()
    if row is None:
        return None
    return App(row.client_id, row.name, tuple(row.redirect_uris), tuple(row.scopes), row.secret_hash)


def put(
    ctx: Context,
    client_id: str,
    *,
    name: str = "",
    secret: str | None = None,
    redirect_uris: Sequence[str] = (),
    scopes: Sequence[str] = (),
) -> bool:
    """Make the application what is given. Returns whether that changed anything. Raises BadRequest."""
    if not 0 < len(client_id) <= 128:
        raise BadRequest("A client_id has 1 to 128 characters.")
    for uri in redirect_uris:
        if not uri.startswith(("http://", "https://")):
            raise BadRequest(f"The redirect URI {uri!r} must begin with http:// or https://.")
    wanted = App(
        client_id, name or client_id, tuple(redirect_uris), tuple(scopes), None if secret is None else digest(secret)
    )
    present = find(ctx, client_id)
    if present == wanted:
        return False
    values = {
        "name": wanted.name,
        "secret_hash": wanted.secret_hash,
        "redirect_uris": list(wanted.redirect_uris),
        "scopes": list(wanted.scopes),
    }
    with ctx.db.write() as connection:
        if present is None:
            connection.execute(insert(t.oauth_apps).values(client_id=client_id, created_at=ctx.clock(), **values))
        else:
            here = t.oauth_apps.c.client_id == client_id
            connection.execute(update(t.oauth_apps).where(here).values(values))
    return True
