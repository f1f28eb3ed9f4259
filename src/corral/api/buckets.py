"""Buckets: create, list, change, upload to and download from (`huggingface_hub` 2.4.0 `HfApi.*bucket*`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from corral.accounts import rights
from corral.api.body import ndjson, private_of
from corral.api.deps import Body, Ctx
from corral.api.resolve import etag_matches, file_headers, send_large
from corral.api.streams import receive
from corral.api.wire import Json, next_link, origin
from corral.api.xet import token_answer
from corral.context import Context
from corral.core.clock import iso
from corral.core.errors import BadRequest, Conflict, NotFound, RepoNotFound, Unauthorized
from corral.core.ids import RepoId, RepoType
from corral.repos import buckets, lifecycle, lookup
from corral.repos.buckets import Add, Delete, File, Folder, Operation, Totals
from corral.repos.lookup import Repo, Right

router = APIRouter()

_PAGE = 1000
_MOST_PATHS = 1000
_MOST_OPERATIONS = 10_000
_LONGEST_LINE = 64 * 1024
#: milliseconds: the year 9999, the last that ISO 8601 texts can name
_LAST_TIME = 253_402_300_799_000
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")


async def _rid(repo: str) -> RepoId:
    return RepoId.parse(RepoType.BUCKET, repo)


#: the id in `/api/buckets/{repo:repo}/…`
BucketId = Annotated[RepoId, Depends(_rid)]


def _owner(ctx: Context, name: str) -> str:
    """`name`, or the caller's own for `me`."""
    if name != "me":
        return name
    rights.require_signed_in(ctx.actor)
    return ctx.actor.name or name


# --- buckets -----------------------------------------------------------------------------------------------------


@router.get("/api/buckets/{owner:seg}")
def list_buckets(request: Request, ctx: Ctx, owner: str, search: str = "", cursor: str = "") -> Response:
    """The buckets under a name, or one's own (`me`)."""
    found = buckets.of_owner(ctx, _owner(ctx, owner), search, cursor, _PAGE + 1)
    shown = found[:_PAGE]
    totals = buckets.totals(ctx, shown)
    headers = next_link(request, cursor=shown[-1].full_name) if len(found) > _PAGE else None
    return Json([_shape(bucket, totals[bucket.id]) for bucket in shown], headers=headers)


@router.api_route("/api/buckets/{name:seg}", methods=["POST", "PUT", "DELETE"])
def without_owner(_ctx: Ctx, name: str) -> Response:
    """Ids without an owner parse, and name nothing here."""
    raise RepoNotFound(f"There is no bucket {name!r}: a bucket is named OWNER/NAME.")


@router.post("/api/buckets/{repo:repo}")
def create_bucket(request: Request, ctx: Ctx, rid: BucketId, body: Body) -> Response:
    if ctx.actor.is_anonymous:
        raise Unauthorized("Sign in, or send an access token with the role 'write', to create a bucket.")
    rid = RepoId(rid.type, _owner(ctx, rid.owner), rid.name)
    try:
        bucket = lifecycle.create(ctx, rid, private=private_of(body))
    except Conflict as error:
        taken = lookup.find(ctx, rid)
        error.extra |= {"url": f"{origin(request)}/{taken.rid.path}", "name": taken.full_name}
        raise
    return Json({"url": f"{origin(request)}/{bucket.rid.path}", "name": bucket.full_name, "id": bucket.object_id})


@router.get("/api/buckets/{repo:repo}")
def bucket_info(ctx: Ctx, rid: BucketId) -> Response:
    bucket = lookup.find(ctx, rid)
    return Json(_shape(bucket, buckets.totals(ctx, [bucket])[bucket.id]))


@router.delete("/api/buckets/{repo:repo}")
def delete_bucket(ctx: Ctx, rid: BucketId) -> Response:
    """Delete for good, with all files."""
    lifecycle.remove(ctx, lookup.find(ctx, rid))
    return Json({"success": True})


@router.put("/api/buckets/{repo:repo}/settings")
def update_settings(ctx: Ctx, rid: BucketId, body: Body) -> Response:
    bucket = lifecycle.configure(ctx, lookup.find(ctx, rid), private=private_of(body))
    return Json({"private": bucket.private})


def _shape(bucket: Repo, totals: Totals) -> dict[str, Any]:
    return {
        "_id": bucket.object_id,
        "id": bucket.full_name,
        "author": bucket.rid.owner,
        "private": bucket.private,
        "createdAt": iso(bucket.created_at),
        "updatedAt": iso(bucket.updated_at),
        "size": totals.size,
        "totalFiles": totals.files,
    }


# --- files -------------------------------------------------------------------------------------------------------


@router.get("/api/buckets/{repo:repo}/tree")
@router.get("/api/buckets/{repo:repo}/tree/{prefix:rest}")
def tree(
    request: Request, ctx: Ctx, rid: BucketId, prefix: str = "", recursive: bool = True, cursor: str = ""
) -> Response:
    """What begins with `prefix`, letter by letter; folders are named only where they are not gone into."""
    bucket = lookup.find(ctx, rid)
    found: Sequence[File | Folder]
    if recursive:
        found = buckets.page(ctx, bucket, prefix, cursor, _PAGE + 1)
    else:
        found = buckets.level(ctx, bucket, prefix, cursor, _PAGE + 1)
    shown = found[:_PAGE]
    headers = next_link(request, cursor=buckets.mark(shown[-1])) if len(found) > _PAGE else None
    return Json([_entry(one) for one in shown], headers=headers)


