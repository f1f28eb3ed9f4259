"""Xorbs and shards as a client makes them, with every number in them free to be wrong."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import lz4.frame

from corral.repos.xet import hashing

TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
BOOKEND = b"\xff" * 32 + bytes(16)


def noise(size: int, seed: int = 0) -> bytes:
    """`size` bytes that do not compress, always the same."""
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def group(data: bytes) -> bytes:
    """ByteGrouping4: all first bytes of every four, then all second ones, …"""
    return b"".join(data[place::4] for place in range(4))


def chunk(
    data: bytes, scheme: int = 0, *, size: int | None = None, packed: bytes | None = None, version: int = 0
) -> bytes:
    """A chunk as stored; `size` and `packed` lie when given."""
    if packed is None:
        source = group(data) if scheme == 2 else data
        packed = lz4.frame.compress(source) if scheme else source
    claimed = len(data) if size is None else size
    return (
        bytes((version,))
        + len(packed).to_bytes(3, "little")
        + bytes((scheme,))
        + claimed.to_bytes(3, "little")
        + packed
    )


@dataclass(frozen=True)
class Xorb:
    chunks: tuple[bytes, ...]
    body: bytes

    @property
    def nodes(self) -> list[hashing.Node]:
        return [(hashing.chunk_hash(data), len(data)) for data in self.chunks]

    @property
    def raw(self) -> bytes:
        return hashing.xorb_hash(self.nodes)

    @property
    def hash(self) -> str:
        return hashing.to_hex(self.raw)


def xorb(chunks: Sequence[bytes], schemes: Iterable[int] = ()) -> Xorb:
    kinds = [*schemes, *[0] * len(chunks)]
    return Xorb(tuple(chunks), b"".join(chunk(data, kind) for data, kind in zip(chunks, kinds, strict=False)))


#: a xorb and the chunks of it that a file has: from, up to
Part = tuple[Xorb, int, int]


def content(parts: Sequence[Part]) -> bytes:
    return b"".join(data for x, start, end in parts for data in x.chunks[start:end])


def file_hash(parts: Sequence[Part]) -> bytes:
    return hashing.file_hash([node for x, start, end in parts for node in x.nodes[start:end]])


def proof(x: Xorb, start: int, end: int) -> bytes:
    return hashing.verification_hash(b"".join(raw for raw, _ in x.nodes[start:end]))


def file_block(
    parts: Sequence[Part],
    *,
    raw: bytes | None = None,
    sha256: str | None = "",
    proofs: Sequence[bytes] | None = None,
    count: int | None = None,
    sizes: Sequence[int] | None = None,
) -> bytes:
    """A file of a shard. `sha256`: '' for the right one, None for none. `proofs` [] for none. What is given may lie."""
    proofs = [proof(*part) for part in parts] if proofs is None else proofs
    sizes = [len(content([part])) for part in parts] if sizes is None else sizes
    flags = (1 << 31 if proofs else 0) | (1 << 30 if sha256 is not None else 0)
    block = (raw or file_hash(parts)) + struct.pack("<IIQ", flags, len(parts) if count is None else count, 0)
    for (x, start, end), size in zip(parts, sizes, strict=True):
        block += x.raw + struct.pack("<4I", 0, size, start, end)
    for check in proofs:
        block += check + bytes(16)
    if sha256 is not None:
        digest = sha256 or hashlib.sha256(content(parts)).hexdigest()
        block += hashing.from_hex(digest) + bytes(16)
    return block


def xorb_block(x: Xorb) -> bytes:
    nodes = x.nodes
    block = x.raw + struct.pack("<4I", 0, len(nodes), sum(size for _, size in nodes), len(x.body))
    at = 0
    for raw, size in nodes:
        block += raw + struct.pack("<IIQ", at, size, 0)
        at += size
    return block


def shard(files: Iterable[bytes], xorbs: Iterable[Xorb] = ()) -> bytes:
    head = TAG + struct.pack("<QQ", 2, 0)
    return head + b"".join(files) + BOOKEND + b"".join(map(xorb_block, xorbs)) + BOOKEND
