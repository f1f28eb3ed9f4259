"""Large files by their sha256: where their bytes are, and which repository may hand them out.

The bytes are one blob (`whole`), or Xet terms (`xet_hash`), or both. Whoever stores one makes the bytes durable first
and writes the rows afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import bindparam, insert, select, update

from corral.context import Change, Context
from corral.core.errors import NotFound
from corral.repos import garbage
from corral.storage import schema as t
from corral.storage.upsert import insert_missing

#: how many keys one IN list holds, well under what SQLite and PostgreSQL allow
_BATCH = 500


def blob_key(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def held(ctx: Context, repo_id: int, hashes: Iterable[str]) -> dict[str, int]:
    """Those of `hashes` that the repository holds, with their sizes in bytes."""
    wanted = sorted(set(hashes))
    found: dict[str, int] = {}
    with ctx.db.read() as c:
        for at in range(0, len(wanted), _BATCH):
            rows = c.execute(
                select(t.blobs.c.sha256, t.blobs.c.size)
                .join(t.repo_blobs, t.repo_blobs.c.sha256 == t.blobs.c.sha256)
                .where(t.repo_blobs.c.repo_id == repo_id, t.blobs.c.sha256.in_(wanted[at : at + _BATCH]))
            )
            found.update({row[0]: row[1] for row in rows})
    return found


def xet_hashes(ctx: Context, hashes: Iterable[str]) -> dict[str, str | None]:
    """The Xet file hash of each sha256 that the store knows; None where the file came whole."""
    wanted = sorted(set(hashes))
    found: dict[str, str | None] = {}
    if not wanted:
        return found
    with ctx.db.read() as c:
        for at in range(0, len(wanted), _BATCH):
            batch = wanted[at : at + _BATCH]
            rows = c.execute(select(t.blobs.c.sha256, t.blobs.c.xet_hash).where(t.blobs.c.sha256.in_(batch)))
            found.update({row[0]: row[1] for row in rows})
    return found


def register(
    ctx: Context, change: Change, repo_id: int, sha256: str, size: int, *, whole: bool, xet_hash: str | None = None
) -> None:
    """Write down that the store has this file (its bytes are durable already) and that the repository holds it."""
    c = change.connection
    _store(ctx, change, [Stored(sha256, size, xet_hash)], whole)
    if whole:
        garbage.rescue(ctx, c, [blob_key(sha256)])
    grant(ctx, change, repo_id, {sha256: size})


@dataclass(frozen=True, slots=True)
class Stored:
    """A large file that the store has; `xet_hash` where it is made of Xet chunks."""

    sha256: str
    size: int
    xet_hash: str | None = None


def register_xet(ctx: Context, change: Change, repo_id: int, files: Sequence[Stored]) -> None:
    """As `register`, for the files of one Xet upload: a folder of pictures has thousands."""
    _store(ctx, change, files, whole=False)
    grant(ctx, change, repo_id, {file.sha256: file.size for file in files})


def _store(ctx: Context, change: Change, files: Sequence[Stored], whole: bool) -> None:
    c = change.connection
    now = ctx.clock()
    rows = [
        {"sha256": f.sha256, "size": f.size, "whole": whole, "xet_hash": f.xet_hash, "created_at": now} for f in files
    ]
    # in one order for everybody, so that two uploads of the same files cannot wait for each other
    if insert_missing(c, t.blobs, sorted(rows, key=itemgetter("sha256"))) == len(rows):
        return
    here = t.blobs.c.sha256 == bindparam("file")
    if whole:
        makes_whole = update(t.blobs).where(here, t.blobs.c.whole.is_(False)).values(whole=True)
        c.execute(makes_whole, [{"file": f.sha256} for f in files])
    xet = [{"file": f.sha256, "hash": f.xet_hash} for f in files if f.xet_hash]
    if xet:
        c.execute(update(t.blobs).where(here, t.blobs.c.xet_hash.is_(None)).values(xet_hash=bindparam("hash")), xet)


def grant(ctx: Context, change: Change, repo_id: int, sizes: Mapping[str, int]) -> None:
    """Let the repository hold files that the store has (sha256 to bytes). Its storage grows by each, once.

    What no commit names yet is kept for a grace time from the last grant (`repos.gc`).
    """
    c = change.connection
    now = ctx.clock()
    # one grant at a time per repository (SQLite has one writer anyway), so that nothing is counted twice
    c.execute(select(t.repos.c.id).where(t.repos.c.id == repo_id).with_for_update())
    hashes = sorted(sizes)
    held: set[str] = set()
    for at in range(0, len(hashes), _BATCH):
        batch = hashes[at : at + _BATCH]
        here = (t.repo_blobs.c.repo_id == repo_id) & t.repo_blobs.c.sha256.in_(batch)
        held |= set(c.scalars(select(t.repo_blobs.c.sha256).where(here)))
        renew(change, repo_id, batch, now)
    new = [sha256 for sha256 in hashes if sha256 not in held]
    if new:
        c.execute(insert(t.repo_blobs), [{"repo_id": repo_id, "sha256": sha256, "created_at": now} for sha256 in new])
        grown = t.repos.c.used_storage + sum(sizes[sha256] for sha256 in new)
        c.execute(update(t.repos).where(t.repos.c.id == repo_id).values(used_storage=grown))


def renew(change: Change, repo_id: int, hashes: Iterable[str], now: int) -> int:
    """Start the grace time of files that the repository holds again. Returns how many of `hashes` those are.

    Whoever moves a ref to a commit that names large files does it in the same transaction: so no sweep comes between.
    """
    wanted = sorted(set(hashes))
    count = 0
    for at in range(0, len(wanted), _BATCH):
        held = (t.repo_blobs.c.repo_id == repo_id) & t.repo_blobs.c.sha256.in_(wanted[at : at + _BATCH])
        count += change.connection.execute(update(t.repo_blobs).where(held).values(created_at=now)).rowcount
    return count


def local_path(ctx: Context, sha256: str) -> Path | None:
    """The file itself where it is whole and on this machine's disk, for the kernel to send or link."""
    path = ctx.blobs.path(blob_key(sha256))
    return path if path is not None and path.exists() else None


def open_bytes(ctx: Context, sha256: str, start: int = 0, length: int | None = None) -> BinaryIO:
    """The bytes of a large file from `start`, whichever way they are stored. Raises NotFound when they are not."""
    try:
        return ctx.blobs.open(blob_key(sha256), start, length)
    except KeyError:
        xet_hash = xet_hashes(ctx, [sha256]).get(sha256)
    if xet_hash is None:
        raise NotFound(f"The large file {sha256} is not in the store: upload it again.")
    from corral.repos.xet import files

    return files.open_file(ctx, xet_hash, start, length)
