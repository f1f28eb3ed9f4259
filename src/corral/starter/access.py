"""A token for the program that adds repositories, for as long as it runs, and the organization that they belong to."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corral.accounts import orgs, people, tokens
from corral.context import Context
from corral.core.actor import TokenRole
from corral.starter.shelf import OWNER

#: milliseconds that the token is good for, should the hub be killed before it is revoked
_LIFE = 6 * 3600 * 1000


@contextmanager
def granted(ctx: Context, admin_id: int) -> Iterator[str]:
    """A write token of this administrator."""
    if people.find(ctx, OWNER) is None:
        orgs.create_org(ctx, OWNER, fullname="Corral's starter content", admin_id=admin_id)
    token = tokens.create(ctx, admin_id, "starter content", TokenRole.WRITE, expires_at=ctx.clock() + _LIFE)
    try:
        yield token
    finally:
        made = tokens.find(ctx, token)
        if made is not None:
            tokens.revoke(ctx, admin_id, made.token.id)


def any_admin(ctx: Context) -> int | None:
    """The row id of somebody who administers the hub."""
    return next((user.id for user in people.list_accounts(ctx) if user.is_admin), None)


def cache(data: Path) -> Path:
    """Where downloads, and words about additions, are kept."""
    return data / "cache" / "starter"


def environment(endpoint: str, token: str, data: Path) -> dict[str, str]:
    """What the program is told beside its arguments, which everybody on the machine can read.

    The client gets a home of its own: in the user's, it may remember what an earlier hub at this address held.
    """
    zoo = importlib.util.find_spec("zoo")
    beside = [str(Path(zoo.origin).parent.parent)] if zoo and zoo.origin else []
    return {
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": token,
        "HF_HOME": str(cache(data) / "client"),
        # wherever it is started, it finds what this process does
        "PYTHONPATH": os.pathsep.join([*beside, *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
