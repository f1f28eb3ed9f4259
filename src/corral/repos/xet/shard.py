"""Shards: lists of files and xorbs (hub-docs `docs/xet/shard.md`).

A shard that comes in is read where it lies: no count in it is believed before the bytes it promises have been seen, and
entries become objects one at a time. A shard that goes out (a deduplication answer) has the version 1 footer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from corral.core.errors import BadRequest
from corral.repos.xet import hashing
from corral.repos.xet.xorb import ChunkIndex

MAX_SHARD = 64 * 2**20

_TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
_HEADER = struct.Struct("<32sQQ")
_FOOTER = struct.Struct("<9Q32sQQ72xQ")
#: the one size of everything between header and footer: a hash and four numbers
_ENTRY = struct.Struct("<32s4I")
_BOOKEND = b"\xff" * 32 + bytes(16)
_WITH_VERIFICATION, _WITH_SHA256 = 1 << 31, 1 << 30
_NO_HASH = bytes(32)


class InvalidShard(BadRequest):
    code = "InvalidShard"


class Term(NamedTuple):
    """A run of chunks of one xorb. `size`: bytes of data; `proof`: the verification hash that came with it."""

    xorb: bytes
    size: int
    start: int
    end: int
    proof: bytes


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file as a client describes it; nothing of it is checked. `sha256` is plain hex, None when not given."""

    #: in text form
    hash: str
    sha256: str | None
    _terms: memoryview
    _proofs: memoryview

    def __len__(self) -> int:
        return len(self._terms) // _ENTRY.size

    def terms(self) -> Iterator[Term]:
        for term, proof in zip(_ENTRY.iter_unpack(self._terms), _ENTRY.iter_unpack(self._proofs), strict=True):
            xorb, _, size, start, end = term
            yield Term(xorb, size, start, end, proof[0])


@dataclass(frozen=True, slots=True)
class Shard:
    files: list[ShardFile]
    #: hash and number of chunks of each xorb that the client says it made
    xorbs: list[tuple[bytes, int]]


def parse(data: bytes) -> Shard:
    """Read an uploaded shard, with or without footer. Raises InvalidShard."""
    if len(data) > MAX_SHARD:
        raise InvalidShard(f"A shard has at most {MAX_SHARD} bytes: split it.")
    if len(data) < _HEADER.size:
        raise InvalidShard("The shard ends before its header does.")
    tag, version, _ = _HEADER.unpack_from(data)
    if tag != _TAG or version != 2:
        raise InvalidShard("This is no shard of version 2.")
    reader = _Reader(memoryview(data)[_HEADER.size :])
    return Shard(list(_files(reader)), list(_xorbs(reader)))


class _Reader:
    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def take(self, count: int) -> memoryview:
        """The next `count` entries. Raises InvalidShard when there are not so many."""
        end = self._at + count * _ENTRY.size
        if end > len(self._view):
            raise InvalidShard("The shard ends before what it lists does: send it again.")
        start, self._at = self._at, end
        return self._view[start:end]


def _files(reader: _Reader) -> Iterator[ShardFile]:
    while (entry := reader.take(1)) != _BOOKEND:
        raw, flags, count, _, _ = _ENTRY.unpack(entry)
        terms = reader.take(count)
        if not flags & _WITH_VERIFICATION and count:
            raise InvalidShard("A file in the shard lacks verification hashes: upload with hf_xet 1.0 or newer.")
        proofs = reader.take(count if flags & _WITH_VERIFICATION else 0)
        sha256 = None
        if flags & _WITH_SHA256:
            # stored like a Xet hash: its words are reversed
            given = bytes(reader.take(1)[:32])
            sha256 = hashing.to_hex(given) if given != _NO_HASH else None
        yield ShardFile(hashing.to_hex(raw), sha256, terms, proofs)


def _xorbs(reader: _Reader) -> Iterator[tuple[bytes, int]]:
    while (entry := reader.take(1)) != _BOOKEND:
        raw, _, count, _, _ = _ENTRY.unpack(entry)
        reader.take(count)
        yield raw, count


def write_answer(xorbs: Iterable[tuple[bytes, ChunkIndex]], key: bytes, created: int, expires: int) -> bytes:
    """A deduplication answer that lists these xorbs.

    Chunk hashes in it are keyed with `key` (32 bytes), so that it tells a client nothing about chunks that the client
    does not have. `created`, `expires`: seconds since 1970; afterwards the client no longer uses it.
    """
    parts = [_HEADER.pack(_TAG, 2, _FOOTER.size), _BOOKEND]
    for raw, index in xorbs:
        count = len(index)
        parts.append(_ENTRY.pack(raw, 0, count, index.data(count), index.stored(count)))
        start = 0
        for chunk, size in index.nodes(0, count):
            parts.append(_ENTRY.pack(hashing.keyed(chunk, key), start, size, 0, 0))
            start += size
    parts.append(_BOOKEND)
    files_at, footer_at = _HEADER.size, sum(map(len, parts))
    # the three look-up tables are empty, but clients take the start of the first for the end of the xorbs
    tables = (footer_at, 0) * 3
    parts.append(_FOOTER.pack(1, files_at, files_at + len(_BOOKEND), *tables, key, created, expires, footer_at))
    return b"".join(parts)
