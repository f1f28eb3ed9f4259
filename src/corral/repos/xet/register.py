"""Taking in a shard: files become known once everything that it says about them has been checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from corral.context import Context
from corral.core.errors import Busy, Conflict
from corral.repos import blobs
from corral.repos.xet import hashing, xorbs
from corral.repos.xet.files import pieces
from corral.repos.xet.shard import InvalidShard, Shard, ShardFile, Term
from corral.repos.xet.terms import Run, Terms
from corral.repos.xet.xorb import ChunkIndex
from corral.storage import schema as t
from corral.storage.upsert import insert_missing

#: called with (bytes of files verified, bytes in all), every 64 MB; what it raises ends the check
Progress = Callable[[int, int], None]

#: bytes of one file, as on Hugging Face; a few bytes of shard can name the same chunks again and again
MAX_FILE = 500 * 10**9
#: bytes and chunks of all files of one shard: what a shard of the largest size has without deduplication, times ten
MAX_TOTAL = 10**12
MAX_CHUNKS = 2**24


@dataclass(slots=True)
class _Checked:
    """A file whose chunks, proofs and hash are right. `sha256`: what the client claims, until it has been computed."""

    hash: str
    size: int
    sha256: str | None
    terms: Terms
    xorbs: set[bytes]
    first_chunk: bytes | None


def register(ctx: Context, repo_id: int, shard: Shard, progress: Progress = lambda done, total: None) -> list[str]:
    """Make the files of a shard known and let the repository hold them; returns their sha256 in the shard's order.

    Raises InvalidShard, naming the file at fault, and then has changed nothing; Busy when to send it again. Reads every
    new file once, to compute its sha256: about a second for a gigabyte.
    """
    _require_xorbs(ctx, shard)
    indexes = xorbs.Indexes(ctx)
    files = {file.hash: _check(indexes, file) for file in shard.files}
    known = _known(ctx, list(files))
    total, done = sum(file.size for file in files.values() if file.hash not in known), 0
    for file in files.values():
        sha256 = known.get(file.hash)
        if sha256 is None:
            sha256 = _sha256(ctx, file, lambda count, before=done: progress(before + count, total))  # type: ignore[misc]
            done += file.size
        if file.sha256 not in (None, sha256):
            raise InvalidShard(f"The file {file.hash} has the sha256 {sha256}, not {file.sha256}: upload it again.")
        file.sha256 = sha256
    try:
        _write(ctx, repo_id, files, known)
    except IntegrityError:
        raise Conflict("The repository was deleted meanwhile.") from None
    return [str(files[file.hash].sha256) for file in shard.files]


def _require_xorbs(ctx: Context, shard: Shard) -> None:
    """The shard asks for no endless work; all xorbs that it names are here, and stay while it is checked."""
    named = {hashing.to_hex(raw) for raw, _ in shard.xorbs}
    total = chunks = 0
    for file in shard.files:
        size = 0
        used: set[bytes] = set()
        for term in file.terms():
            size += term.size
            chunks += max(0, term.end - term.start)
            used.add(term.xorb)
        if size > MAX_FILE:
            raise InvalidShard(f"The file {file.hash} has more than {MAX_FILE} bytes: split it.")
        total += size
        named.update(map(hashing.to_hex, used))
    if total > MAX_TOTAL or chunks > MAX_CHUNKS:
        raise InvalidShard(f"The shard has more than {MAX_TOTAL} bytes or {MAX_CHUNKS} chunks of files: split it.")
    if xorbs.touch(ctx, named) < len(named):
        raise InvalidShard("The shard names a xorb that was not uploaded: upload all xorbs before their shard.")


def _check(indexes: xorbs.Indexes, file: ShardFile) -> _Checked:
    """Look at everything but the bytes. Raises InvalidShard."""
    packed = bytearray()
    used: set[bytes] = set()
    first: list[bytes] = []
    size = 0

    def nodes() -> Iterator[hashing.Node]:
        nonlocal size
        for term, index in _with_index(indexes, file.terms()):
            if not term.start < term.end <= len(index):
                raise InvalidShard(f"The file {name} names chunks that its xorb does not have.")
            chunks = list(index.nodes(term.start, term.end))
            if sum(length for _, length in chunks) != term.size:
                raise InvalidShard(f"The file {name} has a term of another size than its chunks.")
            if hashing.verification_hash(b"".join([raw for raw, _ in chunks])) != term.proof:
                raise InvalidShard(f"The file {name} has a term without proof that its sender has the data.")
            stored = index.stored(term.start), index.stored(term.end)
            packed.extend(Run(term.xorb, size, term.size, term.start, term.end, *stored).pack())
            used.add(term.xorb)
            if not first:
                first.append(chunks[0][0])
            size += term.size
            yield from chunks

    name = file.hash
    if hashing.to_hex(hashing.file_hash(nodes())) != name:
        raise InvalidShard(f"The file {name} does not have the hash that its chunks make.")
    return _Checked(name, size, file.sha256, Terms(bytes(packed)), used, first[0] if first else None)


def _with_index(indexes: xorbs.Indexes, terms: Iterator[Term]) -> Iterator[tuple[Term, ChunkIndex]]:
    while some := list(islice(terms, xorbs.BATCH)):
        indexes.load(term.xorb for term in some)
        for term in some:
            index = indexes.get(term.xorb)
            if index is None:
                raise InvalidShard("The shard names a xorb that was not uploaded.")
            yield term, index


def _known(ctx: Context, hashes: list[str]) -> dict[str, str]:
    """sha256 of those files that are known: the same hash is the same chunks, so the same bytes."""
    known: dict[str, str] = {}
    with ctx.db.read() as c:
        for at in range(0, len(hashes), xorbs.BATCH):
            batch = t.xet_files.c.hash.in_(hashes[at : at + xorbs.BATCH])
            known |= {row.hash: row.sha256 for row in c.execute(select(t.xet_files).where(batch))}
    return known


def _sha256(ctx: Context, file: _Checked, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    done = told = 0
    for piece in pieces(ctx, file.terms, 0, file.size):
        digest.update(piece)
        done += len(piece)
        if done - told >= 1 << 26:
            told = done
            progress(done)
    progress(file.size)
    return digest.hexdigest()


def _write(ctx: Context, repo_id: int, files: dict[str, _Checked], known: Collection[str]) -> None:
    now = ctx.clock()
    old, still = sorted(known), 0
    # in one order for everybody, so that two uploads of the same files cannot wait for each other
    new = sorted((file for file in files.values() if file.hash not in known), key=attrgetter("hash"))
    with ctx.change() as change:
        c = change.connection
        for at in range(0, len(old), xorbs.BATCH):
            some = t.xet_files.c.hash.in_(old[at : at + xorbs.BATCH])
            still += c.execute(update(t.xet_files).where(some).values(used_at=now)).rowcount
        if still < len(old):
            raise Busy("One of the files has just been removed as unused: send the shard again.", retry_after=1)
        insert_missing(c, t.xet_files, [_row(file) | {"created_at": now, "used_at": now} for file in new])
        uses = [{"file": file.hash, "xorb": hashing.to_hex(raw)} for file in new for raw in sorted(file.xorbs)]
        insert_missing(c, t.xet_file_xorbs, uses)
        # clients ask about the first chunk of every file
        starts = [
            {"chunk": hashing.to_hex(f.first_chunk), "xorb": hashing.to_hex(f.terms[0].xorb)}
            for f in new
            if f.first_chunk
        ]
        insert_missing(c, t.xet_dedup_chunks, starts)
        used = sorted({hashing.to_hex(raw) for file in files.values() for raw in file.xorbs})
        insert_missing(c, t.repo_xorbs, [{"repo_id": repo_id, "hash": xorb} for xorb in used])
        large = [blobs.Stored(str(file.sha256), file.size, file.hash) for file in files.values()]
        blobs.register_xet(ctx, change, repo_id, large)


def _row(file: _Checked) -> dict[str, object]:
    return {"hash": file.hash, "size": file.size, "sha256": file.sha256, "terms": file.terms.packed}
