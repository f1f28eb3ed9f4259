"""git-lfs: which objects must travel, and how their bytes come in and are checked.

Protocol: git-lfs docs/api/batch.md and basic-transfers.md (3.x); the `multipart` transfer is Hugging Face's own
(`huggingface_hub/lfs.py` 2.4.0). Clients send no credentials with the bytes, so each address carries a `Ticket`: a
signed promise of one repository, object, size and time.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal

import blake3
from sqlalchemy.exc import IntegrityError

from corral.context import Context
from corral.core.errors import Forbidden, NotFound, Unprocessable
from corral.repos import blobs
from corral.repos.lookup import Repo, Right, may, require
from corral.storage.blobs import BlobWriter

Purpose = Literal["lfs-upload", "lfs-part", "lfs-complete", "lfs-download"]
Operation = Literal["upload", "download"]

_OID = re.compile(r"[0-9a-f]{64}")
#: no file system or object store takes more
_MAX_SIZE = 2**62
#: parts of one object; a larger object has larger parts
MAX_PARTS = 1000
#: how long a ticket is good for: the start of a transfer must fall into it, not its end
TICKET_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to move one object of one repository until `expires` (ms).

    `upload` names a multipart upload, whose parts (all but the last) have `part_size` bytes.
    """

    repo_id: int
    sha256: str
    size: int
    expires: int
    upload: str = ""
    part_size: int = 1

    def _text(self) -> str:
        return f"{self.repo_id} {self.sha256} {self.size} {self.expires} {self.upload} {self.part_size}"

    def sign(self, ctx: Context, purpose: Purpose) -> str:
        return ctx.sign(purpose, self._text())

    def check(self, ctx: Context, purpose: Purpose, signature: str) -> None:
        """Raise Forbidden unless `signature` was made by this hub for this ticket and purpose and time is left."""
        if not ctx.signed(purpose, self._text(), signature):
            raise Forbidden("This link is not valid: ask the LFS batch address for a new one.", code="InvalidLink")
        if ctx.clock() > self.expires:
            raise Forbidden("This link has expired: ask the LFS batch address for a new one.", code="ExpiredLink")

    @property
    def parts(self) -> int:
        return ceil(self.size / self.part_size)

    def part_key(self, number: int) -> str:
        # the time is in the name, so that leftovers can be told without asking anybody
        return f"parts/{self.expires}-{self.upload}/{number}"


@dataclass(frozen=True, slots=True)
class Planned:
    """What the batch answer says of one object: a ticket to move it, nothing to do, or an error."""

    oid: str
    size: int
    ticket: Ticket | None = None
    error: tuple[int, str] | None = None


def require_upload(ctx: Context, repo: Repo) -> None:
    """Raise unless the actor may store large files for `repo`.

    Whoever may write; and anybody signed in who can see it, since a pull request from outside brings its files too.
    What no commit comes to name is swept (`repos.gc`).
    """
    if not may(ctx, repo, Right.WRITE) and not ctx.actor.may_write:
        # says which it is: nobody, or a token that may only read
        require(ctx, repo, Right.WRITE)


def plan(ctx: Context, repo: Repo, operation: Operation, objects: Sequence[Any]) -> list[Planned]:
    """One `Planned` for each of `objects` (`{"oid": …, "size": …}` as the client sent them), in their order.

    An upload needs no action where the repository holds the object. Where only the store has it, it is asked for again:
    whoever names a hash has not shown that they have the bytes.
    """
    checked = [_check(o) for o in objects]
    held = blobs.held(ctx, repo.id, (p.oid for p in checked if p.error is None))
    if operation == "upload" and held:
        with ctx.change() as change:
            blobs.renew(change, repo.id, sorted(held), ctx.clock())
    expires = ctx.clock() + TICKET_MS
    planned = []
    for p in checked:
        known = held.get(p.oid)
        if p.error is None and known is not None and known != p.size:
            p = replace(p, error=(422, f"The object {p.oid} has {known} bytes, not {p.size}."))
        if p.error is None and operation == "download" and known is None:
            p = replace(p, error=(404, f"The object {p.oid} is not in this repository: upload it first."))
        if p.error is None and (operation == "download") == (known is not None):
            p = replace(p, ticket=Ticket(repo.id, p.oid, p.size, expires))
        planned.append(p)
    return planned


def _check(item: Any) -> Planned:
    oid, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (None, None)
    told = Planned(oid if isinstance(oid, str) else "", size if type(size) is int else 0)
    if not isinstance(oid, str) or not _OID.fullmatch(oid):
        return replace(told, error=(422, "An oid is the SHA-256 of the object in 64 lower-case hexadecimal digits."))
    if type(size) is not int or not 0 <= size <= _MAX_SIZE:
        return replace(told, error=(422, f"The size of {oid} must be a whole number of bytes, 0 or more."))
    return told


