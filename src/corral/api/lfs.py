"""git-lfs: the batch address and the signed ones that move the bytes.

Sources: git-lfs docs/api/{batch,basic-transfers,locking}.md; `huggingface_hub/lfs.py` 2.4.0 (transfer `multipart`) and
`_commit_api.py` 1.19 (transfer `xet`: up to that version the client lets the hub choose).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from corral.api.deps import Body, Ctx, PageRid
from corral.api.git import AskForPassword
from corral.api.resolve import send_large
from corral.api.streams import receive
from corral.api.wire import Json, origin
from corral.context import Context
from corral.core.errors import BadRequest, Conflict, NotSupported
from corral.repos import lfs, lookup
from corral.repos.lfs import Planned, Purpose, Ticket
from corral.repos.lookup import Repo, Right
from corral.repos.xet import access

router = APIRouter(route_class=AskForPassword)

#: objects in one batch; git-lfs sends 100, huggingface_hub 256
_MOST = 2000
_LFS = "/{prefix:prefix}{repo:repo}.git/info/lfs"


class _LfsJson(Json):
    media_type = "application/vnd.git-lfs+json"


@router.post(f"{_LFS}/objects/batch")
def batch(request: Request, ctx: Ctx, rid: PageRid, body: Body) -> Response:
    """For each object: where to send or fetch it, nothing to do, or what is wrong with it."""
    operation, objects = body.get("operation"), body.get("objects")
    if operation not in ("upload", "download"):
        raise BadRequest("The member 'operation' must be 'upload' or 'download'.")
    if not isinstance(objects, list) or len(objects) > _MOST:
        raise BadRequest(f"The member 'objects' must be a list of at most {_MOST} objects.")
    # huggingface.js spells it sha_256
    if body.get("hash_algo", "sha256") not in ("sha256", "sha_256"):
        raise Conflict("The only 'hash_algo' is sha256.", code="HashAlgorithm")
    repo = lookup.find(ctx, rid, Right.DOWNLOAD if operation == "download" else Right.READ)
    if operation == "upload":
        lfs.require_upload(ctx, repo)
    offered = body.get("transfers")
    address = _Addresses(request, ctx, repo, offered if isinstance(offered, list) else ["basic"])
    planned = lfs.plan(ctx, repo, operation, objects)
    actions = address.download if operation == "download" else address.upload
    return _LfsJson(
        {
            "transfer": address.transfer(operation, planned),
            "objects": [_answer(p, actions) for p in planned],
            "hash_algo": "sha256",
        }
    )


def _answer(planned: Planned, actions: Callable[[Ticket], dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"oid": planned.oid, "size": planned.size}
    if planned.error is not None:
        code, message = planned.error
        return answer | {"error": {"code": code, "message": message}}
    if planned.ticket is None:
        return answer
    return answer | {"authenticated": True, "actions": actions(planned.ticket)}


class _Addresses:
    """The actions of one batch answer: signed addresses on the host that the request came to."""

    def __init__(self, request: Request, ctx: Context, repo: Repo, offered: list[Any]) -> None:
        self._request = request
        self._ctx = ctx
        self._repo = repo
        self._xet = "xet" in offered
        self._multipart = "multipart" in offered

    def transfer(self, operation: str, planned: list[Planned]) -> str:
        if operation == "upload" and self._xet:
            return "xet"
        parts = any(p.ticket is not None and self._in_parts(p.ticket) for p in planned)
        return "multipart" if operation == "upload" and parts else "basic"

    def _in_parts(self, ticket: Ticket) -> bool:
        return self._multipart and lfs.takes_parts(self._ctx, ticket)

    def download(self, ticket: Ticket) -> dict[str, Any]:
        return {"download": self._action("lfs-download", ticket)}

    def upload(self, ticket: Ticket) -> dict[str, Any]:
        if self._xet:
            return {"upload": self._xet_action()}
        verify = {"href": f"{origin(self._request)}/{self._repo.rid.path}.git/info/lfs/objects/verify"}
        if credentials := self._request.headers.get("authorization"):
            # git-lfs repeats what it is told here; other clients send their own
            verify |= {"header": {"Authorization": credentials}}  # type: ignore[dict-item]
        if not self._in_parts(ticket):
            return {"upload": self._action("lfs-upload", ticket), "verify": verify}
        ticket = lfs.in_parts(self._ctx, ticket)
        action = self._action("lfs-complete", ticket)
        action["header"] = {"chunk_size": str(ticket.part_size)} | {
            str(number): f"{self._href('lfs-part', ticket)}&part={number}" for number in range(1, ticket.parts + 1)
        }
        return {"upload": action, "verify": verify}

    def _action(self, purpose: Purpose, ticket: Ticket) -> dict[str, Any]:
        return {"href": self._href(purpose, ticket), "expires_in": lfs.TICKET_MS // 1000}

    def _href(self, purpose: Purpose, ticket: Ticket) -> str:
        query: dict[str, str | int] = {"repo": ticket.repo_id, "size": ticket.size, "expires": ticket.expires}
        if ticket.upload:
            query |= {"upload": ticket.upload, "part_size": ticket.part_size}
        query["signature"] = ticket.sign(self._ctx, purpose)
        kind = purpose.removeprefix("lfs-")
        return f"{origin(self._request)}/lfs/{kind}/{ticket.sha256}?{urlencode(query)}"

    def _xet_action(self) -> dict[str, Any]:
        """Where a Xet client gets (and renews) its token, and the first one."""
        token, expires = access.issue(self._ctx, self._repo.id, write=True)
        host, rid = origin(self._request), self._repo.rid
        return {
            "href": f"{host}/api/{rid.type.plural}/{rid}/xet-write-token/main",
            "header": {
                "X-Xet-Cas-Url": f"{host}/xet",
                "X-Xet-Access-Token": token,
                "X-Xet-Token-Expiration": str(expires),
            },
        }


@router.post(f"{_LFS}/objects/verify")
def verify(ctx: Ctx, rid: PageRid, body: Body) -> Response:
    """Whether an object arrived: 200, or 404 or 422."""
    repo = lookup.find(ctx, rid)
    lfs.require_upload(ctx, repo)
    lfs.verify(ctx, repo, body.get("oid"), body.get("size"))
    return _LfsJson({})


@router.api_route(f"{_LFS}/locks", methods=["GET", "POST"])
@router.post(f"{_LFS}/locks/{{rest:rest}}")
def locks(ctx: Ctx, rid: PageRid) -> Response:
    """git-lfs takes 501 to mean that there are no locks, and pushes without."""
    lookup.find(ctx, rid)
    raise NotSupported("File locks are not supported: git lfs push works without them.")


async def _ticket(oid: str, repo: int, size: int, expires: int, upload: str = "", part_size: int = 1) -> Ticket:
    return Ticket(repo, oid, size, expires, upload, part_size)


SignedTicket = Annotated[Ticket, Depends(_ticket)]


@router.put("/lfs/upload/{oid}")
async def upload(request: Request, ctx: Ctx, ticket: SignedTicket, signature: str) -> Response:
    """The bytes of one object. 422 when they are not what was promised."""

    def work(chunks: Iterator[bytes]) -> None:
        ticket.check(ctx, "lfs-upload", signature)
        lfs.receive(ctx, ticket, chunks)

    await receive(request, work)
    return Response()


@router.put("/lfs/part/{oid}")
async def upload_part(request: Request, ctx: Ctx, ticket: SignedTicket, signature: str, part: int) -> Response:
    """One part of an object; its ETag goes into the completion."""

    def work(chunks: Iterator[bytes]) -> str:
        ticket.check(ctx, "lfs-part", signature)
        return lfs.receive_part(ctx, ticket, part, chunks)

    return Response(headers={"ETag": f'"{await receive(request, work)}"'})


@router.post("/lfs/complete/{oid}")
async def complete(ctx: Ctx, ticket: SignedTicket, signature: str) -> Response:
    """All parts are here: check the whole and keep it."""
    ticket.check(ctx, "lfs-complete", signature)
    await run_sync(lfs.complete, ctx, ticket)
    return _LfsJson({})


@router.api_route("/lfs/download/{oid}", methods=["GET", "HEAD"])
def download(request: Request, ctx: Ctx, ticket: SignedTicket, signature: str) -> Response:
    """The bytes of one object, whole or a range."""
    ticket.check(ctx, "lfs-download", signature)
    headers = {"ETag": f'"{ticket.sha256}"', "Content-Type": "application/octet-stream"}
    return send_large(request, ctx, ticket.sha256, ticket.size, headers)
