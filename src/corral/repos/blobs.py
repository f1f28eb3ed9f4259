"""Large files by their sha256: where their bytes are, and which repository may hand them out.

The bytes are one blob (`whole`), or Xet terms (`xet_hash`), or both. Whoever stores one makes the bytes durable first
and writes the rows afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select, update

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
            found.update(rows.tuples().all())
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
            found.update(rows.tuples().all())
    return found


def register(
    ctx: Context, change: Change, repo_id: int, sha256: str, size: int, *, whole: bool, xet_hash: str | None = None
) -> None:
    """Write down that the store has this file (its bytes are durable already) and that the repository holds it."""
    c = change.connection
    here = t.blobs.c.sha256 == sha256
    row = {"sha256": sha256, "size": size, "whole": whole, "xet_hash": xet_hash, "created_at": ctx.clock()}
    if not insert_missing(c, t.blobs, [row]):
        if whole:
            c.execute(update(t.blobs).where(here, t.blobs.c.whole.is_(False)).values(whole=True))
        if xet_hash:
            c.execute(update(t.blobs).where(here, t.blobs.c.xet_hash.is_(None)).values(xet_hash=xet_hash))
    if whole:
        garbage.rescue(ctx, c, [blob_key(sha256)])
    grant(ctx, change, repo_id, sha256, size)


def grant(ctx: Context, change: Change, repo_id: int, sha256: str, size: int) -> None:
    """Let the repository hold a file that the store has. Its storage grows by it, once.

    What no commit names yet is kept for a grace time from the last grant (`repos.gc`).
    """
    c = change.connection
    now = ctx.clock()
    if insert_missing(c, t.repo_blobs, [{"repo_id": repo_id, "sha256": sha256, "created_at": now}]):
        grown = t.repos.c.used_storage + size
        c.execute(update(t.repos).where(t.repos.c.id == repo_id).values(used_storage=grown))
    else:
        renew(change, repo_id, [sha256], now)


def renew(change: Change, repo_id: int, hashes: Sequence[str], now: int) -> None:
    """Start the grace time of files that the repository holds again: a commit is about to name them."""
    held = (t.repo_blobs.c.repo_id == repo_id) & t.repo_blobs.c.sha256.in_(hashes)
    change.connection.execute(update(t.repo_blobs).where(held).values(created_at=now))


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
