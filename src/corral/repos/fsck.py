"""Is everything whole: what refs need, the large files that commits name, the bytes that rows name.

It reads only, and may run beside a working hub.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from corral.context import Context
from corral.core.errors import HubError
from corral.core.ids import GIT_TYPES
from corral.repos import blobs, git, reach, refs
from corral.repos.git import HEAD_REF, pack_key
from corral.repos.lookup import COLUMNS, Repo, from_row
from corral.repos.smart import environment
from corral.repos.xet import files, hashing, xorbs
from corral.repos.xet.xorb import XorbReader
from corral.storage import schema as t

_BATCH = 500
_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` is damaged: a repository, a large file, a xorb. `text` says how."""

    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


def check(ctx: Context, deep: bool = False) -> list[Fault]:
    """Every fault found. `deep` also reads all bytes and compares their hashes, which takes as long as that takes."""
    return [*_rows(ctx), *_repositories(ctx, deep), *_large_files(ctx, deep), *_xorbs(ctx, deep)]


def _rows(ctx: Context) -> Iterator[Fault]:
    """PostgreSQL never lets a row name another that is not there; SQLite only while the hub's own settings are on."""
    if not ctx.db.is_sqlite:
        return
    with ctx.db.read() as c:
        for table, row, parent, _ in c.exec_driver_sql("PRAGMA foreign_key_check").all():
            yield Fault(f"row {row} of {table}", f"it names a row of {parent} that is not there")


def _pages(ctx: Context, table: Table, key: str, *columns: Any) -> Iterator[list[Any]]:
    """All rows of a table in batches, ordered by its one-column key."""
    at = table.c[key]
    query = select(*(columns or table.c)).order_by(at).limit(_BATCH)
    last = None
    while True:
        with ctx.db.read() as c:
            rows = c.execute(query if last is None else query.where(at > last)).all()
        if not rows:
            return
        yield list(rows)
        last = getattr(rows[-1], key)


# --- repositories ------------------------------------------------------------------------------------------------


def _repositories(ctx: Context, deep: bool) -> Iterator[Fault]:
    for rows in _pages(ctx, t.repos, "id", *COLUMNS):
        for row in rows:
            yield from _repository(ctx, from_row(row), deep)


