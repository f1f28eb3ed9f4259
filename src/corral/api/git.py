"""git over HTTP (gitprotocol-http(5)): `/{prefix}owner/name[.git]/…` for git's own clients."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from corral.api.deps import Ctx, PageRid
from corral.api.streams import receive
from corral.api.wire import error_response
from corral.core.actor import ANONYMOUS
from corral.core.errors import BadRequest, Forbidden, HubError, RepoNotFound, TooLarge
from corral.repos import git as store
from corral.repos import lookup, push, smart
from corral.repos.lookup import RepoMoved, Right

_NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Pragma": "no-cache", "Expires": "0"}
#: what a clone or fetch may ask, in bytes: a line for each commit that it has and wants
_MOST_ASKED = 64 << 20
#: clones and fetches that this process answers at once; others wait
_clones = anyio.Semaphore(32)
_threads = anyio.CapacityLimiter(64)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AskForPassword(APIRoute):
    """Refusals as git and git-lfs need them: 401 says how to sign in, and the text is shown to the person."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except HubError as error:
                anonymous = getattr(request.state, "actor", ANONYMOUS).is_anonymous
                if error.status == 401 or (anonymous and isinstance(error, RepoNotFound)):
                    ask = 'Basic realm="Corral", charset="UTF-8"'
                    error.headers |= {"WWW-Authenticate": ask, "LFS-Authenticate": ask}
                raise

        return answer


class GitRoute(AskForPassword):
    """git shows a refusal to the person only where it is plain text."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RepoMoved:
                raise
            except HubError as error:
                anonymous = getattr(request.state, "actor", ANONYMOUS).is_anonymous
                told = error_response(error, anonymous=anonymous)
                headers = {name: value for name, value in told.headers.items() if not name.startswith("content-")}
                return PlainTextResponse(f"{error.message}\n", status_code=told.status_code, headers=headers)

        return answer


router = APIRouter(route_class=GitRoute)


def _both(path: str) -> tuple[str, str]:
    """git takes an address with and without `.git`."""
    return f"/{{prefix:prefix}}{{repo:repo}}.git/{path}", f"/{{prefix:prefix}}{{repo:repo}}/{path}"


def info_refs(request: Request, ctx: Ctx, rid: PageRid, service: str = "") -> Response:
    """What there is to fetch, or what a push would move."""
    match service:
        case "git-upload-pack":
            repo = lookup.find(ctx, rid, Right.DOWNLOAD)
            told = smart.advertise_read(ctx, repo, request.headers.get("git-protocol"))
        case "git-receive-pack":
            told = smart.advertise_push(ctx, lookup.find(ctx, rid, Right.WRITE))
        case _:
            raise Forbidden("Use a git that speaks the smart HTTP protocol (any since 1.6.6).")
    return Response(told, media_type=f"application/x-{service}-advertisement", headers=_NO_CACHE)


async def upload_pack(request: Request, ctx: Ctx, rid: PageRid) -> Response:
    """One round of a clone or fetch."""
    repo = await run_sync(lookup.find, ctx, rid, Right.DOWNLOAD)
    directory = await run_sync(store.bare, ctx, repo.id, limiter=_threads)
    asked = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (the answer closes it)
    try:
        inflate = _inflated(request)
        # read to its end before the answer begins: git sends and listens at once, not every HTTP server does
        async for chunk in request.stream():
            for piece in inflate(chunk):
                asked.write(piece)
            if asked.tell() > _MOST_ASKED:
                raise TooLarge(f"The request has more than {_MOST_ASKED} bytes: fetch fewer refs at once.")
        asked.seek(0)
    except BaseException:
        asked.close()
        raise
    answer = _answer(directory, asked, request.headers.get("git-protocol"))
    return StreamingResponse(answer, media_type="application/x-git-upload-pack-result", headers=_NO_CACHE)


async def _answer(directory: Path, asked: IO[bytes], protocol: str | None) -> AsyncIterator[bytes]:
    async with _clones:
        with asked, smart.UploadPack(directory, asked, protocol) as running:
            while piece := await run_sync(running.read, limiter=_threads):
                yield piece


async def receive_pack(request: Request, ctx: Ctx, rid: PageRid) -> Response:
    """A push: the answer comes when it is durable, or refused."""
    inflate = _inflated(request)

    def work(chunks: Iterator[bytes]) -> bytes:
        repo = lookup.find(ctx, rid, Right.WRITE)
        return push.receive(ctx, repo, (piece for chunk in chunks for piece in inflate(chunk)))

    told = await receive(request, work)
    return Response(told, media_type="application/x-git-receive-pack-result", headers=_NO_CACHE)


def _inflated(request: Request) -> Callable[[bytes], Iterable[bytes]]:
    """git sends longer requests compressed."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding in ("identity", ""):
        return lambda chunk: (chunk,)
    if encoding not in ("gzip", "x-gzip"):
        raise HubError(f"The Content-Encoding {encoding!r} is not known: send gzip.", status=415, code="Encoding")
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def inflate(chunk: bytes) -> Iterator[bytes]:
        try:
            # piece by piece, since a few bytes can stand for gigabytes
            while chunk:
                yield stream.decompress(chunk, 1 << 20)
                chunk = stream.unconsumed_tail
        except zlib.error as error:
            raise BadRequest(f"The request is no valid gzip stream ({error}).", code="Encoding") from None

    return inflate


for _path in _both("info/refs"):
    router.add_api_route(_path, info_refs, methods=["GET"])
for _path in _both("git-upload-pack"):
    router.add_api_route(_path, upload_pack, methods=["POST"])
for _path in _both("git-receive-pack"):
    router.add_api_route(_path, receive_pack, methods=["POST"])