def takes_parts(ctx: Context, ticket: Ticket) -> bool:
    """Whether the object is so large that a broken connection should cost a part and not the whole."""
    return ticket.size >= max(1, ctx.settings.lfs_parts_from)


def in_parts(ctx: Context, ticket: Ticket) -> Ticket:
    """The ticket of a new multipart upload of the same object."""
    part_size = max(ctx.settings.lfs_part_size, ceil(ticket.size / MAX_PARTS))
    return replace(ticket, upload=secrets.token_hex(12), part_size=part_size)


def verify(ctx: Context, repo: Repo, oid: object, size: object) -> None:
    """Raise NotFound or Unprocessable unless the repository holds the object with that size."""
    planned = _check({"oid": oid, "size": size})
    if planned.error:
        raise Unprocessable(planned.error[1])
    held = blobs.held(ctx, repo.id, [planned.oid]).get(planned.oid)
    if held is None:
        raise NotFound(f"The object {planned.oid} is not in this repository: upload it first.")
    if held != planned.size:
        raise Unprocessable(f"The object {planned.oid} has {held} bytes, not {planned.size}.")


def receive(ctx: Context, ticket: Ticket, chunks: Iterable[bytes]) -> None:
    """Store an object whose bytes are `chunks` (of about a megabyte). Nothing is left behind unless size and hash fit.

    Raises Unprocessable, or whatever `chunks` raises when the body ends early.
    """
    with ctx.blobs.writer() as writer:
        _fill(writer, ticket, chunks)
        _keep(ctx, ticket, writer)


def _fill(writer: BlobWriter, ticket: Ticket, chunks: Iterable[bytes]) -> None:
    digest = hashlib.sha256()
    size = 0
    # the hash is most of the cost: it runs beside the writing
    with ThreadPoolExecutor(1, "lfs-hash") as hasher:
        for chunk in chunks:
            size += len(chunk)
            if size > ticket.size:
                raise Unprocessable(f"More than the promised {ticket.size} bytes came.", code="SizeMismatch")
            hashing = hasher.submit(digest.update, chunk)
            writer.write(chunk)
            hashing.result()
    if size != ticket.size:
        raise Unprocessable(f"{size} bytes came, {ticket.size} were promised: send it again.", code="SizeMismatch")
    if digest.hexdigest() != ticket.sha256:
        raise Unprocessable(
            f"The bytes that came have the SHA-256 {digest.hexdigest()}, not the promised {ticket.sha256}: "
            "send it again, or hash the file again if it has changed.",
            code="HashMismatch",
        )


def _keep(ctx: Context, ticket: Ticket, writer: BlobWriter) -> None:
    key = blobs.blob_key(ticket.sha256)
    if ctx.blobs.size(key) == ticket.size:
        # another repository has it: its bytes are kept once
        writer.discard()
    else:
        writer.commit(key)
    try:
        with ctx.change() as change:
            blobs.register(ctx, change, ticket.repo_id, ticket.sha256, ticket.size, whole=True)
    except IntegrityError:
        raise NotFound("The repository was deleted while its file was on the way.") from None


def receive_part(ctx: Context, ticket: Ticket, number: int, chunks: Iterable[bytes]) -> str:
    """Stage part `number` (from 1) of a multipart upload. Returns its ETag."""
    if not 1 <= number <= ticket.parts:
        raise Unprocessable(f"There is no part {number}: the upload has {ticket.parts}.", code="InvalidPart")
    expected = min(ticket.part_size, ticket.size - (number - 1) * ticket.part_size)
    digest = blake3.blake3()
    size = 0
    with ctx.blobs.writer() as writer:
        for chunk in chunks:
            size += len(chunk)
            if size > expected:
                break
            digest.update(chunk)
            writer.write(chunk)
        if size != expected:
            raise Unprocessable(f"Part {number} must have {expected} bytes: send it again.", code="SizeMismatch")
        writer.commit(ticket.part_key(number))
    return digest.hexdigest(32)


def complete(ctx: Context, ticket: Ticket) -> None:
    """Put the parts of a multipart upload together and store the object. Harmless when it is done already."""
    if blobs.held(ctx, ticket.repo_id, [ticket.sha256]).get(ticket.sha256) == ticket.size:
        return
    with ctx.blobs.writer() as writer:
        _fill(writer, ticket, _parts(ctx, ticket))
        _keep(ctx, ticket, writer)
    for number in range(1, ticket.parts + 1):
        ctx.blobs.delete(ticket.part_key(number))


def _parts(ctx: Context, ticket: Ticket) -> Iterable[bytes]:
    for number in range(1, ticket.parts + 1):
        try:
            file = ctx.blobs.open(ticket.part_key(number))
        except KeyError:
            raise Unprocessable(f"Part {number} has not been uploaded: send it first.", code="InvalidPart") from None
        with file:
            while chunk := file.read(4 << 20):
                yield chunk
