"""Downloads: `…/resolve/REV/PATH` and `…/raw/REV/PATH` (`huggingface_hub` 2.4.0 `file_download.py`)."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from email.utils import formatdate
from typing import BinaryIO
from urllib.parse import quote

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from corral.api.deps import Ctx, PageRid
from corral.api.wire import FileBytes, origin
from corral.catalogue import downloads
from corral.context import Context
from corral.core.errors import EntryNotFound, HubError
from corral.core.ids import RepoId
from corral.repos import blobs, lookup, read
from corral.repos.lookup import Repo, Right
from corral.repos.read import Entry

router = APIRouter()

_PIECE = 1 << 20
_NUMBER = re.compile("[0-9]{0,18}")
#: what a browser may show in place; anything else, HTML above all, is shown as text or saved
_SHOWN = ("image/", "audio/", "video/", "text/plain", "application/json", "application/pdf")
_HARMLESS = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox"
_COMMIT_FOREVER = "public, max-age=31536000, immutable"


class _BadRange(HubError):
    status = 416
    code = "RangeNotSatisfiable"


@router.api_route("/{prefix:prefix}{repo:repo}/resolve/{rev:seg}/{path:rest}", methods=["GET", "HEAD"])
def resolve(request: Request, ctx: Ctx, rid: PageRid, rev: str, path: str) -> Response:
    """The bytes of a file at a revision, with the headers that clients cache by."""
    repo, commit, found = _find(ctx, rid, rev, path)
    if downloads.counts(repo.type, found.path) and not _within_page(request):
        client = request.client.host if request.client else ""
        downloads.count(ctx, repo, found.path, client)
    return send_file(request, ctx, repo, commit, found, immutable=rev == commit)


@router.api_route("/{prefix:prefix}{repo:repo}/raw/{rev:seg}/{path:rest}", methods=["GET", "HEAD"])
def raw(request: Request, ctx: Ctx, rid: PageRid, rev: str, path: str) -> Response:
    """What git has: the pointer, for a large file."""
    repo, commit, found = _find(ctx, rid, rev, path)
    pointer = Entry(found.path, "file", found.oid, found.lfs.pointer_size) if found.lfs else found
    return send_file(request, ctx, repo, commit, pointer, immutable=rev == commit)


def _within_page(request: Request) -> bool:
    """Whether a browser fetches the file as a part of a page: looking at a card is no download."""
    return request.headers.get("sec-fetch-dest") in ("image", "audio", "video")


def _find(ctx: Context, rid: RepoId, rev: str, path: str) -> tuple[Repo, str, Entry]:
    repo = lookup.find(ctx, rid, Right.DOWNLOAD)
    commit = read.commit_of(ctx, repo, rev)
    found = read.entry(ctx, repo, commit, path)
    if found.type != "file" or found.is_submodule:
        kind = "submodule" if found.is_submodule else "folder"
        error = EntryNotFound(f"{path} is a {kind}, not a file")
        error.headers["X-Repo-Commit"] = commit
        raise error
    return repo, commit, found


def send_file(request: Request, ctx: Context, repo: Repo, commit: str, found: Entry, *, immutable: bool) -> Response:
    """Answer GET or HEAD for one file, whole or a range of it, or 304."""
    headers = _headers(request, repo, commit, found, immutable)
    if etag_matches(request.headers.get("if-none-match"), found.etag):
        headers.pop("Content-Type")
        return Response(status_code=304, headers=headers)
    if found.lfs is not None:
        return send_large(request, ctx, found.lfs.sha256, found.size, headers)
    status, start, length = _window(request, found.size, headers)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return Response(read.git_blob(ctx, repo, found)[start : start + length], status_code=status, headers=headers)


def send_large(request: Request, ctx: Context, sha256: str, size: int, headers: dict[str, str]) -> Response:
    """Answer GET or HEAD for a large file that the caller may have, whole or a range of it; `headers` are sent too."""
    status, start, length = _window(request, size, headers)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    stored = blobs.local_path(ctx, sha256)
    if stored is not None:
        return FileBytes(stored, start, length, status_code=status, headers=headers)
    file = blobs.open_bytes(ctx, sha256, start, length)
    return StreamingResponse(_pieces(file), status_code=status, headers=headers, background=BackgroundTask(file.close))


def _window(request: Request, size: int, headers: dict[str, str]) -> tuple[int, int, int]:
    """(status, start, length) of what is asked for; the headers that say so are added to `headers`."""
    try:
        start, length = byte_range(request.headers.get("range"), size)
    except _BadRange as error:
        error.headers = headers | {"Content-Range": f"bytes */{size}"}
        error.headers.pop("Content-Type")
        raise
    headers["Content-Length"] = str(length)
    if length == size and not start:
        return 200, start, length
    headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    return 206, start, length


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _headers(request: Request, repo: Repo, commit: str, found: Entry, immutable: bool) -> dict[str, str]:
    headers = file_headers(found.path, repo.created_at) | {
        "ETag": f'"{found.etag}"',
        "X-Repo-Commit": commit,
        "Cache-Control": _COMMIT_FOREVER if immutable and not repo.private else "no-cache",
    }
    if found.lfs:
        headers["X-Linked-Size"] = str(found.size)
        headers["X-Linked-Etag"] = f'"{found.etag}"'
    if found.xet_hash:
        headers["X-Xet-Hash"] = found.xet_hash
        auth = f"{origin(request)}/api/{repo.type.plural}/{repo.rid}/xet-read-token/{commit}"
        headers["Link"] = f'<{auth}>; rel="xet-auth"'
    return headers


def file_headers(path: str, modified: int, stated: str | None = None) -> dict[str, str]:
    """What goes with the bytes of any file: uploaded pages and drawings run nothing in the hub's name.

    `modified` in milliseconds since 1970, `stated` the type that the file's sender gave.
    """
    name = path.rpartition("/")[2]
    return {
        "Accept-Ranges": "bytes",
        "Content-Type": _content_type(name, stated),
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        "Last-Modified": formatdate(modified / 1000, usegmt=True),
        "Content-Security-Policy": _HARMLESS,
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "X-Repo-Commit, X-Linked-Size, X-Linked-Etag, X-Xet-Hash, ETag, Link, "
        "Accept-Ranges, Content-Range",
    }


def _content_type(name: str, stated: str | None) -> str:
    kind, encoding = (stated, None) if stated else mimetypes.guess_type(name)
    if kind is None or encoding is not None:
        return "application/octet-stream" if encoding or "." not in name or kind else "text/plain; charset=utf-8"
    if kind.startswith(_SHOWN):
        return f"{kind}; charset=utf-8" if kind.startswith(("text/", "application/json")) else kind
    if kind.startswith("text/") or kind.endswith(("xml", "javascript", "yaml", "toml")):
        return "text/plain; charset=utf-8"
    return kind


def etag_matches(given: str | None, etag: str) -> bool:
    if not given:
        return False
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in given.split(",")]
    return etag in tags or "*" in tags


def byte_range(header: str | None, size: int) -> tuple[int, int]:
    """(start, length) of a `Range` header over `size` bytes (RFC 9110 §14). Several ranges are answered whole.

    Raises an error with status 416 for a range outside the file.
    """
    if not header or not header.startswith("bytes=") or "," in header:
        return 0, size
    first, dash, last = header.removeprefix("bytes=").strip().partition("-")
    if not dash or not (first or last) or not all(_NUMBER.fullmatch(p) for p in (first, last)):
        return 0, size
    if not first:
        start = max(0, size - int(last))
        end = size
        if int(last) == 0:
            raise _BadRange("The range is empty.")
    else:
        start = int(first)
        end = min(size, int(last) + 1) if last else size
    if start >= size or end <= start:
        raise _BadRange(f"The range {header} lies outside the file, which has {size} bytes.")
    return start, end - start
