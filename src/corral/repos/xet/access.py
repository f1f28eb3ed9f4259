"""Access tokens for the Xet routes, and signed addresses of xorb bytes. Both are stateless: nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass

from corral.context import Context
from corral.core.errors import Forbidden, Unauthorized

#: seconds that a token or an address is good for
LIFETIME = 3600

#: (first, last) byte of a xorb, both included
ByteRange = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows: reading the Xet files of one repository, or uploading to it as well."""

    repo_id: int
    actor_id: int | None
    write: bool
    #: seconds since 1970
    expires: int


def issue(ctx: Context, repo_id: int, *, write: bool) -> tuple[str, int]:
    """A token for the actor, who has the right, and when it ends (seconds since 1970)."""
    expires = ctx.clock() // 1000 + LIFETIME
    text = f"{repo_id}.{ctx.actor.account_id or ''}.{'w' if write else 'r'}.{expires}"
    return f"xet_{text}.{ctx.sign('xet-token', text)}", expires


def check(ctx: Context, token: str | None) -> Grant:
    """Raises Unauthorized for a token that is missing, forged or too old: clients then fetch a new one."""
    text, _, signature = (token or "").removeprefix("xet_").rpartition(".")
    if not signature.isascii() or not ctx.signed("xet-token", text, signature):
        raise Unauthorized("This is no valid Xet token: get one at /api/models/OWNER/NAME/xet-read-token/main.")
    repo_id, actor_id, scope, expires = text.split(".")
    if int(expires) <= ctx.clock() // 1000:
        raise Unauthorized("This Xet token has expired: get a new one.")
    return Grant(int(repo_id), int(actor_id) if actor_id else None, scope == "w", int(expires))


def address(ctx: Context, xorb: str, ranges: list[ByteRange]) -> str:
    """Path and query, below the CAS's own address, from which anybody may read these bytes of a xorb for a while."""
    text = ",".join(f"{first}-{last}" for first, last in ranges)
    expires = ctx.clock() // 1000 + LIFETIME
    signature = ctx.sign("xet-bytes", f"{xorb}\0{text}\0{expires}")
    return f"/v1/data/{xorb}?ranges={text}&expires={expires}&signature={signature}"


def allowed(ctx: Context, xorb: str, ranges: str, expires: int, signature: str) -> list[ByteRange]:
    """The ranges that an `address` allows. Raises Forbidden: clients then ask for the reconstruction again."""
    signed = signature.isascii() and ctx.signed("xet-bytes", f"{xorb}\0{ranges}\0{expires}", signature)
    if not signed or expires <= ctx.clock() // 1000:
        raise Forbidden("This address is not, or no longer, valid: ask for the reconstruction again.")
    pairs = [text.split("-") for text in ranges.split(",")]
    return [(int(first), int(last)) for first, last in pairs]
