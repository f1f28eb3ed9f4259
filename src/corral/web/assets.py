"""Style sheets, scripts and pictures, under names that hold a hash of their bytes: a browser keeps them for ever."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from corral.core.errors import NotFound

_FOLDER = Path(__file__).parent / "static"
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    data: bytes
    packed: bytes | None
    media_type: str


def _hashed(name: str, data: bytes) -> str:
    stem, dot, end = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(data).hexdigest()[:10]}{dot}{end}"


@cache
def _load() -> tuple[dict[str, str], dict[str, _Asset]]:
    """(plain name -> hashed name, hashed name -> asset). All of it is small, so it stays in memory."""
    names: dict[str, str] = {}
    assets: dict[str, _Asset] = {}
    files = {file.name: file.read_bytes() for file in _FOLDER.iterdir()}
    needed = {name: _imports(data) if name.endswith(".js") else [] for name, data in files.items()}
    # a script's hash is that of its bytes with the hashes of those that it imports in them
    for name in TopologicalSorter(needed).static_order():
        data = files[name]
        for plain in needed[name]:
            data = data.replace(f'"./{plain}"'.encode(), f'"./{names[plain]}"'.encode())
        hashed = _hashed(name, data)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        text = kind.startswith("text/") or kind.endswith(("javascript", "xml"))
        packed = gzip.compress(data, mtime=0) if text else None
        names[name] = hashed
        assets[hashed] = _Asset(data, packed, f"{kind}; charset=utf-8" if text else kind)
    return names, assets


def _imports(script: bytes) -> list[str]:
    """The names of the scripts beside it that a script imports."""
    return [name.decode() for name in re.findall(rb'from "\./([^"]+)"', script)]


def url(name: str) -> str:
    """The address of a file in `static/`."""
    return f"/static/{_load()[0][name]}"


def _serve(request: Request) -> Response:
    name = request.path_params["name"]
    if name in _load()[0]:
        # the plain name, which other parts of the hub know
        return RedirectResponse(url(name), status_code=302)
    asset = _load()[1].get(name)
    if asset is None:
        raise NotFound("There is no such file: load the page again.")
    headers = {"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
    body = asset.data
    if asset.packed is not None:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = asset.packed
    return Response(body, media_type=asset.media_type, headers=headers)


def _favicon(_: Request) -> Response:
    return RedirectResponse(url("favicon.svg"), status_code=302)


def mount_static(app: FastAPI) -> None:
    """Serve the files of `static/`, before any page that would take their addresses for a repository's."""
    for path, handler in (("/static/{name}", _serve), ("/favicon.ico", _favicon)):
        app.add_route(path, handler, methods=["GET", "HEAD"], include_in_schema=False)
        # routes are tried in order, and `/OWNER/NAME` would take these
        app.router.routes.insert(0, app.router.routes.pop())
