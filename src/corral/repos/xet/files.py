"""Files that are stored as Xet chunks: their bytes, from any offset, for those who do not speak Xet."""

from __future__ import annotations

import io
from collections.abc import Generator
from dataclasses import dataclass
from typing import BinaryIO, cast

from sqlalchemy import select

from corral.context import Context
from corral.core.errors import HubError, NotFound
from corral.repos.xet import hashing
from corral.repos.xet.terms import Run, Terms
from corral.repos.xet.xorb import HEADER, ChunkIndex, Decoder, InvalidXorb, header
from corral.repos.xet.xorbs import Indexes, key
from corral.storage import schema as t

#: bytes read from the store at once
_READ = 1 << 20


class DamagedFile(HubError):
    """The store lost or changed bytes that it had."""

    status = 500
    code = "DamagedFile"

    def __init__(self, xorb: bytes) -> None:
        super().__init__(f"The xorb {hashing.to_hex(xorb)} is damaged in the store: run `corral fsck`.")


@dataclass(frozen=True, slots=True)
class XetFile:
    """`hash` in text form; `size` in bytes."""

    hash: str
    size: int
    sha256: str
    terms: Terms


def find(ctx: Context, file_hash: str) -> XetFile:
    """Raises NotFound. Asks for no right: see `held_by`."""
    return _one(ctx, file_hash, None)


def held_by(ctx: Context, repo_id: int, file_hash: str) -> XetFile:
    """The file, if the repository holds it. Raises NotFound."""
    return _one(ctx, file_hash, repo_id)


def _one(ctx: Context, file_hash: str, repo_id: int | None) -> XetFile:
    f = t.xet_files.c
    query = select(f.hash, f.size, f.sha256, f.terms).where(f.hash == file_hash)
    if repo_id is not None:
        query = query.join(t.repo_blobs, t.repo_blobs.c.sha256 == f.sha256).where(t.repo_blobs.c.repo_id == repo_id)
    with ctx.db.read() as c:
        row = c.execute(query).first()
    if row is None:
        raise NotFound(f"There is no Xet file {file_hash} here.", code="XetFileNotFound")
    return XetFile(row.hash, row.size, row.sha256, Terms(row.terms))


def open_file(ctx: Context, file_hash: str, start: int = 0, length: int | None = None) -> BinaryIO:
    """The bytes of a file from `start`, `length` of them (to the end by default), unpacked while they are read.

    It can seek, cheaply: position 0 is `start`. Raises NotFound.
    """
    file = find(ctx, file_hash)
    start = min(start, file.size)
    end = file.size if length is None else min(file.size, start + length)
    return cast(BinaryIO, _Stream(ctx, file.terms, start, end))


def pieces(ctx: Context, terms: Terms, start: int, end: int) -> Generator[bytes]:
    """The file's bytes from `start` up to `end`, chunk by chunk; holds a megabyte at most.

    Raises DamagedFile where the store does not have what it had when the file was registered.
    """
    decoder = Decoder()
    for run in terms.covering(start, end):
        left = min(end, run.file_start + run.size) - max(start, run.file_start)
        stored, skip = _seek(ctx, run, start - run.file_start) if start > run.file_start else (run.stored_start, 0)
        chunks = _chunks(ctx, run, stored, decoder)
        while left:
            # only a run's first chunk can start before what is wanted, only its last one can end after it
            data = next(chunks, b"")[skip : skip + left]
            if not data:
                raise DamagedFile(run.xorb)
            skip = 0
            left -= len(data)
            yield data
        chunks.close()


def _seek(ctx: Context, run: Run, position: int) -> tuple[int, int]:
    """Where the chunk is stored that holds byte `position` of a run, and where in its data that byte is."""
    index = _index(ctx, run.xorb)
    position += index.data(run.first)
    chunk = index.at(position)
    return index.stored(chunk), position - index.data(chunk)


def _index(ctx: Context, xorb: bytes) -> ChunkIndex:
    indexes = Indexes(ctx)
    indexes.load([xorb])
    index = indexes.get(xorb)
    if index is None:
        raise DamagedFile(xorb)
    return index


def _chunks(ctx: Context, run: Run, stored: int, decoder: Decoder) -> Generator[bytes]:
    """The data of a run's chunks, from the one that is stored at `stored`."""
    try:
        source = ctx.blobs.open(key(hashing.to_hex(run.xorb)), stored, run.stored_end - stored)
    except KeyError:
        raise DamagedFile(run.xorb) from None
    with source:
        rest = b""
        while block := source.read(_READ):
            data = memoryview(rest + block)
            at = 0
            while at + HEADER <= len(data):
                try:
                    packed, scheme, size = header(data[at : at + HEADER])
                    if at + HEADER + packed > len(data):
                        break
                    chunk = decoder.decode(scheme, data[at + HEADER : at + HEADER + packed], size)
                except InvalidXorb:
                    raise DamagedFile(run.xorb) from None
                yield chunk
                at += HEADER + packed
            rest = bytes(data[at:])


class _Stream(io.BufferedIOBase):
    """The bytes of a file from `start` up to `end`, as a file object of its own."""

    def __init__(self, ctx: Context, terms: Terms, start: int, end: int) -> None:
        self._ctx = ctx
        self._terms = terms
        self._start = start
        self._size = end - start
        self._at = 0
        self._pieces: Generator[bytes] | None = None
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._at, self._size)[whence]
        target = max(0, base + offset)
        if target != self._at:
            self._drop()
            self._at = target
        return target

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        if size is not None and size >= 0:
            left = min(left, size)
        parts: list[memoryview] = []
        while left > 0:
            part = self._next(left)
            left -= len(part)
            parts.append(part)
        return b"".join(parts)

    def read1(self, size: int = -1) -> bytes:
        """What one chunk still has, at most `size` bytes of it."""
        left = self._size - self._at
        return bytes(self._next(left if size < 0 else min(left, size))) if left > 0 else b""

    def _next(self, most: int) -> memoryview:
        if not self._piece:
            if self._pieces is None:
                self._pieces = pieces(self._ctx, self._terms, self._start + self._at, self._start + self._size)
            self._piece = memoryview(next(self._pieces))
        part, self._piece = self._piece[:most], self._piece[most:]
        self._at += len(part)
        return part

    def _drop(self) -> None:
        if self._pieces is not None:
            self._pieces.close()
        self._pieces, self._piece = None, memoryview(b"")

    def close(self) -> None:
        self._drop()
        super().close()
