"""Xet: access tokens for a repository, and the content-addressed store (CAS) that they open.

Source: hub-docs `docs/xet/api.md`, `docs/xet/auth.md`; hf_xet 1.8.0. The CAS lives under `/xet` of the same host.
The paths without a version are those of hf_xet 1.1 to 1.4 (measured), which also append a footer to each xorb.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import orjson
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from corral.api.deps import Ctx, Rid, bearer
from corral.api.wire import FileBytes, Json, origin
from corral.context import Context
from corral.core.errors import BadRequest, Busy, Forbidden, HubError, NotFound, TooLarge, Unauthorized
from corral.repos.lookup import Repo, Right, find
from corral.repos.xet import access, dedup, register, shard, xorb
from corral.repos.xet.access import ByteRange, Grant
from corral.repos.xet.reconstruction import Piece, Reconstruction, plan
from corral.repos.xet.xorbs import XorbUpload, key

router = APIRouter()

_CAS = "/xet"
_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})?")
_RANGES = re.compile(r"bytes=(\d{1,10}-\d{1,10}(?:, ?\d{1,10}-\d{1,10})*)")
#: ranges that one signed address holds at most, so that it stays well under what proxies take for an address
_RANGES_PER_ADDRESS = 64
#: bytes that are checked in one go while a xorb arrives
_BATCH = 2 << 20
_READ = 1 << 20
#: seconds between two lines while a shard is checked; clients give up after two minutes of silence
_HEARTBEAT = 5.0
#: shards that one web process checks at a time; others wait, and leave threads to other requests
_checks = CapacityLimiter(8)


# --- tokens ------------------------------------------------------------------------------------------------------


@router.get("/api/{types:types}/{repo:repo}/xet-read-token/{rev:rest}")
def read_token(request: Request, ctx: Ctx, rid: Rid) -> Response:
    return token_answer(request, ctx, find(ctx, rid, Right.DOWNLOAD), write=False)


@router.get("/api/{types:types}/{repo:repo}/xet-write-token/{rev:rest}")
def write_token(request: Request, ctx: Ctx, rid: Rid, rev: str, create_pr: bool = False) -> Response:
    """Who may read a repository may propose a change to it, so may upload for that."""
    if not (create_pr or rev.startswith("refs/pr/")):
        return token_answer(request, ctx, find(ctx, rid, Right.WRITE), write=True)
    repo = find(ctx, rid)
    if ctx.actor.is_anonymous:
        raise Unauthorized(f"Sign in, or send an access token, to propose a change to {repo.rid}.")
    if not ctx.actor.may_write:
        raise Forbidden("This token may only read: use one with the role 'write' to propose a change.")
    return token_answer(request, ctx, repo, write=True)


def token_answer(request: Request, ctx: Context, repo: Repo, *, write: bool) -> Response:
    """A Xet token for the repository, to a caller who has the right to it."""
    token, expires = access.issue(ctx, repo.id, write=write)
    url = origin(request) + _CAS
    # huggingface_hub reads the headers, hf_xet reads the body (and tries for ever without one)
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)}
    return Json({"casUrl": url, "accessToken": token, "exp": expires}, headers=headers)


@dataclass(frozen=True, slots=True)
class _Caller:
    """The hub, and what the Xet token of this request allows."""

    ctx: Context
    grant: Grant


async def _reader(request: Request) -> _Caller:
    ctx: Context = request.app.state.ctx
    return _Caller(ctx, access.check(ctx, bearer(request)))


async def _writer(request: Request) -> _Caller:
    caller = await _reader(request)
    if not caller.grant.write:
        raise Forbidden("This Xet token may only read: get one at …/xet-write-token/main.")
    return caller


Reader = Annotated[_Caller, Depends(_reader)]
Writer = Annotated[_Caller, Depends(_writer)]


# --- upload ------------------------------------------------------------------------------------------------------


@router.get(_CAS + "/v1/chunks/{prefix}/{chunk}")
@router.get(_CAS + "/chunks/{prefix}/{chunk}")
@router.get(_CAS + "/chunk/{prefix}/{chunk}")
def dedup_chunk(caller: Reader, prefix: str, chunk: str) -> Response:
    found = dedup.answer(caller.ctx, caller.grant.repo_id, caller.grant.actor_id, chunk)
    if found is None:
        raise NotFound("No file that you may read has this chunk.", code="ChunkNotFound")
    return Response(found, media_type="application/octet-stream")


@router.post(_CAS + "/v1/xorb-grants/{prefix}/{hash}")
def xorb_grant(prefix: str, hash: str) -> Response:
    """Uploads past the hub, straight to its storage: hf_xet 1.8 asks, and on 404 uploads to the hub."""
    raise NotFound("This hub takes xorbs itself: POST them to /v1/xorbs/default/HASH.")


@router.post(_CAS + "/v1/xorbs/{prefix}/{hash}")
@router.post(_CAS + "/xorbs/{prefix}/{hash}")
@router.post(_CAS + "/xorb/{prefix}/{hash}")
async def upload_xorb(request: Request, caller: Writer, prefix: str, hash: str) -> Response:
    upload = await run_sync(XorbUpload, caller.ctx, caller.grant.repo_id, hash)
    with upload:
        refusal: HubError | None = None
        async for batch in _batches(request, xorb.MAX_XORB):
            # what comes after a fault is read all the same, so that the client gets to read the refusal
            if refusal is None:
                try:
                    await run_sync(upload.write, batch)
                except HubError as error:
                    refusal = error
        if refusal is not None:
            raise refusal
        inserted = await run_sync(upload.finish)
    return Json({"was_inserted": inserted})


@router.post(_CAS + "/v1/shards")
@router.post(_CAS + "/shards")
@router.post(_CAS + "/shard/{prefix}/{hash}")
async def upload_shard(request: Request, caller: Writer) -> Response:
    work = await _registration(request, caller, lambda done, total: None)
    await work
    return Json({"result": 1})


@router.post(_CAS + "/v2/shards")
async def upload_shard_with_progress(request: Request, caller: Writer) -> Response:
    """As v1, but tells how far the check has come. What fails at once fails with a status, the rest with a line."""
    told = (0, 0)
    gone = False

    def progress(done: int, total: int) -> None:
        nonlocal told
        told = done, total
        if gone:
            raise Busy("The client went away.", retry_after=1)

    async def lines() -> AsyncIterator[bytes]:
        nonlocal gone
        try:
            while not await _finished(work, _HEARTBEAT):
                yield _line(type="validating", verified=told[0], total=told[1])
            work.result()
            yield _line(type="result", result=1)
        except HubError as error:
            yield _line(type="error", message=error.message, retryable=isinstance(error, Busy))
        finally:
            gone = True

    work = await _registration(request, caller, progress)
    if await _finished(work, 1.0):
        work.result()
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"Cache-Control": "no-cache"})


async def _registration(request: Request, caller: _Caller, progress: register.Progress) -> asyncio.Future[Any]:
    """The work of taking in the shard that the request brings, begun in a thread. Raises InvalidShard."""
    parsed = await run_sync(shard.parse, await _body(request, shard.MAX_SHARD))
    begin = partial(register.register, caller.ctx, caller.grant.repo_id, parsed, progress)
    return asyncio.ensure_future(run_sync(begin, limiter=_checks))


def _line(**members: object) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)


async def _finished(work: asyncio.Future[Any], seconds: float) -> bool:
    done, _ = await asyncio.wait((work,), timeout=seconds)
    return bool(done)


async def _batches(request: Request, most: int) -> AsyncIterator[bytearray]:
    """The request's body in pieces worth a thread each. Raises TooLarge above `most` bytes."""
    length = request.headers.get("content-length", "0")
    too_large = TooLarge(f"The body may have at most {most} bytes.")
    if not length.isdecimal() or int(length) > most:
        raise too_large
    batch = bytearray()
    arrived = 0
    try:
        async for piece in request.stream():
            arrived += len(piece)
            if arrived > most:
                raise too_large
            batch += piece
            if len(batch) >= _BATCH:
                yield batch
                batch = bytearray()
    except ClientDisconnect:
        raise BadRequest("The body was cut off: send it again.") from None
    if batch:
        yield batch


