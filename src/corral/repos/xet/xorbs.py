"""Xorbs in the store: taking one in, and finding the chunks of one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from types import TracebackType
from typing import Self

from sqlalchemy import select, update

from corral.context import Context
from corral.core.errors import Busy
from corral.repos import garbage
from corral.repos.xet import hashing
from corral.repos.xet.xorb import ChunkIndex, XorbReader
from corral.storage import schema as t
from corral.storage.upsert import insert_missing

#: how many keys one IN list holds, well under what SQLite and PostgreSQL allow
BATCH = 500


def key(xorb: str) -> str:
    """Where the bytes of a xorb lie in the blob store."""
    return f"xorbs/{xorb[:2]}/{xorb}"


def touch(ctx: Context, xorbs: Collection[str]) -> int:
    """Keep those of `xorbs` that are here for another grace time (`repos.gc`). Returns how many are here."""
    wanted = list(xorbs)
    here = 0
    with ctx.db.write() as c:
        for at in range(0, len(wanted), BATCH):
            batch = t.xorbs.c.hash.in_(wanted[at : at + BATCH])
            here += c.execute(update(t.xorbs).where(batch).values(used_at=ctx.clock())).rowcount
    return here


class XorbUpload:
    """A xorb on its way into a repository: `write` its bytes as they come, then `finish`.

    Each chunk is checked as it arrives; bytes of a xorb that the store has already are checked as well, since having
    them is what gives the repository the right to be told of it.
    """

    def __init__(self, ctx: Context, repo_id: int, xorb: str) -> None:
        self._ctx = ctx
        self._repo_id = repo_id
        self._xorb = xorb
        self._raw = hashing.from_hex(xorb)
        self._reader = XorbReader()
        with ctx.db.read() as c:
            known = c.scalar(select(t.xorbs.c.hash).where(t.xorbs.c.hash == xorb)) is not None
        self._writer = None if known else ctx.blobs.writer()

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Raises InvalidXorb as soon as something is wrong."""
        accepted = self._reader.feed(piece)
        if self._writer is not None and accepted:
            self._writer.write(accepted)

    def finish(self) -> bool:
        """Make it durable and known. Returns whether it is new to the hub. Raises InvalidXorb; Busy when to retry."""
        ctx, xorb = self._ctx, self._xorb
        index = self._reader.finish(self._raw)
        if self._writer is not None:
            self._writer.commit(key(xorb))
        now = ctx.clock()
        row = {"hash": xorb, "size": self._reader.stored, "chunk_count": len(index), "chunk_index": index.packed}
        eligible = {raw for raw, _ in index.nodes(0, len(index)) if hashing.is_dedup_chunk(raw)}
        with ctx.db.write() as c:
            new = self._writer is not None and insert_missing(c, t.xorbs, [row | {"created_at": now, "used_at": now}])
            if new:
                garbage.rescue(ctx, c, [key(xorb)])
                insert_missing(c, t.xet_dedup_chunks, [{"chunk": hashing.to_hex(h), "xorb": xorb} for h in eligible])
            elif not c.execute(update(t.xorbs).where(t.xorbs.c.hash == xorb).values(used_at=now)).rowcount:
                raise Busy("This xorb has just been removed as unused: send it again.", retry_after=1)
            insert_missing(c, t.repo_xorbs, [{"repo_id": self._repo_id, "hash": xorb}])
        return bool(new)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, error, tb)


class Indexes:
    """Chunk indexes by xorb hash, read many at a time and kept while there is room (40 KB for a typical xorb)."""

    def __init__(self, ctx: Context, room: int = 2 * BATCH) -> None:
        self._ctx = ctx
        self._room = room
        self._known: OrderedDict[bytes, ChunkIndex] = OrderedDict()

    def load(self, xorbs: Iterable[bytes]) -> None:
        """Read those that are not here yet: at most `BATCH` different ones."""
        wanted = set(xorbs) - self._known.keys()
        if not wanted:
            return
        hexed = {hashing.to_hex(raw): raw for raw in wanted}
        with self._ctx.db.read() as c:
            rows = c.execute(select(t.xorbs.c.hash, t.xorbs.c.chunk_index).where(t.xorbs.c.hash.in_(hexed))).all()
        for xorb, packed in rows:
            self._known[hexed[xorb]] = ChunkIndex(packed)
        while len(self._known) > self._room:
            self._known.popitem(last=False)

    def get(self, xorb: bytes) -> ChunkIndex | None:
        """None when the hub has no such xorb (or it was not loaded)."""
        return self._known.get(xorb)
