"""A Space at a host name of its own: `OWNER-NAME.DOMAIN` is the same as `/-/spaces/OWNER/NAME`."""

from __future__ import annotations

from anyio.to_thread import run_sync
from sqlalchemy import select
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from corral.context import Context
from corral.core.ids import RepoType
from corral.storage import schema as t


class SpaceHosts:
    """Rewrites the path of requests that come to a Space's host name."""

    def __init__(self, app: ASGIApp, ctx: Context) -> None:
        self._app = app
        self._ctx = ctx
        self._suffix = f".{ctx.settings.spaces_domain.lower()}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = (
                next((v for k, v in scope["headers"] if k == b"host"), b"").decode("latin-1").lower().partition(":")[0]
            )
            if host.endswith(self._suffix):
                name = await run_sync(self._space, host.removesuffix(self._suffix))
                if name is None:
                    await PlainTextResponse("There is no Space at this address.", 404)(scope, receive, send)
                    return
                path = f"/-/spaces/{name}{scope['path']}"
                scope = {**scope, "path": path, "raw_path": path.encode(), "corral.own_host": True}
        await self._app(scope, receive, send)

    def _space(self, label: str) -> str | None:
        """owner/name of the public Space with this label; a private one is not shown: visitors sign in elsewhere."""
        with self._ctx.db.read() as c:
            name: str | None = c.scalar(
                select(t.repos.c.full_name).where(
                    t.repos.c.subdomain == label, t.repos.c.type == RepoType.SPACE, t.repos.c.private.is_(False)
                )
            )
            return name