async def _body(request: Request, most: int) -> bytes:
    return b"".join([batch async for batch in _batches(request, most)])


# --- download ----------------------------------------------------------------------------------------------------


@router.get(_CAS + "/v2/reconstructions/{file}")
def reconstruction(request: Request, caller: Reader, file: str) -> Response:
    found = _plan(request, caller, file)

    def fetches(xorb: str, pieces: list[Piece]) -> Iterator[dict[str, object]]:
        for at in range(0, len(pieces), _RANGES_PER_ADDRESS):
            some = pieces[at : at + _RANGES_PER_ADDRESS]
            ranges = [{"chunks": _span(p.first, p.end), "bytes": _span(p.start, p.stop - 1)} for p in some]
            yield {"url": _address(request, caller.ctx, xorb, some), "ranges": ranges}

    return Json(_steps(found) | {"xorbs": {xorb: list(fetches(xorb, p)) for xorb, p in found.pieces.items()}})


@router.get(_CAS + "/v1/reconstructions/{file}")
@router.get(_CAS + "/reconstructions/{file}")
@router.get(_CAS + "/reconstruction/{file}")
def reconstruction_v1(request: Request, caller: Reader, file: str) -> Response:
    found = _plan(request, caller, file)

    def fetch(xorb: str, p: Piece) -> dict[str, object]:
        url = _address(request, caller.ctx, xorb, [p])
        return {"url": url, "range": _span(p.first, p.end), "url_range": _span(p.start, p.stop - 1)}

    return Json(_steps(found) | {"fetch_info": {x: [fetch(x, p) for p in some] for x, some in found.pieces.items()}})


