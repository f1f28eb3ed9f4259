"""Spaces as their visitors reach them: `/-/spaces/OWNER/NAME/…`, and by host name (`server.hosts`).

A static Space is files. On the hub's own origin they are sandboxed into an origin of their own, so that their scripts
can do nothing in a visitor's name; on the Space's host name they need no sandbox.
"""

from __future__ import annotations

import mimetypes

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from corral.api.deps import Ctx
from corral.api.resolve import send_file
from corral.core.errors import EntryNotFound, NotSupported
from corral.core.ids import RepoId, RepoType
from corral.repos import lookup, read
from corral.repos.lookup import Right

router = APIRouter()

_SANDBOX = (
    "sandbox allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox allow-modals allow-downloads "
    "allow-pointer-lock"
)


@router.get("/-/spaces/{repo:repo}", include_in_schema=False)
def without_slash(repo: str) -> Response:
    return RedirectResponse(f"/-/spaces/{repo}/", status_code=308)


@router.api_route("/-/spaces/{repo:repo}/{path:rest}", methods=["GET", "HEAD"])
def visit(request: Request, ctx: Ctx, repo: str, path: str) -> Response:
    """A file of a static Space; a folder stands for the index.html in it."""
    space = lookup.find(ctx, RepoId.parse(RepoType.SPACE, repo), Right.DOWNLOAD)
    if space.sdk != "static":
        raise NotSupported(f"This hub runs static Spaces only; {space.rid} needs {space.sdk}.")
    commit = read.commit_of(ctx, space, "main")
    if not path or path.endswith("/"):
        path += "index.html"
    missing = False
    try:
        found = read.entry(ctx, space, commit, path)
    except EntryNotFound:
        missing = True
        found = read.entry(ctx, space, commit, "404.html")
    if found.type == "directory":
        return RedirectResponse(f"{request.url.path}/", status_code=308)
    response = send_file(request, ctx, space, commit, found, immutable=False)
    kind = mimetypes.guess_type(found.path)[0] or "application/octet-stream"
    response.headers["Content-Type"] = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    if missing and response.status_code == 200:
        response.status_code = 404
    if request.scope.get("corral.own_host"):
        del response.headers["Content-Security-Policy"]
    else:
        response.headers["Content-Security-Policy"] = _SANDBOX
    return response