@router.post("/api/buckets/{repo:repo}/paths-info")
def paths_info(ctx: Ctx, rid: BucketId, body: Body) -> Response:
    """The files among `paths`; what is missing is left out."""
    bucket = lookup.find(ctx, rid)
    paths = body.get("paths")
    if not isinstance(paths, list) or len(paths) > _MOST_PATHS or not all(isinstance(p, str) for p in paths):
        raise BadRequest(f"The member 'paths' must be a list of at most {_MOST_PATHS} paths.")
    return Json([_entry(file) for file in buckets.files(ctx, bucket, paths)])


def _entry(one: File | Folder) -> dict[str, Any]:
    if isinstance(one, Folder):
        return {"type": "directory", "path": one.path, "uploadedAt": iso(one.uploaded_at)}
    return {
        "type": "file",
        "path": one.path,
        "size": one.size,
        "xetHash": one.xet_hash,
        "mtime": iso(one.mtime),
        "uploadedAt": iso(one.uploaded_at),
        "contentType": one.content_type,
    }


@router.post("/api/buckets/{repo:repo}/batch")
async def batch(request: Request, ctx: Ctx, rid: BucketId) -> Response:
    """Add, copy and delete files: one operation a line. 422 when none could be done."""
    return await receive(request, lambda pieces: _batch(ctx, rid, pieces))


def _batch(ctx: Context, rid: RepoId, pieces: Iterator[bytes]) -> Response:
    bucket = lookup.find(ctx, rid, Right.WRITE)
    operations: list[Operation] = []
    for line in ndjson(pieces, _LONGEST_LINE):
        if len(operations) == _MOST_OPERATIONS:
            raise BadRequest(f"One batch may hold at most {_MOST_OPERATIONS} operations: send several.")
        operations.append(_operation(line))
    failed = buckets.apply(ctx, bucket, operations)
    answer = {
        "success": not failed,
        "processed": len(operations),
        "succeeded": len(operations) - len(failed),
        "failed": [{"path": failure.path, "error": failure.error} for failure in failed],
    }
    return Json(answer, status_code=422 if failed and len(failed) == len(operations) else 200)


def _operation(line: Any) -> Operation:
    try:
        kind, path = line["type"], line["path"]
        if not isinstance(path, str):
            raise TypeError
        match kind:
            case "deleteFile":
                return Delete(path)
            case "addFile":
                return _add(line, None)
            case "copyFile":
                source = RepoType(line["sourceRepoType"])
                return _add(line, RepoId.parse(source, str(line["sourceRepoId"])))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise BadRequest(
            "A line must be {type: addFile, path, xetHash, mtime?, contentType?}, {type: copyFile, the same, "
            "sourceRepoType, sourceRepoId} or {type: deleteFile, path}; mtime in milliseconds since 1970."
        ) from None
    raise BadRequest(f"An operation of type {kind!r} is not known.")


def _add(line: Any, source: RepoId | None) -> Add:
    mtime, content_type = line.get("mtime"), line.get("contentType")
    mtime = None if mtime is None else min(max(int(mtime), 0), _LAST_TIME)
    plain = content_type.partition(";")[0].strip().lower() if isinstance(content_type, str) else ""
    return Add(line["path"], str(line["xetHash"]), mtime, plain if _MEDIA_TYPE.fullmatch(plain) else None, source)


@router.api_route("/buckets/{repo:repo}/resolve/{path:rest}", methods=["GET", "HEAD"])
def resolve(request: Request, ctx: Ctx, rid: BucketId, path: str) -> Response:
    """The bytes of a file, whole or a range, and where a client that speaks Xet gets them."""
    bucket = lookup.find(ctx, rid, Right.DOWNLOAD)
    file, sha256 = buckets.file(ctx, bucket, path)
    auth = f"{origin(request)}/api/{bucket.rid.path}/xet-read-token"
    headers = file_headers(file.path, file.uploaded_at, file.content_type) | {
        "ETag": f'"{file.xet_hash}"',
        "Cache-Control": "no-cache",
        "X-Linked-Size": str(file.size),
        "X-Linked-Etag": f'"{file.xet_hash}"',
        "X-Xet-Hash": file.xet_hash,
        "Link": f'<{auth}>; rel="xet-auth"',
    }
    if etag_matches(request.headers.get("if-none-match"), file.xet_hash):
        headers.pop("Content-Type")
        return Response(status_code=304, headers=headers)
    return send_large(request, ctx, sha256, file.size, headers)


@router.get("/api/buckets/{repo:repo}/xet-read-token")
def read_token(request: Request, ctx: Ctx, rid: BucketId) -> Response:
    return token_answer(request, ctx, lookup.find(ctx, rid, Right.DOWNLOAD), write=False)


@router.get("/api/buckets/{repo:repo}/xet-write-token")
def write_token(request: Request, ctx: Ctx, rid: BucketId) -> Response:
    return token_answer(request, ctx, lookup.find(ctx, rid, Right.WRITE), write=True)


@router.get("/api/buckets/{repo:repo}/events")
def events(rid: BucketId) -> Response:
    """Clients that follow a bucket live fall back to asking again."""
    raise NotFound(f"This hub tells of no events of {rid}: list the bucket again instead.")