def _plan(request: Request, caller: _Caller, file: str) -> Reconstruction:
    start, end = 0, None
    if (text := request.headers.get("range")) is not None:
        match = _RANGE.fullmatch(text)
        if match is None:
            raise BadRequest("Ask for one range, as in 'Range: bytes=0-1000'.")
        start, end = int(match[1]), int(match[2]) + 1 if match[2] else None
    return plan(caller.ctx, caller.grant.repo_id, file, start, end)


def _steps(found: Reconstruction) -> dict[str, object]:
    terms = [{"hash": s.xorb, "unpacked_length": s.size, "range": _span(s.first, s.end)} for s in found.steps]
    return {"offset_into_first_range": found.skip, "terms": terms}


def _span(start: int, end: int) -> dict[str, int]:
    """Chunk ranges do not include their end, byte ranges do."""
    return {"start": start, "end": end}


def _address(request: Request, ctx: Context, xorb: str, pieces: list[Piece]) -> str:
    return origin(request) + _CAS + access.address(ctx, xorb, [(p.start, p.stop - 1) for p in pieces])


@router.get(_CAS + "/v1/data/{hash}")
def xorb_bytes(request: Request, hash: str, ranges: str, expires: int, signature: str) -> Response:
    """Bytes of a xorb, for whoever has a signed address: hf_xet sends no credentials here."""
    ctx: Context = request.app.state.ctx
    allowed = access.allowed(ctx, hash, ranges, expires, signature)
    match = _RANGES.fullmatch(request.headers.get("range", ""))
    if match is None:
        raise Forbidden("This address is good for some ranges of bytes: ask for them with a Range header.")
    wanted = [_pair(text) for text in match[1].split(",")]
    if not all(any(first <= start <= end <= last for first, last in allowed) for start, end in wanted):
        raise Forbidden("This address is not good for these bytes: ask for the reconstruction again.")
    size = ctx.blobs.size(key(hash))
    if size is None:
        raise NotFound(f"The xorb {hash} is gone from the store: run `corral fsck`.")
    if len(wanted) > 1:
        return _multipart(ctx, hash, wanted, size)
    ((start, end),) = wanted
    headers = {"Content-Range": f"bytes {start}-{end}/{size}", "Content-Length": str(end - start + 1)}
    headers["Content-Type"] = "application/octet-stream"
    if (path := ctx.blobs.path(key(hash))) is not None:
        return FileBytes(path, start, end - start + 1, status_code=206, headers=headers)
    return StreamingResponse(_bytes(ctx, hash, start, end), 206, headers)


def _pair(text: str) -> ByteRange:
    first, _, last = text.strip().partition("-")
    return int(first), int(last)


def _bytes(ctx: Context, xorb: str, start: int, end: int) -> Iterator[bytes]:
    with ctx.blobs.open(key(xorb), start, end - start + 1) as source:
        while block := source.read(_READ):
            yield block


def _multipart(ctx: Context, xorb: str, ranges: list[ByteRange], size: int) -> Response:
    """RFC 9110 section 14.6."""
    boundary = secrets.token_hex(16)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Range: bytes {start}-{end}/{size}\r\n\r\n".encode()
        for start, end in ranges
    ]
    tail = f"\r\n--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        for head, (start, end) in zip(heads, ranges, strict=True):
            yield head
            yield from _bytes(ctx, xorb, start, end)
        yield tail

    length = sum(map(len, heads)) + sum(end - start + 1 for start, end in ranges) + len(tail)
    media_type = f"multipart/byteranges; boundary={boundary}"
    return StreamingResponse(body(), 206, {"Content-Length": str(length)}, media_type)


@router.post("/v1/telemetry")
def telemetry() -> Response:
    """hf_xet reports here, at the root of the CAS's host. The hub keeps nothing of it."""
    return Response(status_code=204)
