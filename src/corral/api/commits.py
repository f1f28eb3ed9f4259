"""Upload: `preupload` and `commit` (`huggingface_hub` 2.4.0 `_commit_api.py`)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from corral.api.body import ndjson
from corral.api.deps import Body, Ctx, Rid
from corral.api.streams import receive
from corral.api.wire import Json, origin
from corral.community import discussions
from corral.context import Context
from corral.core.errors import BadRequest, Unauthorized
from corral.core.ids import RepoId
from corral.repos import commits, lookup, preupload, read
from corral.repos.commits import AddFile, AddLargeFile, Delete, Header, Operation
from corral.repos.lookup import Repo, Right

router = APIRouter()

_MOST_PREUPLOAD = 1000
#: bytes of a line around a file's contents: member names, and the longest path with every character escaped
_LINE_MARGIN = 64 * 1024


def _writable(ctx: Context, rid: RepoId, rev: str, *, pull_request: bool) -> Repo:
    """The repository, for somebody who may change it, or who may read it and proposes a change."""
    repo = lookup.find(ctx, rid)
    if not pull_request:
        if not discussions.may_push(ctx, repo, rev):
            lookup.require(ctx, repo, Right.WRITE)
        return repo
    if not ctx.actor.may_write:
        raise Unauthorized("Send an access token with the role 'write' to open a pull request.")
    return repo


@router.post("/api/{types:types}/{repo:repo}/preupload/{rev:seg}")
def preupload_files(ctx: Ctx, rid: Rid, rev: str, body: Body, create_pr: bool = False) -> Response:
    """For each file: large or regular, ignored or not, and the id of what is there now."""
    repo = _writable(ctx, rid, rev, pull_request=create_pr)
    commit = read.commit_of(ctx, repo, rev)
    files = body.get("files")
    if not isinstance(files, list) or len(files) > _MOST_PREUPLOAD:
        raise BadRequest(f"The member 'files' must be a list of at most {_MOST_PREUPLOAD} files.")
    ignore = body.get("gitIgnore")
    advice = preupload.advise(
        ctx, repo, commit, [_candidate(f) for f in files], ignore if isinstance(ignore, str) else None
    )
    return Json(
        {
            "files": [
                {
                    "path": a.path,
                    "uploadMode": "lfs" if a.large else "regular",
                    "shouldIgnore": a.ignore,
                    **({"oid": a.oid} if a.oid else {}),
                }
                for a in advice
            ],
            "commitOid": commit,
        }
    )


def _candidate(file: Any) -> preupload.Candidate:
    try:
        path, size = commits.check_path(file["path"]), int(file.get("size") or 0)
        sample = base64.b64decode(file.get("sample") or "", validate=True)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise BadRequest("Each of 'files' must be {path, sample (base64), size}.") from None
    return preupload.Candidate(path, size, sample)


@router.post("/api/{types:types}/{repo:repo}/commit/{rev:seg}")
async def create_commit(request: Request, ctx: Ctx, rid: Rid, rev: str, create_pr: bool = False) -> Response:
    """One commit from newline-delimited JSON: a header, then files and deletions in order."""
    return await receive(request, lambda pieces: _create_commit(request, ctx, rid, rev, create_pr, pieces))


def _create_commit(
    request: Request, ctx: Context, rid: RepoId, rev: str, create_pr: bool, pieces: Iterator[bytes]
) -> Response:
    repo = _writable(ctx, rid, rev, pull_request=create_pr)
    lines = ndjson(pieces, ctx.settings.max_regular_file * 4 // 3 + _LINE_MARGIN)
    header = _header(next(lines, None))
    operations = (operation(line) for line in lines)
    pull_request = None
    if create_pr:
        pull_request, oid = discussions.propose(ctx, repo, rev, header, operations)
    else:
        oid = commits.commit(ctx, repo, rev, header, operations).oid
    page = f"{origin(request)}/{repo.rid.path}"
    answer: dict[str, Any] = {
        "success": True,
        "commitOid": oid,
        "commitUrl": f"{page}/commit/{oid}",
        "hookOutput": "",
    }
    if pull_request is not None:
        answer["pullRequestUrl"] = f"{page}/discussions/{pull_request}"
    return Json(answer)


def _header(line: Any) -> Header:
    try:
        if line["key"] != "header":
            raise KeyError
        value = line["value"]
        summary, description, parent = value["summary"], value.get("description") or "", value.get("parentCommit")
        if not (isinstance(summary, str) and isinstance(description, str) and isinstance(parent, str | None)):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise BadRequest(
            "The first line must be {key: 'header', value: {summary, description?, parentCommit?}}."
        ) from None
    return Header(summary.strip() or "Upload files", description, parent or None)


def operation(line: Any) -> Operation:
    try:
        key, value = line["key"], line["value"]
        path = value["path"]
        if not isinstance(path, str):
            raise TypeError
        match key:
            case "file":
                content = value["content"]
                if value.get("encoding", "utf-8") == "base64":
                    return AddFile(path, base64.b64decode(content, validate=True))
                return AddFile(path, content.encode())
            case "lfsFile":
                if value.get("algo", "sha256") != "sha256":
                    raise BadRequest(f"{path}: the only 'algo' is sha256.")
                size = value.get("size")
                return AddLargeFile(path, str(value["oid"]), None if size is None else int(size))
            case "deletedFile" | "deletedFolder":
                return Delete(path)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise BadRequest(
            "A line after the header must be {key: file | lfsFile | deletedFile | deletedFolder, value: {path, …}}; "
            "contents are base64 with encoding 'base64'."
        ) from None
    raise BadRequest(f"A commit line of kind {key!r} is not known.")