def _repository(ctx: Context, repo: Repo, deep: bool) -> Iterator[Fault]:
    what = f"{repo.type} {repo.rid}"
    folder = ctx.settings.data / "tmp" / f"fsck-{secrets.token_hex(8)}"
    packs = reach.skeleton(folder)
    try:
        # the refs first: whatever they name is in a pack that is listed by then
        tips = refs.all(ctx, repo.id)
        with ctx.db.read() as c:
            if c.scalar(select(t.repos.c.id).where(t.repos.c.id == repo.id)) is None:
                # deleted meanwhile
                return
            listed = c.execute(select(t.packs.c.name, t.packs.c.size).where(t.packs.c.repo_id == repo.id)).all()
        if repo.type in GIT_TYPES and HEAD_REF not in tips:
            yield Fault(what, "it has no main branch")
        for name, size in listed:
            yield from (Fault(what, text) for text in _pack(ctx, repo, name, size, packs, deep))
        wanted: dict[str, tuple[int, str]] = {}
        try:
            for pointer, path in reach.pointers(folder, tips.values()):
                wanted[pointer.sha256] = pointer.size, path
        except (reach.Incomplete, KeyError) as error:
            yield Fault(what, f"its history is not whole: {error}")
        held = blobs.held(ctx, repo.id, wanted)
        for sha256, (size, path) in wanted.items():
            if sha256 not in held:
                yield Fault(what, f"{path} needs the large file {sha256}, which it does not hold")
            elif held[sha256] != size:
                yield Fault(what, f"{path} says that {sha256} has {size} bytes, the store says {held[sha256]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pack(ctx: Context, repo: Repo, name: str, size: int, folder: Path, deep: bool) -> Iterator[str]:
    if ctx.blobs.size(pack_key(repo.id, name, "pack")) != size:
        yield f"the pack {name} is missing, or not {size} bytes long"
    try:
        git.bring_in(ctx, repo.id, name, folder)
    except KeyError:
        yield f"the pack {name} or its index is not in the store"
        return
    if deep:
        file = folder / f"pack-{name}.pack"
        done = subprocess.run(
            ["git", "index-pack", "--verify", str(file)],
            env=environment(folder.parent.parent),
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if done.returncode:
            yield f"the pack {name} is damaged: {reach.last_line(done.stderr)}"


# --- large files -------------------------------------------------------------------------------------------------


def _large_files(ctx: Context, deep: bool) -> Iterator[Fault]:
    for rows in _pages(ctx, t.blobs, "sha256"):
        hashes = [row.xet_hash for row in rows if row.xet_hash]
        with ctx.db.read() as c:
            query = select(t.xet_files.c.hash, t.xet_files.c.size, t.xet_files.c.sha256)
            xet = {f.hash: f for f in c.execute(query.where(t.xet_files.c.hash.in_(hashes)))}
        for row in rows:
            for text in _large_file(ctx, row, xet.get(row.xet_hash), deep):
                yield Fault(f"large file {row.sha256}", text)


def _large_file(ctx: Context, row: Any, xet: Any, deep: bool) -> Iterator[str]:
    if not row.whole and not row.xet_hash:
        yield "no bytes are known for it"
    if row.whole:
        size = ctx.blobs.size(blobs.blob_key(row.sha256))
        if size != row.size:
            yield "its bytes are missing" if size is None else f"it has {size} bytes instead of {row.size}"
        elif deep:
            yield from _compare(row.sha256, _read(ctx, blobs.blob_key(row.sha256)))
    if row.xet_hash:
        if xet is None:
            yield f"its Xet file {row.xet_hash} is not known"
        elif (xet.size, xet.sha256) != (row.size, row.sha256):
            yield f"its Xet file {row.xet_hash} is another file"
        elif deep:
            yield from _compare(row.sha256, _read_xet(ctx, row.xet_hash))


def _read(ctx: Context, key: str) -> Iterator[bytes]:
    with ctx.blobs.open(key) as file:
        while piece := file.read(_READ):
            yield piece


def _read_xet(ctx: Context, xet_hash: str) -> Iterator[bytes]:
    with files.open_file(ctx, xet_hash) as file:
        while piece := file.read(_READ):
            yield piece


def _compare(sha256: str, pieces: Iterable[bytes]) -> Iterator[str]:
    digest = hashlib.sha256()
    try:
        for piece in pieces:
            digest.update(piece)
    except (OSError, KeyError, HubError) as error:
        yield f"its bytes cannot be read: {error}"
        return
    if digest.hexdigest() != sha256:
        yield f"its bytes have the SHA-256 {digest.hexdigest()}"


# --- Xet ---------------------------------------------------------------------------------------------------------


def _xorbs(ctx: Context, deep: bool) -> Iterator[Fault]:
    for rows in _pages(ctx, t.xorbs, "hash"):
        for row in rows:
            yield from (Fault(f"xorb {row.hash}", text) for text in _xorb(ctx, row, deep))


def _xorb(ctx: Context, row: Any, deep: bool) -> Iterator[str]:
    size = ctx.blobs.size(xorbs.key(row.hash))
    if size != row.size:
        yield "its bytes are missing" if size is None else f"it has {size} bytes instead of {row.size}"
        return
    if not deep:
        return
    reader = XorbReader()
    try:
        for piece in _read(ctx, xorbs.key(row.hash)):
            reader.feed(piece)
        if reader.finish(hashing.from_hex(row.hash)).packed != row.chunk_index:
            yield "its chunks lie elsewhere than its index says"
    except (OSError, HubError) as error:
        yield f"it is damaged: {error}"
